"""A12 and its kin: whoever can sign and pin still can not make columns, chain or bodies lie."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.evidence import Evidence, make_evidence, named
from support.stores import TestStore, chat

import logstore.storage.encoding
from logstore.formats.leaf import Leaf
from logstore.formats.leaf import encode as encode_leaf
from logstore.formats.record import Record
from logstore.storage.indexing import IndexBuilder
from logstore.storage.segment import BlockBuilder
from logstore.verify.findings import Report

MARK = 0x1122334455667788 >> 3
"""A sequence number whose bytes stand nowhere else."""


def sealed(base: Path) -> Evidence:
    """A store sealed by whoever holds the key, with one record that has a telling number."""
    base.mkdir(parents=True, exist_ok=True)
    with TestStore(base).create() as log:
        for number in range(4):
            log.append(chat(f"question {number}", f"user-{number % 2}"))
        log.append(chat("telling", "user-0", seq=MARK))
        log.seal()
    return Evidence(base, TestStore(base).policy())


@pytest.fixture
def forge_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[bytes], bytes]], Evidence]:
    def forge(change: Callable[[bytes], bytes]) -> Evidence:
        finish = IndexBuilder.finish
        monkeypatch.setattr(
            IndexBuilder, "finish", lambda builder: memoryview(change(bytes(finish(builder))))
        )
        return sealed(tmp_path)

    return forge


@pytest.fixture
def forge_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[bytes], bytes]], Evidence]:
    def forge(change: Callable[[bytes], bytes]) -> Evidence:
        finish = BlockBuilder.finish

        def made(*given: Any) -> memoryview | None:
            data = finish(*given)
            return None if data is None else memoryview(change(bytes(data)))

        monkeypatch.setattr(BlockBuilder, "finish", made)
        return sealed(tmp_path)

    return forge


@pytest.fixture
def forge_leaf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Leaf], bytes]], Evidence]:
    def forge(change: Callable[[Leaf], bytes]) -> Evidence:
        monkeypatch.setattr(logstore.storage.encoding, "encode", change)
        return sealed(tmp_path)

    return forge


def rewritten(data: bytes, change: Callable[[pa.Table], pa.Table], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    table = change(pq.read_table(pa.BufferReader(data)))
    pq.write_table(table, sink, store_schema=False, compression="zstd", **options)
    return sink.getvalue().to_pybytes()


def replaced(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(
        at, table.schema.field(at), pa.array(values, table.schema.field(at).type)
    )


def at_fault(report: Report, code: str, evidence: Evidence, kind: str = "index/") -> int | None:
    assert report.exit_code == 1
    found = named(report, code)
    assert found.file == evidence.one(kind)
    return found.index


def test_the_forger_s_own_tools_write_honest_files(
    forge_index: Callable[[Callable[[bytes], bytes]], Evidence],
) -> None:
    evidence = forge_index(lambda data: rewritten(data, lambda table: table))
    assert evidence.verify(keys=evidence.keys()).exit_code == 0


def test_a_changed_column_beside_an_intact_leaf_is_named(forge_index: Any) -> None:
    def lie(table: pa.Table) -> pa.Table:
        models = table.column("request_model").to_pylist()
        models[3] = "someone-elses-model"
        return replaced(table, "request_model", models)

    evidence = forge_index(lambda data: rewritten(data, lie))
    report = evidence.verify()
    assert at_fault(report, "column-changed", evidence) == 3
    assert "request_model" in named(report, "column-changed").what
    assert report.codes() == {"column-changed"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "00000000-0000-7000-8000-000000000000"), ("kind", "interaction "), ("time_us", 1),
        ("seq", None), ("subjects", ["0" * 32]), ("input_tokens", None), ("body_len", 0),
        ("index", 9), ("temperature", 0.0), ("stream", True), ("tool_names", ["rm"]),
    ],
)  # fmt: skip
def test_no_column_may_differ_by_one_cell(forge_index: Any, column: str, value: object) -> None:
    def lie(table: pa.Table) -> pa.Table:
        cells = table.column(column).to_pylist()
        cells[-1] = value
        return replaced(table, column, cells)

    evidence = forge_index(lambda data: rewritten(data, lie))
    assert at_fault(evidence.verify(), "column-changed", evidence) == 7


def test_a_hidden_row_is_named(forge_index: Any) -> None:
    evidence = forge_index(lambda data: rewritten(data, lambda table: table.slice(0, 6)))
    report = evidence.verify()
    assert at_fault(report, "index-malformed", evidence) == 0
    assert named(report, "root-wrong").file == evidence.one("index/")


def test_a_dropped_row_group_is_named(forge_index: Any) -> None:
    def drop(table: pa.Table) -> pa.Table:
        return pa.concat_tables([table.slice(0, 2), table.slice(4)])

    evidence = forge_index(lambda data: rewritten(data, drop, row_group_size=2))
    report = evidence.verify()
    assert at_fault(report, "index-wrong", evidence) == 2
    assert at_fault(report, "chain-broken", evidence) == 2


def test_a_row_shown_twice_is_named(forge_index: Any) -> None:
    def twice(table: pa.Table) -> pa.Table:
        return pa.concat_tables([table, table.slice(6)])

    evidence = forge_index(lambda data: rewritten(data, twice))
    assert at_fault(evidence.verify(), "index-malformed", evidence) == 0


def test_rows_in_another_order_are_named(forge_index: Any) -> None:
    def swap(table: pa.Table) -> pa.Table:
        return table.take([0, 1, 3, 2, 4, 5, 6])

    evidence = forge_index(lambda data: rewritten(data, swap))
    assert at_fault(evidence.verify(), "index-wrong", evidence) == 2


def test_junk_before_the_footer_is_named(forge_index: Any) -> None:
    def stuff(data: bytes) -> bytes:
        footer = len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]
        return data[:footer] + b"smuggled" + data[footer:]

    evidence = forge_index(stuff)
    pq.read_table(evidence.path / evidence.one("index/"))  # other readers do not mind
    report = evidence.verify()
    assert at_fault(report, "index-malformed", evidence) == 0
    assert "footer" in named(report, "index-malformed").what


@pytest.mark.parametrize("option", ["write_page_index", "write_page_checksum"])
def test_page_indexes_that_could_hide_rows_are_refused(forge_index: Any, option: str) -> None:
    evidence = forge_index(lambda data: rewritten(data, lambda table: table, **{option: True}))
    report = evidence.verify()
    assert (report.exit_code == 1) == (option == "write_page_index"), report.found


def test_false_statistics_that_would_hide_a_row_are_named(forge_index: Any) -> None:
    """DuckDB skips row groups on the footer's word: then a query would not see the record."""
    true, false = struct.pack("<q", MARK), struct.pack("<q", 5)

    def lower(data: bytes) -> bytes:
        footer = len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]
        assert data.count(true, footer) >= 2
        return data[:footer] + data[footer:].replace(true, false)

    evidence = forge_index(lower)
    path = evidence.path / evidence.one("index/")
    assert pq.read_table(path, filters=[("seq", "=", MARK)]).num_rows == 0, "the row is hidden"
    report = evidence.verify()
    assert report.codes() == {"statistics-false"}
    assert "seq" in named(report, "statistics-false").what


