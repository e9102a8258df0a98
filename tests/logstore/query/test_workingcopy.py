from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.fake_reader import (
    START_US,
    Entry,
    FakeKeys,
    FakeReader,
    Synthetic,
    chat,
    entry_of,
    reader_of,
)
from support.small_log import small_log

from logstore.query import lockdown
from logstore.query.batches import InProcess, InWorkers
from logstore.query.columns import records_types
from logstore.query.engine import Engine
from logstore.query.lockdown import Protection
from logstore.query.partfile import PartWriter
from logstore.query.parts import GROUP
from logstore.query.recordbatches import record_batches
from logstore.query.tailtable import TailTable

MONTH_US = 31 * 86_400_000_000
SYNTHETIC = Synthetic()

encrypts = pytest.mark.skipif(
    lockdown.extension_path() is None, reason="this DuckDB has no httpfs to encrypt with"
)


def synthetic(directory: Path, size: int, **options: Any) -> FakeReader:
    return FakeReader(SYNTHETIC.entry, size, directory, **options)


def everything(engine: Engine) -> list[tuple[Any, ...]]:
    return list(
        engine.sql("SELECT index, user_id, input_text, content_state FROM interactions").rows
    )


def part_files(work: Path) -> list[str]:
    return sorted(path.name for path in (work / "parts").glob("*.duckdb"))


@pytest.mark.usefixtures("small_parts")
def test_a_second_opening_decrypts_only_what_is_new(opener: Any, tmp_path: Path) -> None:
    reader = synthetic(tmp_path / "e", 200)
    first = opener(reader)
    before = everything(first)
    first.close()
    assert part_files(tmp_path / "work") == ["2026-11.000000000000000-000000000000200.duckdb"]
    reader.opened.clear()
    reader.size = 210
    again = opener(reader)
    assert set(reader.opened) == set(range(200, 210))
    assert everything(again)[:200] == before


@pytest.mark.usefixtures("small_parts")
def test_a_live_tail_reads_only_new_records_and_becomes_parts(opener: Any, tmp_path: Path) -> None:
    reader = synthetic(tmp_path / "e", 30)
    engine = opener(reader)
    for size in range(40, 400, 10):
        reader.opened.clear()
        reader.size = size
        assert engine.refresh() == size
        assert reader.opened == list(range(size - 10, size))
        assert engine.tables.tail_first >= size - 64
    assert len(everything(engine)) == 390
    assert len(part_files(tmp_path / "work")) <= 4


@pytest.mark.usefixtures("small_parts")
def test_months_of_recording_are_separate_files(opener: Any, tmp_path: Path) -> None:
    reader = synthetic(
        tmp_path / "e", 300, recorded_us=lambda index: START_US + index // 100 * MONTH_US
    )
    assert len(everything(opener(reader))) == 300
    assert [name[:7] for name in part_files(tmp_path / "work")] == ["2026-11", "2026-12", "2027-01"]


@pytest.mark.usefixtures("small_parts")
def test_deleting_files_loses_nothing(opener: Any, tmp_path: Path) -> None:
    reader = synthetic(
        tmp_path / "e", 300, recorded_us=lambda index: START_US + index // 100 * MONTH_US
    )
    engine = opener(reader)
    before = everything(engine)
    engine.close()
    (tmp_path / "work" / "parts" / part_files(tmp_path / "work")[1]).unlink()
    reader.opened.clear()
    assert everything(opener(reader)) == before
    assert set(reader.opened) == set(range(100, 200))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    "damage",
    ["garbage", "empty", "flipped", pytest.param("wrong key", marks=encrypts), "other log"],
)
def test_a_part_that_cannot_be_trusted_is_built_again(
    opener: Any, tmp_path: Path, damage: str
) -> None:
    reader = synthetic(tmp_path / "e", 200)
    engine = opener(reader)
    before = everything(engine)
    engine.close()
    path = tmp_path / "work" / "parts" / part_files(tmp_path / "work")[0]
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        path.write_bytes(os.urandom(len(data)))
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        data[4_200] ^= 1
        path.write_bytes(data)
    elif damage == "wrong key":
        reader.keys = FakeKeys(b"two")
    else:
        reader.origin = "example.org/another"
    reader.opened.clear()
    assert everything(opener(reader)) == before
    assert set(reader.opened) == set(range(200))


