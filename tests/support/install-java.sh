#!/bin/sh
# A Java for the Spark of tests/lake, from Debian's packages. Only where apt and root are; elsewhere
# the tests that need it say so.
set -u
command -v java >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "no Java here: apt-get install --no-install-recommends default-jre-headless" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless >/dev/null ||
  echo "Java could not be installed: the tests that need it say so" >&2
