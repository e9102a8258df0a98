"""`aircon reconcile` of the large store with as many lines of a gateway, in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.memory import peak_mb
from bench.report import Row
from bench.setting import Corpus, Setting
from logstore.query.engine import Engine

_EVERY = 100
"""Of so many lines the gateway lacks one and names one that the log lacks."""


class _Spent(NamedTuple):
    """Seconds of the clock and of the processor, and the largest resident size in MB."""

    wall: float
    cpu: float
    peak: float


def rows(setting: Setting) -> Iterator[Row]:
    """Time and memory, beside what only joins the ids, and beside a tenth of the lines."""
    corpus = setting.corpus
    lines, tenth = (corpus.jsonl.with_name(name) for name in ("gateway.jsonl", "tenth.jsonl"))
    _write_gateway(corpus, lines, corpus.records)
    _write_gateway(corpus, tenth, corpus.records // 10)
    wall, cpu = _joined(corpus.engine, lines)
    ours, small = _reconciled(corpus, lines), _reconciled(corpus, tenth)
    what, beside = f"reconcile, {corpus.records:,} lines", "DuckDB joins the ids alone"
    yield Row(what, ours.wall, "s", beside, wall)
    yield Row(f"{what}, CPU", ours.cpu, "s", beside, cpu)
    yield Row(f"peak memory, {what}", ours.peak, "MB", "a tenth of the lines", small.peak)


def _write_gateway(corpus: Corpus, target: Path, count: int) -> None:
    """Lines of the store's calls; ids of a few are not in the store, and a few are missing."""
    with corpus.jsonl.open("rb") as source, target.open("wb") as file:
        for n, line in zip(range(count), source, strict=False):
            if n % _EVERY == 1:
                file.write(line.replace(b'"response_id":"resp_', b'"response_id":"gate_', 1))
            elif n % _EVERY:
                file.write(line)


def _joined(engine: Engine, lines: Path) -> tuple[float, float]:
    """(wall, CPU) seconds in which DuckDB reads the lines' ids and joins them to the store's."""
    import duckdb

    start = time.perf_counter(), time.process_time()
    asked = "SELECT response_id FROM interactions"
    ours = engine.sql(asked, limit=engine.size, timeout_s=600).to_arrow()
    db = duckdb.connect(config={"threads": os.cpu_count() or 1})
    db.register("ours", ours)
    db.execute(
        "SELECT count(*) FROM ours FULL JOIN read_json(?, format = 'newline_delimited', "
        "columns = {response_id: 'VARCHAR'}) USING (response_id)",
        [str(lines)],
    ).fetchall()
    db.close()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def _reconciled(corpus: Corpus, lines: Path) -> _Spent:
    command = [sys.executable, "-m", "bench.reconciling", str(corpus.bench.base), str(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return _Spent(*json.loads(done.stdout.splitlines()[-1]))


def _reconcile(base: Path, lines: Path) -> _Spent:
    from console.__main__ import main

    start = time.perf_counter()
    options = ["--store", str(base / "evidence"), "--policy", str(base / "evidence.policy")]
    if main(["reconcile", *options, "--insecure-no-passphrase", "--against", str(lines)]) != 7:
        raise AssertionError("the sides do not differ")
    return _Spent(time.perf_counter() - start, time.process_time(), peak_mb())


if __name__ == "__main__":
    print(json.dumps(_reconcile(Path(sys.argv[1]), Path(sys.argv[2]))))
