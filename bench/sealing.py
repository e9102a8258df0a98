"""Sealing a write-ahead file into its two objects, and what the store weighs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from bench.report import Row, median
from bench.setting import Setting
from bench.workload import Bench, Load

_SEGMENT = 20_000  # about the 64 MiB of write-ahead log at which a log seals by itself


def rows(setting: Setting) -> Iterator[Row]:
    """Records per second, and bytes beside the JSON lines they came from."""
    load = Load(setting.sizes.batch)
    lines = sum(map(len, load.lines()))
    records = load.all_prepared()
    rates, cpus, floors, size = [], [], [], 0
    for _ in range(min(setting.sizes.runs, 3)):
        bench = Bench(setting.folder())
        wall = cpu = 0.0
        with bench.create() as log:
            for start in range(0, len(records), _SEGMENT):
                deque(log.append_many(records[start : start + _SEGMENT], group=2048), maxlen=0)
                before = time.perf_counter(), time.process_time()
                log.seal()
                wall += time.perf_counter() - before[0]
                cpu += time.process_time() - before[1]
        rates.append(len(records) / wall)
        cpus.append(len(records) / cpu)
        size = stored_bytes(bench.store)
        floors.append(_parquet(setting.folder(), load))
    beside = "the lines as plain zstd Parquet"
    yield Row("seal", median(rates), "records/s", beside, median(floors), ">= 35,000/s")
    yield Row("seal, CPU", median(cpus), "per CPU s", "", 0, ">= 35,000/s")
    yield Row("sealed store", size / len(records), "B/record", "JSON lines", lines / len(records),
              "<= 0.5x")  # fmt: skip


def stored_bytes(store: Path) -> int:
    """Bytes of all objects of a store."""
    return sum(path.stat().st_size for path in store.rglob("*.parquet"))


def _parquet(folder: Path, load: Load) -> float:
    """Records per second of writing the lines into unencrypted Parquet: one column, zstd 3."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines = list(load.lines())
    start = time.perf_counter()
    table = pa.table({"line": pa.array(lines, type=pa.binary())})
    pq.write_table(
        table, folder / "lines.parquet", compression="zstd", compression_level=3,
        use_dictionary=False, row_group_size=16_384,
    )  # fmt: skip
    return len(lines) / (time.perf_counter() - start)
