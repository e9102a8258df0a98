"""The proof of one record out of a large store that nothing has read before."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from bench.report import Row, median
from bench.setting import Setting
from logstore.verify.proving import prove


def rows(setting: Setting) -> Iterator[Row]:
    """Cold and warm, in process: opening the reader and proving."""
    bench, rng = setting.corpus.bench, random.Random(3)
    policy = bench.policy()
    times: dict[str, list[float]] = {"cold": [], "cold, read": [], "opened": []}
    prove(bench.reader(), 0)  # what is imported once per process is not measured here
    for _ in range(9):
        index = rng.randrange(setting.corpus.records)
        forget(bench.store)
        start = time.perf_counter()
        reader = type(bench.reader()).open(bench.store, policy=policy)
        prove(reader, index)
        times["cold"].append(time.perf_counter() - start)
        forget(bench.store)
        times["cold, read"].append(
            _read_one(reader.files.place(reader.pins_in(index, index + 1)[0].index))
        )
        start = time.perf_counter()
        prove(reader, index)
        times["opened"].append(time.perf_counter() - start)
    floor = median(times["cold, read"]) * 1000
    said = "reading that segment's index from disk"
    yield Row("proof of one record, cold store", median(times["cold"]) * 1000, "ms", said, floor,
              "<= 100 ms")  # fmt: skip
    yield Row("proof of one record, open reader, warm", median(times["opened"]) * 1000, "ms")


def forget(store: Path) -> None:
    """Drop a store's pages from the page cache."""
    for path in store.rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.fdatasync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def _read_one(path: Path) -> float:
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.perf_counter()
    while os.read(fd, 2**20):
        pass
    os.close(fd)
    return time.perf_counter() - start
