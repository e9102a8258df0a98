"""`aircon verify`: checks every file, hash, signature and column against the policy."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from console import diagnostics, output, verifying
from console.opening import OpenStore
from logstore.errors import TamperingFound, UsageError

if TYPE_CHECKING:
    from logstore.verify.segmentpool import Engine


def run(args: argparse.Namespace) -> int:
    """Verify; the exit code is the answer."""
    if args.place and args.store:
        raise UsageError("the store was named twice: with --store and without")
    args.store = args.place or args.store
    engine = _engine(args)
    with OpenStore(args, "verify", needs_keys=args.content) as store:
        report = verifying.verify(
            store, quick=args.quick, workers=args.workers, witnessed_only=args.witnessed,
            engine=engine,
        )  # fmt: skip
        if args.content:
            _record(store)
    if args.json:
        output.record(verifying.report_object(report))
    else:
        verifying.say(report)
    if report.exit_code == diagnostics.TAMPERING:
        diagnostics.note(
            "Keep a copy of the store as it is before doing anything else, and compare it with"
            " any copy, witness or proof file you have."
        )
    return report.exit_code


def _engine(args: argparse.Namespace) -> Engine | None:
    """What else than this machine checks the segments, if anything."""
    if args.engine != "spark":
        if args.spark_master:
            raise UsageError("--spark-master goes with --engine spark")
        return None
    if args.content:
        raise UsageError(
            "--content opens contents, and their keys are never sent to a cluster",
            todo="Leave --engine away for that: contents are opened on this machine only.",
        )
    if args.quick or args.workers:
        raise UsageError(
            "--engine spark checks every leaf on the cluster's own number of processors",
            todo="Leave --quick and --workers away, or --engine.",
        )
    from logstore.verify.sparkengine import SparkEngine

    return SparkEngine(args.spark_master)


def _record(store: OpenStore) -> None:
    try:
        store.record_access("access.decrypt", {"text": "verify every content"})
    except TamperingFound as error:  # the report must be seen all the same
        diagnostics.warn(f"that content was opened could not be recorded: {error.what}")
