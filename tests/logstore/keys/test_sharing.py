"""Several processes and threads with one key store: nobody undoes what another is doing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.faulty_disk import FaultyDisk, Killed

from logstore.disk import Disk
from logstore.errors import KeyDestroyed, NotDurable, UsageError
from logstore.keys.entries import KeyEntry
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore

ORIGIN = "logs.example.com/keys"


def make(path: Path, disk: Disk | None = None) -> KeyStore:
    return KeyStore.create(path, NoHolder(), origin=ORIGIN, disk=disk or Disk(immutable=False))


def reopen(path: Path) -> KeyStore:
    return KeyStore.open(path, NoHolder())


def issue(store: KeyStore, identity: str) -> KeyEntry:
    entry = store.obtain("subject", identity, "2026-11")
    store.flush()
    return entry


class SlowHolder(NoHolder):
    """Something happens while a passphrase is being stretched."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile: Callable[[], object] | None = meanwhile

    def open(self, sealed: bytes, generation: int) -> bytes:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().open(sealed, generation)


def test_a_reader_that_opens_while_a_key_is_destroyed_harms_nothing(tmp_path: Path) -> None:
    writer = make(tmp_path / "k")
    maria, tom = issue(writer, "maria"), issue(writer, "tom")
    wal_key = writer.wal_keys.create(7)
    reader = KeyStore.open(tmp_path / "k", SlowHolder(lambda: writer.destroy([maria.id])))
    for opened in (reader, writer, reopen(tmp_path / "k")):
        assert opened.key(tom.id) == tom
        assert opened.wal_keys.read(7) == wal_key
        with pytest.raises(KeyDestroyed):
            opened.key(maria.id)


def test_a_reader_may_look_between_any_two_steps_of_a_destruction(tmp_path: Path) -> None:
    class Watched(Disk):
        looking = False
        looks = 0

        def _look(self) -> None:
            if self.looking:
                self.looking = False
                self.looks += 1
                assert reopen(tmp_path / "k").key(tom.id) == tom
                old.catch_up()
                assert old.key(tom.id) == tom
                self.looking = True

        def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            self._look()
            return super().sys_write(fd, data, offset)

        def sys_rename(self, source: Path, target: Path) -> None:
            self._look()
            super().sys_rename(source, target)
            self._look()

        def sys_unlink(self, path: Path) -> None:
            self._look()
            super().sys_unlink(path)

    disk = Watched(immutable=False)
    writer = make(tmp_path / "k", disk)
    maria, tom = issue(writer, "maria"), issue(writer, "tom")
    wal_key = writer.wal_keys.create(7)
    old = reopen(tmp_path / "k")
    disk.looking = True
    assert writer.destroy([maria.id]) == [maria.id]
    disk.looking = False
    assert disk.looks > 10
    for opened in (writer, old, reopen(tmp_path / "k")):
        opened.catch_up()
        assert opened.wal_keys.read(7) == wal_key
        with pytest.raises(KeyDestroyed):
            opened.key(maria.id)


def test_a_writer_notices_a_new_kek_whose_maker_died_before_removing_the_old_one(
    tmp_path: Path,
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    maria = issue(make(base / "k"), "maria")
    survivor = reopen(base / "k")
    disk = FaultyDisk(base)
    dying = KeyStore.open(base / "k", NoHolder(), disk=disk)

    def sys_rename(source: Path, target: Path) -> None:
        source.rename(target)
        if target.name.startswith("slot-"):
            disk.dead = True

    disk.sys_rename = sys_rename  # type: ignore[method-assign]
    with pytest.raises(Killed):
        dying.destroy([maria.id])
    survivor.catch_up()
    late = issue(survivor, "tom")
    again = reopen(base / "k")
    again.tidy()
    assert reopen(base / "k").key(late.id) == late, "a key went into a journal no longer in force"
    with pytest.raises(KeyDestroyed):
        again.key(maria.id)
    assert len(list((base / "k").glob("journal-*"))) == 1
    assert len(list((base / "k").glob("slot-*"))) == 1


class RefusingDisk(Disk):
    """Refuses to flush appended data, or to rename, when told to."""

    refuses = ""

    def __init__(self) -> None:
        super().__init__(immutable=False)

    def sys_fdatasync(self, fd: int) -> None:
        if self.refuses == "fdatasync":
            raise OSError(28, "No space left on device")
        super().sys_fdatasync(fd)

    def sys_rename(self, source: Path, target: Path) -> None:
        if self.refuses == "rename":
            raise OSError(28, "No space left on device")
        super().sys_rename(source, target)


def test_a_key_that_could_not_be_flushed_is_never_used(tmp_path: Path) -> None:
    disk = RefusingDisk()
    store = make(tmp_path / "k", disk)
    lost = store.obtain("subject", "maria", "2026-11")
    disk.refuses = "fdatasync"
    with pytest.raises(NotDurable):
        store.flush()
    disk.refuses = ""
    store.catch_up()
    fresh = store.obtain("subject", "maria", "2026-11")
    assert fresh.id != lost.id
    store.flush(5)
    assert [entry.id for entry in store.unannounced(5)] == [fresh.id]
    assert reopen(tmp_path / "k").key(fresh.id).key == fresh.key
    assert [e.id for e in reopen(tmp_path / "k").entries()] == [fresh.id]


def test_a_destruction_that_failed_is_done_when_asked_again(tmp_path: Path) -> None:
    disk = RefusingDisk()
    store = make(tmp_path / "k", disk)
    maria, tom = issue(store, "maria"), issue(store, "tom")
    disk.refuses = "rename"
    with pytest.raises(NotDurable):
        store.destroy([maria.id])
    assert store.key(maria.id) == maria
    disk.refuses = ""
    assert store.destroy([maria.id]) == [maria.id]
    again = reopen(tmp_path / "k")
    assert again.key(tom.id) == tom
    with pytest.raises(KeyDestroyed):
        again.key(maria.id)


@pytest.mark.parametrize("identity", [4711, None, b"maria", "half a \ud83d smiley", "x" * 70_000])
def test_an_identity_that_no_page_could_hold_is_refused(tmp_path: Path, identity: str) -> None:
    store = make(tmp_path / "k")
    with pytest.raises(UsageError):
        store.obtain("subject", identity, "2026-11")
    tom = issue(store, "tom")
    assert reopen(tmp_path / "k").key(tom.id) == tom


def test_threads_that_catch_up_take_no_key_from_the_thread_that_writes(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            store.catch_up()
            list(store.entries())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        made = [issue(store, f"p{n}") for n in range(150)]
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert list(reopen(tmp_path / "k").entries()) == made


def test_a_key_store_on_a_read_only_medium_opens_for_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maria = issue(make(tmp_path / "k"), "maria")
    really = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(30, "Read-only file system")
        return really(path, flags, mode)

    monkeypatch.setattr("os.open", read_only)
    assert reopen(tmp_path / "k").key(maria.id) == maria
