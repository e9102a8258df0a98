"""The spool on disk: every cut, zero and flip of it, its key, and disks that fail."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.capture.sending import spool as spooling
from logstore.capture.sending.lanes import take_lane
from logstore.capture.sending.spool import Spool
from logstore.capture.sending.spoolfile import HEADER, SpoolReader, SpoolWriter, Waiting
from logstore.capture.sending.spoolkey import spool_key
from logstore.errors import KeyUnavailable, UsageError

KEY = bytes(range(32))
RECORDS = [Waiting("py-1", number, f"record {number}".encode()) for number in range(4)]


def written(path: Path, records: list[Waiting] = RECORDS) -> bytes:
    writer = SpoolWriter(path, KEY)
    for record in records:
        writer.add(record)
    writer.sync()
    writer.close()
    return path.read_bytes()


def read(path: Path, key: bytes = KEY) -> tuple[list[Waiting], bool]:
    reader = SpoolReader(path, key)
    found = list(iter(reader.next, None))
    reader.close()
    return found, reader.damaged


def drained(spool: Spool) -> list[Waiting]:
    found: list[Waiting] = []
    while (parcel := spool.head()) is not None:
        assert spool.head() is parcel  # the same request until it is done
        for place, raw in enumerate(parcel.records):
            found.append(Waiting(parcel.source, parcel.sequence + place, raw))
        spool.done()
    return found


def test_a_file_cut_anywhere_gives_its_whole_frames(tmp_path: Path) -> None:
    whole = written(tmp_path / "1.spool")
    for size in range(HEADER, len(whole)):
        (tmp_path / "1.spool").write_bytes(whole[:size])
        found, damaged = read(tmp_path / "1.spool")
        assert found == RECORDS[: len(found)]
        assert not damaged
        (tmp_path / "1.spool").write_bytes(whole[:size] + bytes(len(whole) - size))
        found, _ = read(tmp_path / "1.spool")
        assert found == RECORDS[: len(found)]


def test_a_byte_flipped_anywhere_gives_nothing_wrong(tmp_path: Path) -> None:
    whole = written(tmp_path / "1.spool")
    for at in [*range(8, 40), *range(HEADER, len(whole))]:
        (tmp_path / "1.spool").write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
        found, _ = read(tmp_path / "1.spool")
        assert found == RECORDS[: len(found)]
        assert len(found) < len(RECORDS)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_bytes_of_somebody_else_are_read_as_nothing(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.mktemp("spool") / "1.spool"
    path.write_bytes(b"AIRSPL1\n" + bytes(32) + data)
    try:
        assert read(path)[0] == []
    except ValueError:
        assert len(data) < 8


def test_what_was_acknowledged_is_not_given_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, KEY, 2**20)
    for record in RECORDS:
        assert spool.add(record)
    assert spool.head() is not None
    spool.done()
    for record in [Waiting("py-2", 9, b"x"), Waiting("py-2", 11, b"after a gap")]:
        spool.add(record)
    parcel = spool.head()
    assert parcel is not None
    assert (parcel.source, parcel.sequence, parcel.records) == ("py-2", 9, (b"x",))
    spool.done()
    spool.abandon()  # as a crash would leave it
    again = Spool(tmp_path, KEY, 2**20)
    assert drained(again) == [Waiting("py-2", 11, b"after a gap")]
    again.close()


def test_records_go_through_many_files_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "FILE_BYTES", 1000)
    records = [Waiting("py-1", number, os.urandom(100)) for number in range(100)]
    spool = Spool(tmp_path, KEY, 2**20)
    for record in records:
        spool.add(record)
    assert len(list(tmp_path.rglob("*.spool"))) > 10
    assert drained(spool) == records
    spool.close()
    assert list(tmp_path.rglob("*.spool")) == []
    assert spool.used == 0


def test_files_of_another_key_are_put_aside_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, KEY, 2**20)
    for record in RECORDS:
        spool.add(record)
    spool.close()
    other = Spool(tmp_path, bytes(32), 2**20)
    other.add(RECORDS[0])
    assert drained(other) == [RECORDS[0]]
    assert other.damaged == 1
    other.close()
    assert "put aside" in caplog.text
    (aside,) = tmp_path.rglob("*.aside")
    assert read(aside)[0] == RECORDS


def test_a_disk_that_fails_drops_counts_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, KEY, 2**20)
    assert spool.add(RECORDS[0])

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        assert not spool.add(RECORDS[1])
        assert not spool.add(RECORDS[1])
    with monkeypatch.context() as patched:
        write = os.write
        patched.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
        assert not spool.add(RECORDS[1])
    assert spool.add(RECORDS[2])
    assert spool.dropped == 3
    assert "No space left" in caplog.text
    assert drained(spool) == [RECORDS[0], RECORDS[2]]
    assert spool.damaged == 0
    spool.close()


def test_a_file_the_disk_does_not_give_back_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, KEY, 2**20)
    for record in RECORDS:
        spool.add(record)
    read_at = os.pread

    def broken(fd: int, size: int, at: int) -> bytes:
        if at > HEADER + 100:
            raise OSError(5, "Input/output error")
        return read_at(fd, size, at)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", broken)
        found = drained(spool)
    assert 0 < len(found) < len(RECORDS)
    assert found == RECORDS[: len(found)]
    assert spool.damaged == 1
    spool.close()
    (aside,) = tmp_path.rglob("*.aside")
    assert read(aside)[0] == RECORDS[len(found) :]  # for whoever can read it


def test_lanes_that_nobody_holds_are_taken_over(tmp_path: Path) -> None:
    first, second = Spool(tmp_path, KEY, 2**20), Spool(tmp_path, KEY, 2**20)
    first.add(RECORDS[0])
    second.add(RECORDS[1])
    second.close()
    third = Spool(tmp_path, KEY, 2**20)
    assert drained(third) == [RECORDS[1]]
    first.close()
    third.close()
    lane = take_lane(tmp_path)
    assert lane.path.name == "lane-0000"
    assert len(lane.files()) == 1
    lane.release()


def test_the_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    key = spool_key(spool, None)
    assert spool_key(spool, None) == key
    path = tmp_path / "spool.key"
    path.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="read by others"):
        spool_key(spool, None)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(KeyUnavailable, match="damaged"):
        spool_key(spool, None)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    with pytest.raises(KeyUnavailable, match="can not be read"):
        spool_key(spool, None)


def test_the_key_may_come_from_the_caller_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spool_key(tmp_path, KEY) == KEY
    with pytest.raises(UsageError, match="32 bytes"):
        spool_key(tmp_path, b"short")
    with pytest.raises(UsageError, match="inside the spool"):
        spool_key(tmp_path, tmp_path / "key")
    assert len(spool_key(tmp_path / "spool", tmp_path / "my.key")) == 32
    monkeypatch.setenv("AIRCON_SPOOL_KEY", KEY.hex())
    assert spool_key(tmp_path / "spool", None) == KEY
    monkeypatch.setenv("AIRCON_SPOOL_KEY", "not hex")
    with pytest.raises(UsageError, match="64 hex digits"):
        spool_key(tmp_path / "spool", None)
