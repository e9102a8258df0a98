"""Appending: one caller, many callers as threads and as tasks, and batches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from bench import peers
from bench.report import Row, median, turns
from bench.setting import Setting
from bench.workload import PEOPLE, START_US, Bench, Load
from logstore.formats import body
from logstore.formats.record import Record
from logstore.storage.log import Log

Act = Callable[[Log, list[Record]], object]


def rows(setting: Setting) -> Iterator[Row]:
    """Every figure of appending."""
    yield from _lone(setting)
    yield from _together(setting)
    yield from _batches(setting)
    if setting.peers:
        yield from _packages(setting)


def one_by_one(log: Log, records: list[Record]) -> None:
    """A lone synchronous caller."""
    for record in records:
        log.append(record)


def threads(count: int) -> Act:
    """That many threads, each a synchronous caller."""

    def act(log: Log, records: list[Record]) -> None:
        callers = [
            threading.Thread(target=one_by_one, args=(log, records[n::count])) for n in range(count)
        ]
        for each in callers:
            each.start()
        for each in callers:
            each.join()

    return act


def tasks(count: int) -> Act:
    """That many asyncio tasks, each waiting for its receipt before the next record."""

    async def caller(log: Log, records: list[Record]) -> None:
        for record in records:
            await log.aappend(record)

    async def together(log: Log, records: list[Record]) -> None:
        await asyncio.gather(*(caller(log, records[n::count]) for n in range(count)))

    return lambda log, records: asyncio.run(together(log, records))


def batches(group: int) -> Act:
    """`append_many`."""
    return lambda log, records: deque(log.append_many(records, group=group), maxlen=0)


def people_known(log: Log) -> None:
    """Give every person a key first: most records concern somebody who was here before."""
    nothing = body.encode(body.Body())
    log_them = (
        Record("interaction", "bench", time_us=START_US, content=nothing, subjects=(f"user{n}",))
        for n in range(PEOPLE)
    )
    deque(log.append_many(log_them, group=4096), maxlen=0)


def measured(
    setting: Setting, records: list[Record], act: Act, *, known: bool
) -> tuple[float, float]:
    """(records per second of wall time, of CPU time) of a fresh log."""
    with Bench(setting.folder()).create() as log:
        if known:
            people_known(log)
        wall, cpu = time.perf_counter(), time.process_time()
        act(log, records)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return len(records) / wall, len(records) / cpu


def _lone(setting: Setting) -> Iterator[Row]:
    load = Load(setting.sizes.lone)
    plain, records = list(load.rows()), load.all_prepared()
    ours, floor = turns(
        [
            lambda: measured(setting, records, one_by_one, known=True)[0],
            lambda: peers.plain_json(setting.folder(), plain),
        ],
        setting.sizes.runs,
    )
    yield Row("append, 1 caller", ours, "records/s", "json + fdatasync", floor, ">= 1.0x")


def _together(setting: Setting) -> Iterator[Row]:
    load = Load(setting.sizes.shared)
    lines, records = list(load.lines()), load.all_prepared()
    for count in (16, 256):
        acts: list[Callable[[], float]] = [
            partial(_wall, setting, records, threads(count)),
            partial(_wall, setting, records, tasks(count)),
            partial(_chain_wall, setting, lines, count),
        ]
        by_threads, by_tasks, chain = turns(acts, setting.sizes.runs)
        beside = f"SQLite chain of bytes, txn {count}"
        yield Row(f"append, {count} threads", by_threads, "records/s", beside, chain)
        yield Row(f"append, {count} asyncio tasks", by_tasks, "records/s", beside, chain)


def _wall(setting: Setting, records: list[Record], act: Act) -> float:
    return measured(setting, records, act, known=True)[0]


def _chain_wall(setting: Setting, lines: list[bytes], group: int) -> float:
    return peers.sqlite_chain(setting.folder(), lines, group)[0]


def _batches(setting: Setting) -> Iterator[Row]:
    load = Load(setting.sizes.batch)
    records = load.all_prepared()
    chained: dict[str, list[bytes] | list[dict[str, object]]] = {
        "SQLite chain, json.dumps": list(load.rows()),
        "SQLite chain of bytes": list(load.lines()),
    }
    for group in (256, 1024):
        ours: list[tuple[float, float]] = []
        theirs: dict[str, list[tuple[float, float]]] = {name: [] for name in chained}
        for _ in range(setting.sizes.runs):
            ours.append(measured(setting, records, batches(group), known=True))
            for name, rows in chained.items():
                theirs[name].append(peers.sqlite_chain(setting.folder(), rows, group))
        for column, unit in enumerate(("records/s", "per CPU s")):
            for name, pairs in theirs.items():
                aim = ">= 3x; 50,000/s" if group == 256 else ""
                figures = [median(pair[column] for pair in taken) for taken in (ours, pairs)]
                what = f"append_many, groups of {group}"
                yield Row(what, figures[0], unit, f"{name}, txn {group}", figures[1], aim)
    fresh = [measured(setting, records, batches(256), known=False)[0] for _ in range(3)]
    yield Row("append_many, 256, people not known before", median(fresh), "records/s")


def _packages(setting: Setting) -> Iterator[Row]:
    count = min(setting.sizes.lone, 1_000)
    records = Load(setting.sizes.shared).all_prepared()
    found = peers.packages(setting.base, count)
    ours = measured(setting, records, batches(256), known=True)[0]
    best = max(found.values())
    for name, figure in found.items():
        aim = ">= 10x" if figure == best else ""
        yield Row("append_many, groups of 256", ours, "records/s", name, figure, aim)