def test_another_schema_or_metadata_is_named(forge_index: Any) -> None:
    def more(table: pa.Table) -> pa.Table:
        return table.append_column("view", pa.array(["hidden"] * len(table)))

    evidence = forge_index(lambda data: rewritten(data, more))
    assert at_fault(evidence.verify(), "index-malformed", evidence) == 0


def test_an_index_object_that_is_no_parquet_at_all_is_named(forge_index: Any) -> None:
    evidence = forge_index(lambda _: b"PAR1 nothing like it PAR1")
    assert at_fault(evidence.verify(), "index-malformed", evidence) == 0


# -- leaves that the log's own key signed ----------------------------------------------------------


def told(at: int, /, **changes: object) -> Callable[[Leaf], bytes]:
    def change(leaf: Leaf) -> bytes:
        if leaf.index == at:
            leaf = msgspec.structs.replace(leaf, **changes)
        return encode_leaf(leaf)

    return change


def test_a_signed_record_that_breaks_the_chain_is_named(forge_leaf: Any) -> None:
    evidence = forge_leaf(told(4, prev=bytes(32)))
    report = evidence.verify()
    assert at_fault(report, "chain-broken", evidence) == 4
    assert report.codes() == {"chain-broken"}


def test_a_signed_record_with_the_wrong_index_is_named(forge_leaf: Any) -> None:
    evidence = forge_leaf(told(4, index=3))
    assert at_fault(evidence.verify(), "index-wrong", evidence) == 4


def test_a_signed_leaf_with_a_duplicate_member_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def twice(leaf: Leaf) -> bytes:
        data = encode_leaf(leaf)
        return data if leaf.index != 4 else data.replace(b'{"v":1,', b'{"v":1,"v":1,')

    monkeypatch.setattr(logstore.storage.encoding, "encode", twice)
    store = TestStore(tmp_path)
    with store.create() as log:
        for number in range(4):
            log.append(chat(f"question {number}", "user-0"))
    evidence = Evidence(tmp_path, store.policy())
    report = evidence.verify()
    found = named(report, "leaf-malformed")
    assert (found.index, found.file) == (
        4,
        next(k for k in evidence.files("wal/") if k.endswith(".wal")),
    )
    assert report.exit_code == 1