@pytest.mark.usefixtures("small_parts")
def test_a_crash_while_building_leaves_whole_parts_only(opener: Any, tmp_path: Path) -> None:
    reader = synthetic(
        tmp_path / "e", 300, recorded_us=lambda index: START_US + index // 100 * MONTH_US
    )

    class PowerCut(BaseException):
        pass

    def cut(done: int, _total: int) -> None:
        if done >= 200:
            raise PowerCut

    with pytest.raises(PowerCut):
        opener(reader, on_progress=cut)
    (tmp_path / "work" / "parts" / "2027-01.000-000.duckdb.1.new").write_bytes(b"half")
    assert len(part_files(tmp_path / "work")) == 1
    reader.opened.clear()
    assert len(everything(opener(reader))) == 300
    assert set(reader.opened) == set(range(100, 300))
    assert not list((tmp_path / "work" / "parts").glob("*.new*"))


@pytest.mark.usefixtures("small_parts")
def test_a_crash_between_merging_and_removing_is_harmless(opener: Any, tmp_path: Path) -> None:
    reader = synthetic(tmp_path / "e", 200)
    engine = opener(reader)
    before = everything(engine)
    engine.close()
    parts = tmp_path / "work" / "parts"
    whole = parts / part_files(tmp_path / "work")[0]
    (parts / "2026-11.000000000000000-000000000000100.duckdb").write_bytes(whole.read_bytes())
    (parts / "2026-11.000000000000100-000000000000200.duckdb").write_bytes(b"old")
    assert everything(opener(reader)) == before


@pytest.mark.usefixtures("small_parts")
def test_after_an_erasure_the_period_is_written_anew_without_the_person(
    opener: Any, tmp_path: Path
) -> None:
    entries = [entry_of(chat(f"needle-{at} text", user="maria")) for at in range(200)]
    reader = reader_of(entries, tmp_path / "e")
    engine = opener(reader)
    erased = [Entry(entry.record, "destroyed") for entry in entries[:150]]
    entries[:150] = erased
    (name,) = part_files(tmp_path / "work")
    before = (tmp_path / "work" / "parts" / name).read_bytes()
    assert engine.rebuild("2026-11") == 1
    assert (tmp_path / "work" / "parts" / name).read_bytes() != before
    found = everything(engine)
    assert [row[3] for row in found] == ["destroyed"] * 150 + ["open"] * 50
    assert all(row[1] is None and row[2] is None for row in found[:150])
    assert not engine.tables.maps(engine.tables.parts[0]).candidates(b"needle-149").any()


@pytest.mark.usefixtures("small_parts")
def test_another_process_that_merges_or_rebuilds_is_noticed(tmp_path: Path) -> None:
    reader = synthetic(tmp_path / "e", 100)
    with Engine.open(reader, work=tmp_path / "w") as one:
        other_reader = synthetic(tmp_path / "e", 300)
        with Engine.open(other_reader, work=tmp_path / "w") as other:
            reader.size = 300
            reader.opened.clear()
            assert one.refresh() == 300
            assert reader.opened == []
            assert everything(one) == everything(other)
            other.rebuild("2026-11")
            one.refresh()
            assert everything(one) == everything(other)


@encrypts
def test_files_are_private_and_encrypted(opener: Any, tmp_path: Path) -> None:
    entries = [entry_of(chat(f"plainly visible needle {at}")) for at in range(GROUP)]
    engine = opener(reader_of(entries, tmp_path / "e"))
    engine.close()
    directory = tmp_path / "work" / "parts"
    assert directory.stat().st_mode & 0o777 == 0o700
    (name,) = part_files(tmp_path / "work")
    assert (directory / name).stat().st_mode & 0o777 == 0o600
    assert engine.protection.encrypted
    assert b"plainly visible" not in (directory / name).read_bytes()
    with pytest.raises(duckdb.Error):
        duckdb.connect().execute(f"ATTACH '{directory / name}' AS p (READ_ONLY)")


