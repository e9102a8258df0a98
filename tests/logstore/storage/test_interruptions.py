"""Ctrl-C, a generator left half-way, a log closed under work: nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.stores import TestStore, chat, texts

from logstore.disk import Disk
from logstore.errors import AirconError, NotDurable, UsageError
from logstore.formats.pins import SegmentPin
from logstore.formats.record import Receipt, Record
from logstore.storage.log import Log, Options


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    return TestStore(tmp_path)


def in_time(work: Callable[[], object], *, seconds: float = 10) -> None:
    """Run in a thread; fails when it does not come back."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "somebody waits for ever"


def refused(log: Log) -> Callable[[], None]:
    def append() -> None:
        with pytest.raises(AirconError):
            log.append(chat("must be refused", "u"))

    return append


def test_an_interrupted_wait_for_a_turn_stops_the_log_and_blocks_nobody(store: TestStore) -> None:
    log = store.create()
    log.append(chat("known", "u"))
    committer = log._committer
    first, _ = committer.encode([chat("one", "u")])
    second, _ = committer.encode([chat("two", "u")])
    wait = committer._turn.wait_for

    def interrupted(_: Callable[[], object]) -> bool:
        raise KeyboardInterrupt

    committer._turn.wait_for = interrupted  # type: ignore[assignment,method-assign]
    with pytest.raises(KeyboardInterrupt):
        committer.flush(second)
    committer._turn.wait_for = wait  # type: ignore[method-assign]
    in_time(lambda: committer.flush(first))
    for job in (first, second):
        with pytest.raises(NotDurable):
            job.outcomes()
    in_time(refused(log))
    with store.open() as other:
        other.append(chat("another process is not kept waiting", "u"))
    in_time(log.close)