@pytest.mark.parametrize("spelled", [b'{"v": 1,', b'{"v":1.0,', b'{"v":1,"extra":0,', b'{"v":2,'])
def test_other_spellings_of_a_leaf_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spelled: bytes
) -> None:
    monkeypatch.setattr(
        logstore.storage.encoding,
        "encode",
        lambda leaf: encode_leaf(leaf).replace(
            b'{"v":1,', spelled if leaf.index == 2 else b'{"v":1,'
        ),
    )
    store = TestStore(tmp_path)
    with store.create() as log:
        for number in range(3):
            log.append(chat(f"question {number}", "user-0"))
    assert named(Evidence(tmp_path, store.policy()).verify(), "leaf-malformed").index == 2


def test_a_key_that_no_record_announced_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(logstore.storage.encoding, "_batches", lambda _: [])
    evidence = sealed(tmp_path)
    assert at_fault(evidence.verify(), "key-not-announced", evidence) == 1


def test_a_key_other_than_the_one_committed_to_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = hashlib.sha256(b"another key").hexdigest()
    monkeypatch.setattr(logstore.storage.encoding, "commitment", lambda _: other)
    evidence = sealed(tmp_path)
    assert evidence.verify().exit_code == 0, "without the keys nobody can tell"
    assert at_fault(evidence.verify(keys=evidence.keys()), "key-mismatch", evidence) == 1


@pytest.mark.parametrize(
    ("kind", "clear"),
    [
        ("key.created", {}),
        ("key.created", {"keys": "many"}),
        ("key.created", {"keys": [{"id": 3}]}),
        ("key.created", {"keys": [{"id": "0" * 32, "commitment": "short"}]}),
        ("key.destroyed", {"key": "../../etc/passwd"}),
        ("segment.sealed", {"first": -1}),
        ("log.created", {}),
    ],
)
def test_a_system_record_that_is_not_what_its_kind_says_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, clear: dict[str, object]
) -> None:
    monkeypatch.setattr(logstore.storage.encoding, "encode", told(3, kind=kind, clear=clear))
    store = TestStore(tmp_path)
    with store.create() as log:
        for number in range(3):
            log.append(chat(f"question {number}", "user-0"))
    report = Evidence(tmp_path, store.policy()).verify()
    assert report.exit_code == 1
    assert named(report, "record-malformed").index == 3


def test_a_key_announced_a_second_time_is_named(tmp_path: Path) -> None:
    """Two commitments to one id would let an operator choose the key, and so the text, later."""
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat("question", "user-0"))
        entry = log.keys.keys_of("user-0")[0]
        again = {"keys": [{"id": entry.id, "commitment": "0" * 64}]}
        second = log.append(Record("key.created", "aircon", clear=again)).index
    report = Evidence(tmp_path, store.policy()).verify()
    assert named(report, "key-announced-twice").index == second


# -- bodies ----------------------------------------------------------------------------------------


def test_a_body_left_out_of_its_object_is_named(forge_body: Any) -> None:
    evidence = forge_body(lambda data: rewritten(data, lambda table: table.slice(1)))
    report = evidence.verify()
    assert at_fault(report, "body-missing", evidence, "body/") in {2, 4}, "first of either person"
    assert report.codes() == {"body-missing"}


def test_a_block_under_other_keys_is_named(forge_body: Any) -> None:
    def swap(table: pa.Table) -> pa.Table:
        return replaced(table, "keys", table.column("keys").to_pylist()[::-1])

    evidence = forge_body(lambda data: rewritten(data, swap))
    assert at_fault(evidence.verify(), "body-misplaced", evidence, "body/") is not None


def test_a_block_shown_twice_is_named(forge_body: Any) -> None:
    evidence = forge_body(
        lambda data: rewritten(data, lambda table: pa.concat_tables([table, table]))
    )
    assert at_fault(evidence.verify(), "body-malformed", evidence, "body/") == 0


def test_content_that_is_not_what_was_committed_to_is_named(forge_body: Any) -> None:
    def spoil(table: pa.Table) -> pa.Table:
        blocks = table.column("block").to_pylist()
        blocks[0] = blocks[0][:-1] + bytes([blocks[0][-1] ^ 1])
        return replaced(table, "block", blocks)

    evidence = forge_body(lambda data: rewritten(data, spoil))
    assert evidence.verify().exit_code == 0, "no keys, so no content was looked at"
    assert at_fault(evidence.verify(keys=evidence.keys()), "body-wrong", evidence, "body/")


def test_honest_stores_open_every_body(tmp_path: Path) -> None:
    evidence = make_evidence(tmp_path)
    report = evidence.verify(keys=evidence.keys())
    assert report.exit_code == 0
    assert (report.logs[0].opened, report.logs[0].locked) == (11, 0)
