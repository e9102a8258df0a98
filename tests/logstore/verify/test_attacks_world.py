"""A16, A17, A19-A21, A29: failing disks, several writers, lost records, clocks, reading along."""

from __future__ import annotations

import errno
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support.evidence import Evidence, named
from support.stores import OPTIONS, TestStore, chat, texts
from support.writing import finished, writer

from logstore.disk import Disk, lock_file
from logstore.errors import NotDurable, WriterBusy
from logstore.formats.leaf import parse
from logstore.storage.log import Log
from logstore.verify.verifier import verify_store


class BadDisk(Disk):
    """Fails with an error number at the calls named in `failing`."""

    def __init__(self, code: int) -> None:
        super().__init__(immutable=False)
        self.code = code
        self.failing: set[str] = set()

    def _maybe(self, name: str) -> None:
        if name in self.failing:
            raise OSError(self.code, "injected")

    def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self._maybe("write")
        return super().sys_write(fd, data, offset)

    def sys_fdatasync(self, fd: int) -> None:
        self._maybe("fdatasync")
        super().sys_fdatasync(fd)

    def sys_fsync(self, fd: int) -> None:
        self._maybe("fsync")
        super().sys_fsync(fd)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_failing_disk_stops_the_acknowledging_and_the_store_still_verifies(
    tmp_path: Path, code: int, call: str
) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    disk = BadDisk(code)
    with store.open(disk) as log:
        acknowledged = [log.append(chat("before", "user-0")).index]
        disk.failing = {call}
        with pytest.raises(NotDurable):
            log.append(chat("lost", "user-0"))
        disk.failing = set()
        with pytest.raises(NotDurable):
            log.append(chat("still refused: the page cache is not to be trusted", "user-0"))
    evidence = Evidence(tmp_path, store.policy())
    assert evidence.verify(keys=store.keys()).exit_code == 0
    with store.open() as log:
        log.append(chat("after", "user-0"))
    assert evidence.verify(keys=store.keys()).exit_code == 0
    assert set(acknowledged) <= texts(store.reader()).keys()


def test_a_full_disk_while_sealing_loses_nothing_and_sealing_goes_on_later(
    tmp_path: Path,
) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    disk = BadDisk(errno.ENOSPC)
    with store.open(disk) as log:
        log.append(chat("kept", "user-0"))
        disk.failing = {"fsync"}
        with pytest.raises(NotDurable):
            log.seal()
    evidence = Evidence(tmp_path, store.policy())
    assert evidence.verify(keys=store.keys()).exit_code == 0
    with store.open() as log:
        log.seal()
    report = evidence.verify(keys=store.keys())
    assert report.exit_code == 0
    assert report.logs[0].sealed > 0
    assert "kept" in texts(store.reader()).values()


@pytest.mark.slow
def test_four_writers_make_one_contiguous_chain(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    names = ["anna", "bert", "carl", "dora"]
    for process in [writer(tmp_path, name, 500) for name in names]:
        finished(process)
    report = Evidence(tmp_path, store.policy()).verify()
    assert report.exit_code == 0
    reader = store.reader()
    assert [parse(leaf).index for leaf in reader.leaves(0, reader.size)] == list(range(reader.size))
    said = Counter(text.split()[0] for text in texts(reader).values())
    assert said == dict.fromkeys(names, 500)


@pytest.mark.slow
def test_verifying_while_others_write_and_seal_never_raises_a_false_alarm(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    policy, keys = store.policy(), store.keys()
    seen = tmp_path / "evidence.seen"
    writers = [writer(tmp_path, "anna", 700, 60), writer(tmp_path, "bert", 700)]
    alarms, sizes, rounds = [], [], 0
    while any(process.poll() is None for process in writers):
        options = [{"quick": True}, {}, {"keys": keys}][rounds % 3]
        report = verify_store(store.path, policy, seen=seen, workers=1, **options)  # type: ignore[arg-type]
        sizes.append(report.logs[0].signed)
        rounds += 1
        if report.exit_code != 0:
            alarms.append(report.found)
    for process in writers:
        finished(process)
    assert alarms == []
    assert rounds > 5
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 3, "it did read along"
    report = verify_store(store.path, policy, keys=keys, seen=seen)
    assert report.exit_code == 0
    assert report.logs[0].opened == 1400


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    lock = next(store.path.rglob("writer.lock"))
    held = lock_file(lock, wait=True)
    assert held is not None
    with pytest.raises(WriterBusy):
        Log.open(store.path, store.keys(), options=replace(OPTIONS, busy_timeout_s=0.05))


def test_records_that_never_arrived_are_listed_by_source(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        for number in [*range(1, 40), *range(42, 60), 61, *range(63, 101)]:
            log.append(chat(f"{number}", "user-0", seq=number))
            if number == 50:
                log.seal()
    report = Evidence(tmp_path, store.policy()).verify()
    assert report.exit_code == 0, "a gap is remarked on; it is no proof of anything"
    found = named(report, "sequence-gap")
    assert "4 of its numbers: 40-41, 60, 62" in found.what
    assert "'test'" in found.what


def test_numbers_used_twice_are_remarked_on(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        for number in [1, 2, 3, 2, 3]:
            log.append(chat(f"{number}", "user-0", seq=number))
    report = Evidence(tmp_path, store.policy()).verify()
    assert "used 2 of its numbers again" in named(report, "sequence-repeated").what


class MovedClock:
    """Goes where it is told."""

    boot = "abcdef01"

    def __init__(self) -> None:
        self.wall = 1_790_000_000_000_000
        self.mono = 1000

    def wall_us(self) -> int:
        return self.wall

    def mono_us(self) -> int:
        return self.mono


@pytest.mark.parametrize("sealing", [False, True])
def test_a_clock_that_was_moved_back_is_remarked_on_and_order_stays(
    tmp_path: Path, sealing: bool
) -> None:
    store, clock = TestStore(tmp_path), MovedClock()
    store.create().close()
    with Log.open(store.path, store.keys(), options=OPTIONS, clock=clock) as log:
        clock.wall = time.time_ns() // 1000 + 10**7
        log.append(chat("first", "user-0"))
        if sealing:
            log.seal()
        clock.wall -= 3_600_000_000
        clock.mono += 5
        late = log.append(chat("second, an hour earlier by the clock", "user-0")).index
    report = Evidence(tmp_path, store.policy()).verify()
    assert report.exit_code == 0
    assert named(report, "clock-moved-back").index in {late, late - 1}
    assert list(texts(store.reader())) == sorted(texts(store.reader()))


def test_an_event_from_the_future_is_remarked_on(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        ahead = time.time_ns() // 1000 + 3_600_000_000
        index = log.append(chat("tomorrow", "user-0", time_us=ahead)).index
    report = Evidence(tmp_path, store.policy()).verify()
    assert report.exit_code == 0
    assert named(report, "event-in-future").index == index
