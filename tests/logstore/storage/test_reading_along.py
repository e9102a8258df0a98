"""Readers beside a writer and an attacker: what they remember, what they read, what they say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.evidence import Evidence, make_evidence
from support.faulty_disk import FaultyDisk, Killed
from support.stores import TestStore, chat, texts

import logstore.storage.reader
from logstore.disk import Disk
from logstore.errors import CannotJudge, QueryRefused, TamperingFound
from logstore.formats.pins import ObjectPin, SegmentPin
from logstore.query.engine import Engine
from logstore.storage.reader import LogReader
from logstore.storage.tail import Tail
from logstore.storage.verifiedfiles import VerifiedFiles

# -- a power cut after a reader saw what its writer had not flushed yet ---------------------------


class PowerCut(FaultyDisk):
    """Lets somebody read when a group is written and not flushed; then the power fails."""

    meanwhile: Callable[[], None] | None = None

    def sys_fdatasync(self, fd: int) -> None:
        act = self.meanwhile
        if act is None or not str(Path(f"/proc/self/fd/{fd}").readlink()).endswith(".wal"):
            super().sys_fdatasync(fd)
            return
        self.meanwhile = None
        act()
        self.dead = True
        self._forget()
        raise Killed


class Unflushable(Disk):
    """Refuses to flush: a reader that may only read, on a file system that says no."""

    def sys_fsync(self, fd: int) -> None:
        raise OSError


@pytest.mark.parametrize("flushes", [True, False])
def test_what_is_remembered_outlives_a_power_cut(tmp_path: Path, *, flushes: bool) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    evidence = Evidence(tmp_path, store.policy())
    disk = PowerCut(tmp_path)
    log = store.open(disk)
    log.append(chat("acknowledged", "anna"))

    def look() -> None:
        report = evidence.verify(
            seen=evidence.seen_path, disk=disk if flushes else Unflushable(), workers=1
        )
        assert report.exit_code == 0

    disk.meanwhile = look
    with pytest.raises(Killed):
        log.append(chat("seen by a reader, acknowledged to nobody", "anna"))
    store.open().close()
    kept = any("seen by a reader" in text for text in texts(store.reader()).values())
    assert kept == flushes, "the reader's flush is what keeps the group"
    after = evidence.verify(seen=evidence.seen_path)
    assert after.exit_code == 0, after.found


def test_a_witness_is_shown_nothing_that_could_be_undone(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat("one", "anna"))
    reader = store.reader()
    assert reader.settle()
    assert not reader.tail.settle(Unflushable())
    wal = next(store.path.rglob("*.wal"))
    os.truncate(wal, wal.stat().st_size - 1)  # as a writer does whose own flush failed
    assert not reader.settle()


# -- a file that is exchanged between check and use ------------------------------------------------


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return make_evidence(tmp_path, segments=2, each=4, tail=1)


def _exchange(path: Path) -> None:
    """Put other rows under a sealed object's name."""
    whole = pq.read_table(path)
    at = whole.schema.get_field_index("kind")
    column = pa.array(["planted"] * len(whole), whole.schema.field(at).type)
    other = path.with_name("other")
    pq.write_table(whole.set_column(at, whole.schema.field(at), column), other)
    other.replace(path)


def test_a_file_exchanged_after_its_check_is_not_read(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = evidence.reader()
    real, swapped = VerifiedFiles.check, []

    def check_then_swap(files: VerifiedFiles, pin: ObjectPin, fd: int) -> None:
        real(files, pin, fd)
        if pin.key not in swapped:
            swapped.append(pin.key)
            path = files.place(pin)
            if pin.key.startswith("index/"):
                _exchange(path)
            else:
                path.with_name("x").write_bytes(b"not even Parquet")
                path.with_name("x").replace(path)

    monkeypatch.setattr(VerifiedFiles, "check", check_then_swap)
    assert "planted" not in reader.table(0, reader.size).column("kind").to_pylist()
    assert len(swapped) == 2
    monkeypatch.setattr(VerifiedFiles, "check", real)
    with pytest.raises(TamperingFound, match="not the file that was sealed"):
        reader.table(0, reader.size)


def test_content_exchanged_after_its_check_is_not_read(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = evidence.reader()
    honest = texts(evidence.reader())
    real = VerifiedFiles.check

    def check_then_swap(files: VerifiedFiles, pin: ObjectPin, fd: int) -> None:
        real(files, pin, fd)
        if pin.key.startswith("body/"):
            path = files.place(pin)
            path.with_name("x").write_bytes(b"not even Parquet")
            path.with_name("x").replace(path)

    monkeypatch.setattr(VerifiedFiles, "check", check_then_swap)
    assert texts(reader) == honest


def test_the_query_engine_reads_only_the_files_that_were_checked(
    evidence: Evidence, tmp_path: Path
) -> None:
    question = "SELECT count(*) FROM interactions"
    reader = evidence.reader(locked=True)
    with Engine.open(reader, work=tmp_path / "work") as engine:
        assert list(engine.sql(question).rows) == [(9,)]
        for pin in reader.pins:
            _exchange(reader.files.place(pin.index))
        # DuckDB asks where an open file lies, and opens none that lies nowhere any more.
        with pytest.raises(QueryRefused, match="disabled"):
            engine.sql(question)
        with pytest.raises(TamperingFound, match="exchanged"):
            engine.refresh()
    with pytest.raises(TamperingFound):
        Engine.open(evidence.reader(locked=True), work=tmp_path / "work")


def test_a_file_written_to_while_it_is_read_is_refused(evidence: Evidence) -> None:
    reader = evidence.reader()
    pin = reader.pins[0]
    with pytest.raises(TamperingFound, match="while it was read"):
        _write_within(reader, pin)


def _write_within(reader: LogReader, pin: SegmentPin) -> None:
    place = reader.files.place(pin.index)
    with reader.index(pin) as path:
        assert path != place
        place.chmod(0o644)
        with place.open("r+b") as file:
            file.write(b"PAR0")


def test_a_link_in_the_place_of_an_object_is_not_followed(evidence: Evidence) -> None:
    reader = evidence.reader()
    place = reader.files.place(reader.pins[0].index)
    elsewhere = place.rename(place.with_name("elsewhere"))
    place.symlink_to(elsewhere)
    with pytest.raises(TamperingFound, match="link"):
        reader.leaves(0, 1)


# -- unsealed records that move away --------------------------------------------------------------


def test_a_reader_says_when_it_can_not_show_the_unsealed_part(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logstore.storage.reader, "_PAUSE_S", 0)
    monkeypatch.setattr(Tail, "refresh", lambda _: False)  # sealed under every look
    with pytest.raises(CannotJudge, match="moved away"):
        evidence.reader()


def test_a_reader_waits_for_a_writer_between_two_files(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = evidence.reader().size
    real, looks = Tail.refresh, []

    def disturbed(tail: Tail) -> bool:
        looks.append(tail)
        return len(looks) > 5 and real(tail)

    monkeypatch.setattr(Tail, "refresh", disturbed)
    assert evidence.reader().size == size


def test_a_reader_names_write_ahead_files_that_are_gone(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logstore.storage.reader, "_PAUSE_S", 0)
    for path in evidence.path.rglob("*.wal"):
        path.unlink()
    with pytest.raises(TamperingFound, match="are gone"):
        evidence.reader()
