"""What an open log does when a disk refuses, a file is damaged, or a store is not whole."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from support.stores import OPTIONS, ORIGIN, TestStore, chat, texts

from logstore.disk import Disk
from logstore.errors import AirconError, NotDurable, TamperingFound
from logstore.formats.record import Record
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.storage.log import Log


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    return TestStore(tmp_path)


class RefusingDisk(Disk):
    """Refuses the next flush of appended data when told to."""

    refuses = False

    def sys_fdatasync(self, fd: int) -> None:
        if self.refuses:
            self.refuses = False
            raise OSError(5, "Input/output error")
        super().sys_fdatasync(fd)


def wal_of(store: TestStore) -> Path:
    return max((store.path / "wal").rglob("*.wal"))


def test_a_record_is_acknowledged_only_under_keys_that_are_on_disk(store: TestStore) -> None:
    disk = RefusingDisk(immutable=False)
    acknowledged = {}
    keys = KeyStore.create(store.keys_path, NoHolder(), origin=ORIGIN, disk=disk)
    with Log.create(store.path, keys, options=OPTIONS) as log:
        disk.refuses = True
        with pytest.raises(NotDurable):
            log.append(chat("first", "maria"))
        with contextlib.suppress(NotDurable):  # stopped until reopened: as good
            acknowledged[log.append(chat("second", "maria")).index] = "second"
    with store.open() as log:
        acknowledged[log.append(chat("third", "maria")).index] = "third"
        log.seal()
    assert texts(store.reader()) == acknowledged


def test_a_group_whose_flush_failed_is_not_there_for_whoever_opens_next(store: TestStore) -> None:
    disk = RefusingDisk(immutable=False)
    log = store.create(disk)
    log.append(chat("known", "u"))
    before = wal_of(store).read_bytes()
    disk.refuses = True
    with pytest.raises(NotDurable):
        log.append(chat("doubtful", "u"))
    assert wal_of(store).read_bytes() == before
    log.close()


def test_a_running_writer_does_not_cut_away_damage_before_whole_groups(store: TestStore) -> None:
    mine = store.create()
    mine.append(chat("one", "u"))
    offset = wal_of(store).stat().st_size
    with store.open() as other:
        for n in range(3):
            other.append(chat(f"other {n}", "u"))
    data = bytearray(wal_of(store).read_bytes())
    data[offset + 40] ^= 1
    wal_of(store).write_bytes(data)
    with pytest.raises(TamperingFound, match="damaged"):
        mine.append(chat("two", "u"))
    assert wal_of(store).read_bytes() == bytes(data), "acknowledged records were cut away"
    mine.close()


def test_a_damaged_last_group_is_kept_when_the_key_store_remembers_it(store: TestStore) -> None:
    with store.create() as log:
        log.append(chat("one", "u"))
        log.append(chat("two", "u"))
    data = bytearray(wal_of(store).read_bytes())
    data[-5] ^= 1
    wal_of(store).write_bytes(data)
    with pytest.raises(TamperingFound, match="Nothing|saw it sign"):
        store.open()
    assert wal_of(store).read_bytes() == bytes(data), "evidence was cut before it was judged"


def test_write_ahead_keys_outlive_a_store_that_is_not_whole(store: TestStore) -> None:
    with store.create() as log:
        index = log.append(chat("unsealed", "u")).index
    aside = store.base / "aside.wal"
    shutil.move(wal_of(store), aside)
    name = "000000000000.wal"
    with pytest.raises(TamperingFound):
        store.open()
    shutil.move(aside, next((store.path / "wal").iterdir()) / name)
    store.open().close()
    assert texts(store.reader()) == {index: "unsealed"}


def test_a_record_that_only_mentions_a_destroyed_key_destroys_nothing(store: TestStore) -> None:
    with store.create() as log:
        index = log.append(chat("still here", "maria")).index
        maria = log.keys.keys_of("maria")[0]
        log.append(Record("note", "test", clear={"kind": "key.destroyed", "key": maria.id}))
        log.append(Record("note", "test", clear={"kind": "key.destroyed"}))
        log.seal()
        log.append(Record("note", "test", clear={"kind": "key.destroyed", "key": maria.id}))
    store.open().close()
    assert texts(store.reader()) == {index: "still here"}


@pytest.mark.parametrize(
    "record",
    [
        Record("key.destroyed", "test"),
        Record("key.destroyed", "test", clear={"key": 5}),
        Record("segment.sealed", "test"),
        Record("supplement.sealed", "test"),
        Record("segment.sealed", "test", clear={"first": 0}),
        Record("note", "test", time_us=2**63),
        Record("note", "test", time_us=-(2**63) - 1),
        Record("note", "test", time_us=True),
        Record("note", "test", time_us=1.5),  # type: ignore[arg-type]
        Record("note", "test", seq=2**64 - 1),
        Record("note", 5),  # type: ignore[arg-type]
        Record(None, "test"),  # type: ignore[arg-type]
        Record("note", "test", by=b"x"),  # type: ignore[arg-type]
        Record("note", "half a \ud83d smiley"),
        Record("note", "test", clear={"service.name": 5}),
        Record("interaction", "test", clear={"gen_ai.usage.input_tokens": "many"}),
        Record("interaction", "test", clear={"gen_ai.usage.input_tokens": 2**63}),
        Record("interaction", "test", clear={"gen_ai.usage.input_tokens": True}),
        Record("interaction", "test", clear={"aircon.tool.names": "one"}),
        Record("interaction", "test", clear={"aircon.tool.names": ["one", None]}),
        Record("interaction", "test", clear={"aircon.cost_usd": float("nan")}),
        Record("interaction", "test", clear={"service.name": "maria@example.org wrote this"}),
        Record("interaction", "test", content=b"x", subjects="maria"),  # type: ignore[arg-type]
        Record("interaction", "test", content=b"x", subjects=(5,)),  # type: ignore[arg-type]
        Record("interaction", "test", content=b"x", subjects=([],)),  # type: ignore[arg-type]
        Record("interaction", "test", content=b"x", subjects=("a\ud800",)),
        Record("interaction", "test", content=b"x", conversation=7),  # type: ignore[arg-type]
        Record("interaction", "test", content=b"x", session=7),  # type: ignore[arg-type]
        Record("interaction", "test", content="text"),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_no_record_can_stop_sealing_reading_or_opening(store: TestStore, record: Record) -> None:
    with store.create() as log:
        log.append_batch([chat("one", "a"), record, chat("two", "b")])
        with pytest.raises(AirconError):
            log.append(record)
        assert store.reader().table(0, 100).num_rows == log.size
        log.seal()
    with store.open() as log:
        log.append(chat("three", "a"))
    reader = store.reader()
    assert reader.table(0, 100).num_rows == reader.size
    assert list(texts(reader).values()) == ["one", "two", "three"]


def test_records_about_hundreds_of_new_people_are_stored(store: TestStore) -> None:
    crowd = tuple(f"person {n}" for n in range(800))
    with store.create() as log:
        index = log.append(chat("a town meeting", *crowd)).index
        batch = [chat(f"{n}", *(f"{n}/{m}" for m in range(32))) for n in range(100)]
        log.append_batch(batch)
        log.seal()
    found = texts(store.reader())
    assert found[index] == "a town meeting"
    assert len(found) == 101


@pytest.mark.parametrize("time_us", [-(2**63), -1, 0, 10**18, 2**63 - 1])
def test_any_time_a_source_may_state_is_kept(store: TestStore, time_us: int) -> None:
    record = chat("when?", "maria", time_us=time_us)
    with store.create() as log:
        index = log.append(record).index
        log.seal()
    reader = store.reader()
    assert texts(reader) == {index: "when?"}
    assert reader.table(index, 1).column("time_us").to_pylist() == [time_us]
