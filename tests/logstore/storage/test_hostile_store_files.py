"""Links and odd files that somebody planted in a store directory harm nothing outside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.stores import ORIGIN, TestStore, chat, texts

from logstore.disk import AlreadyThere, Disk, lock_file
from logstore.errors import AirconError, TamperingFound
from logstore.formats.pins import ObjectPin
from logstore.storage import layout
from logstore.storage.blobs import LocalBlobs
from logstore.storage.clock import SystemClock


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat("hello", "maria"))
    return store


def places(store: TestStore) -> list[Path]:
    return [store.path, next((store.path / "log").iterdir()), next((store.path / "wal").iterdir())]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["store", "log", "wal"])
def test_cleaning_up_never_overwrites_what_a_planted_link_points_to(
    store: TestStore, place: int
) -> None:
    precious = store.base / "precious.txt"
    precious.write_text("not aircon's")
    (places(store)[place] / ".evil.tmp").symlink_to(precious)
    (places(store)[place] / ".gone.tmp").symlink_to(store.base / "nowhere")
    os.mkfifo(places(store)[place] / ".pipe.tmp")
    store.open().close()
    assert precious.read_text() == "not aircon's"
    assert not list(places(store)[place].glob(".*.tmp"))


def open_and_seal(store: TestStore) -> None:
    with store.open() as log:
        log.append(chat("x", "maria"))
        log.seal()


@pytest.mark.parametrize("name", ["writer.lock", "seal.lock"])
def test_a_lock_file_that_is_a_link_is_refused_and_creates_nothing(
    store: TestStore, name: str
) -> None:
    lock = places(store)[2] / name
    lock.unlink(missing_ok=True)
    lock.symlink_to(store.base / "made-elsewhere")
    with pytest.raises(AirconError, match=name):
        open_and_seal(store)
    assert not (store.base / "made-elsewhere").exists()


def test_an_interrupted_wait_for_a_lock_leaves_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(fd: int, operation: int) -> None:
        raise KeyboardInterrupt

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("logstore.disk.fcntl.flock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lock_file(tmp_path / "lock", wait=True)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_name_that_exists_already_is_flushed_before_anybody_relies_on_it(tmp_path: Path) -> None:
    flushed: list[Path] = []

    class Watched(Disk):
        def sys_fsync_dir(self, path: Path) -> None:
            flushed.append(path)
            super().sys_fsync_dir(path)

    disk = Watched(immutable=False)
    (tmp_path / "a").mkdir()
    os.link(disk.stage(tmp_path / "a" / "x", b"1"), tmp_path / "a" / "x")  # and died here
    with pytest.raises(AlreadyThere):
        disk.create(tmp_path / "a" / "x", b"1")
    assert tmp_path / "a" in flushed
    flushed.clear()
    disk.make_directory(tmp_path / "a")
    assert flushed == [tmp_path]


def test_a_store_with_blanks_and_other_scripts_in_its_path_works(tmp_path: Path) -> None:
    store = TestStore(tmp_path / "mit Leerzeichen ünd 日本")
    store.base.mkdir()
    with store.create() as log:
        log.append(chat("hello", "maria"))
        log.seal()
    assert list(texts(store.reader()).values()) == ["hello"]


@pytest.mark.parametrize(
    "key", ["../secret", "index/../../secret", "/etc/passwd", "index//x", "index/./x", "a\0b", ""]
)
def test_no_name_of_an_object_leads_out_of_the_store(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_text("not of this store")
    blobs = LocalBlobs(tmp_path / "evidence", Disk(immutable=False))
    with pytest.raises(TamperingFound, match="not the name"):
        blobs.path(ObjectPin(key, 1, "00" * 32, "", 0))
    with pytest.raises(TamperingFound, match="not the name"):
        blobs.publish(key, tmp_path / "secret", 0)
    assert (tmp_path / "secret").read_text() == "not of this store"


@pytest.mark.parametrize("kind", ["link", "endless", "pipe"])
@pytest.mark.parametrize("place", ["seal", "wal"])
def test_a_reader_neither_follows_nor_waits_for_odd_files(
    store: TestStore, kind: str, place: str
) -> None:
    reader = store.reader()
    if place == "seal":
        odd = store.path / layout.seal_object(ORIGIN, 0, 3)
        odd.parent.mkdir(parents=True)
    else:
        odd = max((store.path / "wal").rglob("*.wal"))
        odd.rename(store.base / "aside")
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero" if kind == "endless" else store.base / "aside")
    if place == "seal" and kind == "pipe":
        reader.refresh()
        return  # not even listed
    with pytest.raises(TamperingFound, match="link or a special file"):
        reader.refresh()
    with pytest.raises(TamperingFound, match="link or a special file"):
        store.reader()
    with pytest.raises((TamperingFound, AirconError)):
        store.open()


def test_sealing_does_not_wait_for_a_pipe_in_the_place_of_its_object(store: TestStore) -> None:
    with store.open() as log:
        now = SystemClock().wall_us()
        odd = store.path / layout.index_object(ORIGIN, 0, log.size, now)  # easy to guess
        odd.parent.mkdir(parents=True)
        os.mkfifo(odd)
        with pytest.raises(TamperingFound, match="special file"):
            log.seal()
        odd.unlink()
        assert len(log.seal()) == 1


def test_a_description_of_a_log_is_neither_endless_nor_a_link(store: TestStore) -> None:
    described = next((store.path / "log").iterdir()) / "log.json"
    described.unlink()
    described.symlink_to("/dev/zero")
    with pytest.raises(TamperingFound, match="link or a special file"):
        store.reader()


def test_unsealed_content_stays_readable_when_another_process_destroys_a_key(
    store: TestStore,
) -> None:
    with store.open() as log:
        log.append(chat("about tom", "tom"))
    reader = store.reader()
    other = store.keys()
    other.destroy([key.id for key in other.keys_of("tom")])
    other.tidy()
    assert list(texts(reader).values()) == ["hello"]
