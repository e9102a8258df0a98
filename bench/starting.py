"""Start-up: `aircon --help`, and the console's first rows on the large store."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

from bench.report import Row, median, spent
from bench.setting import Setting


def rows(setting: Setting) -> Iterator[Row]:
    """Wall and CPU time of whole processes."""
    runs = 9 if setting.sizes.runs > 1 else 3
    ours = [_process("-m", "console", "--help") for _ in range(runs)]
    bare = [_process("-c", "pass") for _ in range(runs)]
    wall, cpu = (median(each[n] for each in ours) for n in (0, 1))
    floor, floor_cpu = (median(each[n] for each in bare) for n in (0, 1))
    yield Row("aircon --help", wall, "ms", "bare interpreter", floor, "<= 120 ms")
    yield Row("aircon --help, CPU", cpu, "ms", "bare interpreter", floor_cpu)


def first_rows(setting: Setting) -> Iterator[Row]:
    """From the start of the process until the console shows rows, headless."""
    corpus = setting.corpus
    size = corpus.engine.size  # the working copy is there, as it is every time but the first
    command = [sys.executable, "-m", "bench.firstrows", str(corpus.bench.base)]
    floor = median(_process("-c", "import textual.app, duckdb, pyarrow")[0] for _ in range(3))
    shown = []
    for _ in range(min(setting.sizes.runs, 5)):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        shown.append(float(done.stdout) * 1000)
    what = f"console, first rows of {size:,}"
    yield Row(what, median(shown), "ms", "importing textual, duckdb, pyarrow", floor, "<= 1,000 ms")


def _process(*arguments: str) -> tuple[float, float]:
    """(wall, CPU) milliseconds of an interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    wall = spent(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000
