"""`python -m bench [NAME ...]`: measures aircon beside floors and peers, and prints a table."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from bench.report import HEADING, Row
from bench.setting import QUICK, Setting, Sizes

Measure = Callable[[Setting], Iterator[Row]]

BENCHES = {
    "append": "bench.appending:rows",
    "import": "bench.importing:rows",
    "seal": "bench.sealing:rows",
    "start": "bench.starting:rows",
    "memory": "bench.memory:rows",
    "client": "bench.client:rows",
    "serve": "bench.serving:rows",
    "verify": "bench.verifying:rows",
    "prove": "bench.proving:rows",
    "workingcopy": "bench.asking:working_copy",
    "query": "bench.asking:rows",
    "reconcile": "bench.reconciling:rows",
    "s3": "bench.buckets:rows",
    "console": "bench.starting:first_rows",
}
"""Every bench by name, those without the large store first."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--records", type=int, help="records of the large store (1,000,000)")
    parser.add_argument("--memory", type=int, nargs=2, metavar="N", help="sizes for peak memory")
    parser.add_argument("--runs", type=int, help="repetitions beside a peer (5)")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it all run?")
    parser.add_argument("--peers", action="store_true", help="install and measure audit packages")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHES]
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}")
    return given


def _measure(name: str) -> Measure:
    module, _, function = BENCHES[name].partition(":")
    return cast("Measure", getattr(importlib.import_module(module), function))


def main() -> int:
    """Run the benches that were named, or all."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that its directory is removed
    sizes = QUICK if given.quick else Sizes()
    if given.records:
        sizes = replace(sizes, corpus=given.records)
    if given.runs:
        sizes = replace(sizes, runs=given.runs)
    if given.memory:
        sizes = replace(sizes, memory=tuple(given.memory))
    taken: list[tuple[str, Row]] = []
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print(HEADING)
    with Setting(sizes, peers=given.peers) as setting:
        for name in given.names or BENCHES:
            for row in _measure(name)(setting):
                taken.append((name, row))
                print(row.line(), flush=True)
    if given.json is not None:
        shown = [{"bench": name, **asdict(row), "ratio": row.ratio} for name, row in taken]
        given.json.write_text(json.dumps(shown, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
