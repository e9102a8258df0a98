#!/bin/sh
# Ceph's S3 server from Debian's packages, for tests/logstore/s3. Only where apt and root are; elsewhere
# the tests that need it say so. Nothing of it is started by its packages without an init system.
set -u
command -v ceph-mon >/dev/null && command -v ceph-osd >/dev/null && command -v radosgw >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "no Ceph here: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends ceph-mon ceph-osd radosgw >/dev/null ||
  echo "Ceph could not be installed: the tests that need it say so" >&2
