"""`aircon demo`: a throw-away store with sample logs, from import to proof to the explorer."""

from __future__ import annotations

import argparse
from pathlib import Path

from console import demo
from console.verbs.console import explore, unfit_terminal


def run(args: argparse.Namespace) -> int:
    """Run the demo; returns the verification's exit code, or the explorer's."""
    directory = Path(args.directory or "demo-store")
    with demo.make(directory, Path(args.logs) if args.logs else None) as store:
        code = demo.examine(store, directory)
        demo.close(code, directory)
        if code or args.no_console or unfit_terminal():
            return code
        return explore(store)
