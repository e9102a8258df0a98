"""`aircon import`: takes in AI logs of any known format."""

from __future__ import annotations

import argparse
from pathlib import Path

from console import diagnostics, output
from console.importing import (
    COLUMNS,
    complete,
    import_paths,
    report_lines,
    report_rows,
    taken_words,
)
from console.opening import OpenStore


def run(args: argparse.Namespace) -> int:
    """Import, and say what became of every file."""
    rejects = Path(args.rejects) if args.rejects else None
    with OpenStore(args, "import") as store:
        report = import_paths(
            store, args.paths, rejects=rejects, again=args.again, fetch_from=args.fetch_from
        )
    shape = output.Shape("json" if args.json else "table")
    output.rows(COLUMNS, report_rows(report), shape)
    for line in report_lines(report):
        diagnostics.note(line)
    diagnostics.note(f"{taken_words(report)} stored, {report.rejected:,} lines refused")
    return diagnostics.OK if complete(report, args.paths) else diagnostics.LINES_REFUSED
