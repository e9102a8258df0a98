"""`aircon verify`: checks every file, hash, signature and column against the policy."""

from __future__ import annotations

import argparse

from console import diagnostics, output, verifying
from console.opening import OpenStore
from logstore.errors import TamperingFound, UsageError


def run(args: argparse.Namespace) -> int:
    """Verify; the exit code is the answer."""
    if args.place and args.store:
        raise UsageError("the store was named twice: with --store and without")
    args.store = args.place or args.store
    with OpenStore(args, "verify", needs_keys=args.content) as store:
        report = verifying.verify(
            store, quick=args.quick, workers=args.workers, witnessed_only=args.witnessed
        )
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


def _record(store: OpenStore) -> None:
    try:
        store.record_access("access.decrypt", {"text": "verify every content"})
    except TamperingFound as error:  # the report must be seen all the same
        diagnostics.warn(f"that content was opened could not be recorded: {error.what}")