def test_where_nothing_can_encrypt_the_protection_says_so(
    opener: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockdown, "extension_path", lambda: None)
    entries = [entry_of(chat(f"needle {at}", user="u")) for at in range(GROUP)]
    engine = opener(reader_of(entries, tmp_path / "e"))
    assert not engine.protection.encrypted
    assert "NOT encrypted" in engine.protection.words
    assert len(everything(engine)) == GROUP


def test_a_refused_extension_is_no_protection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = tmp_path / "httpfs.duckdb_extension"
    forged.write_bytes(b"not signed")
    monkeypatch.setattr(lockdown, "extension_path", lambda: forged)
    _, protection = lockdown.instance(threads=1, memory="100MB")
    assert protection == Protection(False, protection.words)


def test_worker_processes_decode_the_same_as_this_one(tmp_path: Path) -> None:
    reader = reader_of(small_log(), tmp_path / "e")
    here = list(record_batches(reader, 0, 10, InProcess()))
    workers = InWorkers(1)
    there = list(record_batches(reader, 0, 10, workers))
    workers.close()
    assert [batch.to_pydict() for batch in here] == [batch.to_pydict() for batch in there]


def test_few_records_in_memory_are_the_same_as_many(tmp_path: Path) -> None:
    reader = synthetic(tmp_path / "evidence", 40)
    (whole,) = record_batches(reader, 0, 40, InProcess())
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE SCHEMA base")
    at_once = TailTable(connection, records_types(), 0)
    at_once.extend([whole])
    one_by_one = TailTable(connection, records_types(), 0)
    one_by_one.extend(whole.slice(row, 1) for row in range(40))
    assert one_by_one.end == at_once.end == 40
    assert one_by_one.to_arrow().equals(at_once.to_arrow())
    connection.close()


def test_bytes_that_no_decoder_reads_can_still_be_found(opener: Any, tmp_path: Path) -> None:
    from logstore.formats import body as bodies
    from logstore.formats.record import Record

    content = bodies.encode(bodies.Body(raw=b"{broken \xff needle-7731", format="aircon"))
    unknown = bodies.encode(bodies.Body(raw=b"needle-7731 too", format="from.the.future"))
    entries = [Entry(Record("interaction", "t", content=each)) for each in (content, unknown)]
    engine = opener(reader_of(entries, tmp_path / "e"))
    found = engine.sql(
        "SELECT index, content_state FROM interactions WHERE contains(input_text, 'needle-7731')"
    )
    assert list(found.rows) == [(0, "undecoded"), (1, "undecoded")]


def test_clear_facts_of_a_shape_that_had_to_be_hidden_are_columns_again(
    opener: Any, tmp_path: Path
) -> None:
    call = chat("x", application="Support Desk (EU)", document_ids=["a page with spaces"])
    engine = opener(reader_of([entry_of(call)], tmp_path / "e"))
    found = engine.sql("SELECT application, document_ids FROM interactions")
    assert list(found.rows) == [("Support Desk (EU)", ["a page with spaces"])]


def test_lone_surrogates_do_not_stop_a_build(tmp_path: Path) -> None:
    from logstore.formats.body import Body
    from logstore.query.batches import content_batch

    broken = chat("bad \ud800 sign", user="u\udfff")
    batch = content_batch([("open", Body(format="x"))], {"x": lambda _raw: broken})
    assert batch.column("input_text").to_pylist() == ["bad ? sign"]


@pytest.mark.usefixtures("small_parts")
def test_a_failed_write_leaves_the_writer_usable(tmp_path: Path) -> None:
    from logstore.query.parts import Part

    reader = synthetic(tmp_path / "e", 50)
    writer = PartWriter(tmp_path, None, threads=1, memory="500MB")

    def broken() -> Any:
        yield from list(record_batches(reader, 0, 20, InProcess()))
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        writer.write(Part(0, 50, "2026-11"), broken(), {})
    assert not list(tmp_path.glob("*.duckdb*"))
    writer.write(Part(0, 50, "2026-11"), record_batches(reader, 0, 50, InProcess()), {"a": "b"})
    writer.close()
    assert [path.name for path in tmp_path.glob("*.duckdb*")] == [Part(0, 50, "2026-11").file_name]
