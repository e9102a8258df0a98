"""`aircon doctor`: says which protections are really in force."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from console import bucketdoctor, diagnostics, opening, output
from console.access import operator
from console.columns import Column
from console.doctorcheck import Check
from console.doctoring import checks
from console.output import Painted, Style
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.s3.capabilities import Capabilities

_COLUMNS = (Column("state"), Column("check"), Column("says"))
_STYLES: dict[str, Style] = {"ok": "green", "warn": "yellow", "bad": "red"}


def run(args: argparse.Namespace) -> int:
    """Check; a missing protection is exit code 2."""
    found = list(checks(args))
    if args.attack:
        found += _attacked(args)
    if args.json:
        shape = output.Shape("json")
        output.rows(_COLUMNS, ((each.state, each.name, each.says) for each in found), shape)
    else:
        for each in found:
            _say(each)
    bad = any(each.state == "bad" for each in found)
    return diagnostics.CANNOT_JUDGE if bad else diagnostics.OK


def _attacked(args: argparse.Namespace) -> list[Check]:
    """Attack throw-away objects in the bucket; recorded on the log where it can be written."""
    from logstore.s3.bucket import Bucket
    from logstore.s3.probing import probe_bucket
    from logstore.storage.home import read_remote, read_writer

    places = opening.settled(opening.places(args))
    remote = read_remote(places.store)
    if remote is None:
        raise UsageError("--attack is for a bucket; this store is a directory")
    found = probe_bucket(Bucket(remote))
    if read_writer(places.store) is None:
        diagnostics.note("This machine only reads the store, so the attempt was not recorded.")
    else:
        _record(args, found)
    return list(bucketdoctor.probed(found))


def _record(args: argparse.Namespace, found: Capabilities) -> None:
    from logstore.storage.probed import probed_record

    with opening.OpenStore(args, "doctor") as store:
        receipt = store.log().append(probed_record(found, operator()))
        diagnostics.note(f"What the bucket did is record {receipt.index} of {store.name}.")


def _say(check: Check) -> None:
    output.line(
        Painted(check.state.ljust(4), _STYLES[check.state]), f"  {check.name}: {check.says}"
    )