def test_an_interruption_between_encoding_and_flushing_blocks_nobody(
    store: TestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = store.create()
    log.append(chat("known", "u"))

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log._committer, "flush", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log.append(chat("one", "u"))
    monkeypatch.undo()
    in_time(refused(log))
    with store.open() as other:
        receipt = other.append(chat("another process is not kept waiting", "u"))
    in_time(log.close)
    assert list(texts(store.reader()).values())[-1] == "another process is not kept waiting"
    assert receipt.index > 0


def test_a_stream_left_half_way_keeps_what_it_acknowledged(store: TestStore) -> None:
    with store.create() as log:
        outcomes = log.append_many((chat(f"{n}", "u") for n in range(100)), group=5)
        got = [next(outcomes) for _ in range(12)]
        del outcomes
        in_time(lambda: log.append(chat("goes on", "u")))
    found = texts(store.reader())
    assert all(
        found[each.index] == str(n) for n, each in enumerate(got) if isinstance(each, Receipt)
    )
    assert "goes on" in found.values()


class NoKeyPages(Disk):
    """The key store's disk is full."""

    full = False

    def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().sys_write(fd, data, offset)


def test_a_full_disk_of_the_key_store_stops_the_log_until_it_is_reopened(store: TestStore) -> None:
    disk = NoKeyPages(immutable=False)
    log = store.create(disk)
    kept = log.append(chat("before", "u")).index
    disk.full = True
    with pytest.raises(NotDurable, match="No space left"):
        log.append(chat("a new person", "v"))
    disk.full = False
    with pytest.raises(NotDurable, match="stopped"):
        log.append(chat("a new person", "v"))
    log.close()
    with store.open() as log:
        again = log.append(chat("a new person", "v")).index
    assert texts(store.reader()) == {kept: "before", again: "a new person"}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_under_work_refuses_or_stores_but_never_hangs(store: TestStore) -> None:
    log = store.create()
    log.append(chat("known", "u"))
    receipts: list[tuple[int, str]] = []

    def work(name: int) -> None:
        try:
            for n in range(10_000):
                text = f"{name}/{n}"
                receipts.append((log.append(chat(text, "u")).index, text))
        except AirconError:
            return

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    while len(receipts) < 50:
        threading.Event().wait(0.01)
    in_time(log.close)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "somebody waits for ever"
    store.open().close()
    found = texts(store.reader())
    assert {index: found[index] for index, _ in receipts} == dict(receipts)


def test_a_closed_log_stores_nothing_and_holds_nothing(store: TestStore) -> None:
    store.create().close()
    before = descriptors()
    log = store.open()
    stream = log.append_many((chat(f"{n}", "u") for n in range(100)), group=2)
    next(stream)
    log.close()
    with pytest.raises(UsageError, match="closed"):
        log.append(chat("x", "u"))
    with pytest.raises(AirconError):
        list(stream)
    with pytest.raises(AirconError):
        log.seal()
    log.keys.close()
    assert descriptors() == before
    with store.open() as again:
        again.append(chat("another one", "u"))


def test_a_stream_of_large_records_is_cut_into_groups_that_fit(store: TestStore) -> None:
    large = "x" * (9 * 2**20)
    with store.create() as log:
        sizes: list[int] = []
        encode = log._committer.encode

        def watched(records: Sequence[Record]) -> object:
            sizes.append(len(records))
            return encode(records)

        log._committer.encode = watched  # type: ignore[assignment,method-assign]
        outcomes = list(log.append_many(chat(large, "u") for _ in range(9)))
    assert len([each for each in outcomes if isinstance(each, Receipt)]) == 9
    assert sizes == [4, 4, 1]


def fails_once(log: Log) -> None:
    """Let its next sealing in the background fail."""
    run = log._sealing.run

    def refused(**_: Any) -> list[SegmentPin]:
        log._sealing.run = run  # type: ignore[method-assign]
        raise NotDurable("no room for a segment")

    log._sealing.run = refused  # type: ignore[method-assign]


def test_what_sealing_ran_into_is_not_said_of_a_record_that_is_stored(store: TestStore) -> None:
    store.create().close()
    options = Options(protect=False, auto_seal_bytes=5_000)
    stored: list[int] = []
    refused_once = 0
    with store.open(options=options) as log:
        fails_once(log)
        for n in range(60):
            size = log.size
            try:
                stored.append(log.append(chat(f"{n} " + "long " * 50, "u")).index)
            except NotDurable:
                refused_once += 1
                assert log.size == size, "stored, but not acknowledged"
    reader = store.reader()
    assert refused_once == 1
    assert list(texts(reader)) == stored
    assert reader.pins, "sealing was never tried again"


def test_each_event_loop_gets_its_own_receipts(store: TestStore) -> None:
    with store.create() as log:
        counts: list[int] = []

        async def some(name: int) -> None:
            got = await asyncio.gather(*(log.aappend(chat(f"{name}/{n}", "u")) for n in range(40)))
            counts.append(len(got))

        threads = [
            threading.Thread(target=lambda n=n: asyncio.run(some(n)), daemon=True) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive(), "a loop waits for a receipt that another one got"
    assert counts == [40] * 4
    assert len(texts(store.reader())) == 160


def test_a_loop_that_ended_early_does_not_stop_the_next(store: TestStore) -> None:
    disk = SlowDisk()
    with store.create(disk) as log:
        log.append(chat("known", "u"))

        async def impatient() -> None:
            disk.go.clear()
            async with asyncio.timeout(0.05):
                await log.aappend(chat("slow", "u"))

        with pytest.raises(TimeoutError):
            asyncio.run(impatient())
        disk.go.set()

        async def patient() -> Receipt:
            async with asyncio.timeout(10):
                return await log.aappend(chat("next", "u"))

        assert asyncio.run(patient()).index > 0


async def test_tasks_of_a_closed_log_are_told(store: TestStore) -> None:
    log = store.create()
    await log.aappend(chat("x", "u"))
    late = [asyncio.ensure_future(log.aappend(chat(f"{n}", "u"))) for n in range(3)]
    await asyncio.sleep(0)
    log.close()
    async with asyncio.timeout(10):
        told = await asyncio.gather(*late, return_exceptions=True)
        with pytest.raises(AirconError):
            await log.aappend(chat("after", "u"))
    assert all(isinstance(each, Receipt | AirconError) for each in told)


class SlowDisk(Disk):
    """Flushes appended data only when it may."""

    def __init__(self) -> None:
        super().__init__(immutable=False)
        self.go = threading.Event()
        self.go.set()

    def sys_fdatasync(self, fd: int) -> None:
        assert self.go.wait(10)
        super().sys_fdatasync(fd)
