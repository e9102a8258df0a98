"""Cutting sources: long lines, joined rows, body objects that are not what they seem."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from support.captured import items_of, pieces_in

from logstore.capture import beside, gathering, splitting
from logstore.capture.beside import Folder
from logstore.capture.importstate import ImportState
from logstore.capture.items import Bad, Item
from logstore.capture.registry import decode
from logstore.errors import NotDurable

OURS = b'{"aircon":1,"operation":"chat"}'


def refusals(data: bytes) -> list[tuple[str, str]]:
    return [(piece.where, piece.reason) for piece in pieces_in(data) if isinstance(piece, Bad)]


def test_a_line_too_long_is_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "MAX_VALUE", 3 * 2**20)
    monkeypatch.setattr(splitting, "MAX_KEPT", 10)
    long = b'{"x":"' + b"y" * 5 * 2**20 + b'"}'
    found = pieces_in(OURS + b"\n" + long + b"\n" + OURS + b"\n" + long)
    assert [type(piece) for piece in found] == [Item, Bad, Item, Bad]
    assert isinstance(found[1], Bad)
    assert (found[1].where, found[1].reason, len(found[1].raw)) == ("line 2", "too-large", 10)


def test_a_trace_without_observations_is_an_item_by_itself() -> None:
    (item,) = pieces_in(b'{"trace":{"id":"t","userId":"u"},"observations":[]}')
    assert isinstance(item, Item)
    found = decode(item.raw, item.format)
    assert [subject.id for subject in found.subjects] == ["u"]
    assert found.trace_id == "t"


@pytest.mark.parametrize(("value", "reason"), [
    (b'{"trace":5,"observations":[{}]}', "not-a-langfuse-export"),
    (b'{"Type":"ApiManagementGatewayLlmLog"}', "no-correlation-id"),
    (b'{"CorrelationId":5,"DeploymentName":"d"}', "no-correlation-id"),
    (b'{"records":[tru]}', "not-json"),
    (b'{"records":[]}', "unknown-format"),
    (b'{"resourceMetrics":[]}', "metrics-are-no-interactions"),
    (b'{"hello":"world"}', "unknown-format"),
])  # fmt: skip
def test_what_only_looks_like_a_format_is_refused_by_name(value: bytes, reason: str) -> None:
    assert refusals(OURS + b"\n" + value + b"\n") == [("line 2", reason)]


def row(call: int, number: int) -> bytes:
    return json.dumps({
        "CorrelationId": f"call-{call}", "SequenceNumber": number, "DeploymentName": "d",
        "RequestMessages": f"part {number}",
    }).encode() + b"\n"  # fmt: skip


def test_rows_of_many_calls_may_be_interleaved() -> None:
    rows = [row(call, number) for number in range(3) for call in range(5)]
    found = pieces_in(b"".join(rows))
    assert [piece.where for piece in found] == [f"line {n}" for n in range(1, 6)]
    for piece in found:
        assert isinstance(piece, Item)
        assert "truncated" not in decode(piece.raw, piece.format).gaps


def test_too_many_open_calls_give_the_oldest_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MAX_OPEN", 2)
    rows = [row(1, 0), row(2, 0), row(3, 0), row(1, 1), row(1, 3)]
    found = [piece for piece in pieces_in(b"".join(rows)) if isinstance(piece, Item)]
    gaps = [decode(item.raw, item.format).gaps for item in found]
    assert len(found) == 4
    assert ["truncated" in one for one in gaps] == [False, False, False, True]


def log_line(name: str) -> bytes:
    return json.dumps({
        "schemaType": "ModelInvocationLog",
        "output": {"outputBodyS3Path": f"s3://bucket/x/{name}"},
    }).encode()  # fmt: skip


@pytest.mark.parametrize(("data", "kept"), [
    (b"\x89PNG not json", b"iVBORyBub3QganNvbg=="),
    (gzip.compress(b'{"a":1}', mtime=0)[:-6], None),
    (gzip.compress(b"[" * 2000, mtime=0), None),
])  # fmt: skip
def test_a_body_object_that_is_no_json_is_kept_in_base64_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, kept: bytes | None
) -> None:
    monkeypatch.setattr(beside, "MAX_BODY", 1000)
    (tmp_path / "body").write_bytes(data)
    (tmp_path / "log.jsonl").write_bytes(log_line("body") + b"\n")
    (item,) = items_of(tmp_path / "log.jsonl")
    if kept is None:
        assert item.raw == log_line("body")
    else:
        assert kept in item.raw


def test_a_reference_of_the_wrong_type_is_left_as_it_is(tmp_path: Path) -> None:
    line = b'{"schemaType":"ModelInvocationLog","input":{"inputBodyS3Path":{"a":1}}}'
    (tmp_path / "log.jsonl").write_bytes(line + b"\n")
    (item,) = items_of(tmp_path / "log.jsonl")
    assert item.raw == line


def test_the_index_of_a_batch_is_bounded_and_skips_broken_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "MAX_BATCH", 3)
    asked = [json.dumps({"custom_id": f"c{n}", "body": {"n": n}}).encode() for n in range(5)]
    asked.insert(1, b"broken")
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(asked) + b"\n")
    (tmp_path / "notes.txt").write_bytes(b"nothing\n")
    folder = Folder(tmp_path / "out.jsonl")
    found = [folder.batch_request(b'{"custom_id":"c%d","response":{}}' % n) for n in range(5)]
    folder.close()
    assert found[:3] == [asked[0], asked[2], asked[3]]
    assert found[3:] == [None, None]


def test_a_journal_that_cannot_be_written_stops_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ImportState(tmp_path, bytes(32))
    source = tmp_path / "x"
    source.write_bytes(OURS)
    with source.open("rb") as file:
        mark = state.fresh(file, len(OURS))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(NotDurable, match="No space left"):
        state.begin(mark)
    monkeypatch.undo()
    assert (tmp_path / "imports.journal").stat().st_size == 0
    state = ImportState(tmp_path, bytes(32))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:-1]))
    with pytest.raises(NotDurable, match="short write"):
        state.begin(mark)
    assert (tmp_path / "imports.journal").stat().st_size == 0
    state.close()


def test_a_file_is_found_again_among_many_of_every_size(tmp_path: Path) -> None:
    state = ImportState(tmp_path, bytes(32))
    sizes = [1, 2, 4095, 4096, 4097, 9000, 20_000]
    source = tmp_path / "x"
    source.write_bytes(os.urandom(30_000))
    with source.open("rb") as file:
        for size in sizes:
            plan = state.plan(file, size)
            assert plan.start is not None
            assert plan.start.offset == (0 if size == 1 else sizes[sizes.index(size) - 1])
            state.begin(plan.start)
            assert state.plan(file, size).resume == plan.start
            state.end(plan.start, offset=size, line=0, seq=size)
        state.close()
        state = ImportState(tmp_path, bytes(32))
        assert all(state.plan(file, size).known for size in sizes)
        grown = state.plan(file, 25_000).start
        assert grown is not None
        assert (grown.offset, grown.seq) == (20_000, 20_000)
    state.close()


def test_a_file_that_shrinks_while_it_is_looked_up_is_not_known(tmp_path: Path) -> None:
    state = ImportState(tmp_path, bytes(32))
    source = tmp_path / "x"
    source.write_bytes(OURS)
    with source.open("rb") as file:
        state.begin(state.fresh(file, len(OURS)))
        source.write_bytes(OURS[:5])
        with pytest.raises(OSError, match="shrank"):
            state.plan(file, len(OURS))
    state.close()
