"""Ctrl-C, a generator left half-way, a log closed under work: nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.stores import TestStore, chat, texts

from logstore.disk import Disk
from logstore.errors import AirconError, NotDurable
from logstore.formats.record import Receipt
from logstore.storage.log import Log


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
