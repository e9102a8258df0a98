"""Group commit: who leads, who sleeps, and what an interruption does to the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.stores import TestStore, chat

from logstore.disk import Disk
from logstore.formats.record import Receipt
from logstore.storage import commits
from logstore.storage.log import Log


class SlowDisk(Disk):
    """Holds back every flush of appended data until it is let go."""

    def __init__(self) -> None:
        super().__init__(immutable=False)
        self.go = threading.Event()
        self.go.set()
        self.flushing = threading.Event()

    def sys_fdatasync(self, fd: int) -> None:
        self.flushing.set()
        assert self.go.wait(10)
        super().sys_fdatasync(fd)


def _until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.005)
    raise AssertionError("it never happened")


class Callers:
    """Threads that append one record each."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.receipts: list[Receipt] = []
        self.interrupted: list[str] = []
        self.threads: list[threading.Thread] = []

    def call(self, text: str) -> None:
        def append() -> None:
            try:
                self.receipts.append(self.log.append(chat(text, "u1")))
            except KeyboardInterrupt:
                self.interrupted.append(text)

        self.threads.append(threading.Thread(target=append))
        self.threads[-1].start()

    def join(self) -> None:
        for each in self.threads:
            each.join(10)
            assert not each.is_alive(), "somebody waits for ever"


def test_callers_that_meet_share_one_flush(tmp_path: Path) -> None:
    disk = SlowDisk()
    with TestStore(tmp_path).create(disk) as log:
        log.append(chat("first", "u1"))  # makes the person's key, which is a flush of its own
        disk.flushing.clear()
        disk.go.clear()
        callers = Callers(log)
        callers.call("leader")
        assert disk.flushing.wait(10)
        for n in range(20):
            callers.call(f"waits {n}")
        _until(lambda: len(log._committer._queue) == 20)
        tickets = log._committer._tickets
        disk.go.set()
        callers.join()
        assert log._committer._tickets == tickets + 1
    assert len({receipt.index for receipt in callers.receipts}) == 21


@pytest.mark.parametrize("place", [0, 1, 2], ids=["heir", "middle", "last"])
def test_a_caller_interrupted_in_its_sleep_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    interrupt = threading.Event()

    class Interrupted:
        def acquire(self) -> bool:
            assert interrupt.wait(10)
            raise KeyboardInterrupt

        def release(self) -> None:
            """Nobody listens."""

    disk = SlowDisk()
    with TestStore(tmp_path).create(disk) as log:
        log.append(chat("first", "u1"))
        disk.flushing.clear()
        disk.go.clear()
        callers = Callers(log)
        callers.call("leader")
        assert disk.flushing.wait(10)
        made = commits._Submission.__init__
        for n in range(3):

            def make(self: commits._Submission, records: object, n: int = n) -> None:
                made(self, records)  # type: ignore[arg-type]
                if n == place:
                    self.wake = Interrupted()  # type: ignore[assignment]

            monkeypatch.setattr(commits._Submission, "__init__", make)
            callers.call(f"caller {n}")
            _until(lambda n=n: len(log._committer._queue) == n + 1)
        monkeypatch.undo()
        interrupt.set()
        callers.threads[1 + place].join(10)
        disk.go.set()
        callers.join()
        assert log.append(chat("afterwards", "u1")).index > 0
    assert callers.interrupted == [f"caller {place}"]
    assert len(callers.receipts) == 3
