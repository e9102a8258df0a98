"""A request that says little and means much: its resource stands in every record made of it."""

from __future__ import annotations

import io
import json

import pytest
from support.otlp_made import as_protobuf, span

from logstore.capture import unfolding
from logstore.capture.decodepool import Decoding
from logstore.capture.decoders.otlp_split import (
    split_json,
    split_protobuf_stream,
    split_traces_protobuf,
)
from logstore.capture.items import Bad, Item
from logstore.capture.splitting import split
from logstore.capture.unfolding import MAX_PIECES, MAX_UNFOLDED, PIECE, TOO_FAR
from logstore.receiving.arriving import Arrival
from logstore.receiving.intake import Intake
from logstore.receiving.intake import taken as records_of
from logstore.receiving.limits import Limits

MIB = 2**20


def crowd(resource: int, spans: int) -> dict:
    """A request whose resource has so many bytes, above so many tiny spans."""
    made = span({"gen_ai.request.model": "m"})
    (top,) = made["resourceSpans"]
    top["resource"] = {"attributes": [{"key": "big", "value": {"stringValue": "x" * resource}}]}
    (scope,) = top["scopeSpans"]
    scope["spans"] *= spans
    return made


def sizes(pieces: list[Item | Bad]) -> int:
    return sum(len(piece.raw) for piece in pieces)


def test_a_large_resource_over_thousands_of_spans_is_cut_off_and_said_to_be() -> None:
    request = as_protobuf(crowd(MIB - 64, 5_000))
    assert len(request) < 2 * MIB
    pieces = list(split_traces_protobuf(request))
    *good, last = pieces
    assert all(isinstance(piece, Item) for piece in good)
    assert sizes(pieces) <= MAX_UNFOLDED + MIB
    assert len(good) == MAX_UNFOLDED // (len(good[0].raw) + PIECE)
    assert isinstance(last, Bad)
    assert (last.reason, last.where) == (TOO_FAR, f"span {len(good) + 1} and all after it")
    assert len(last.raw) == MIB


@pytest.mark.parametrize("is_json", [False, True])
def test_the_rest_of_a_request_is_one_bad_piece(
    monkeypatch: pytest.MonkeyPatch, *, is_json: bool
) -> None:
    monkeypatch.setattr(unfolding, "MAX_UNFOLDED", MIB)
    request = crowd(10_000, 500)
    for cut in (
        split_json(json.dumps(request).encode())
        if is_json
        else split_traces_protobuf(as_protobuf(request)),
        split(io.BufferedReader(io.BytesIO(json.dumps(request).encode())))
        if is_json
        else split_protobuf_stream(io.BytesIO(as_protobuf(request)), "traces"),
    ):
        *good, last = cut
        assert 80 < len(good) < 100
        assert isinstance(last, Bad)
        assert last.reason == TOO_FAR


def test_what_fits_is_not_touched() -> None:
    request = crowd(10_000, 8_192)  # a collector's largest batch by default
    pieces = list(split_traces_protobuf(as_protobuf(request)))
    assert len(pieces) == 8_192
    assert all(isinstance(piece, Item) for piece in pieces)


def test_more_spans_than_are_taken_are_not_even_counted() -> None:
    scope = b"\x12\x00" * (MAX_PIECES + 1)
    request = _field(1, _field(2, scope))
    (piece,) = split_traces_protobuf(request)
    assert isinstance(piece, Bad)
    assert piece.reason == TOO_FAR
    text = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%b]}]}]}' % b",".join(
        [b"{}"] * (MAX_PIECES + 1)
    )
    *_, last = split_json(text)
    assert isinstance(last, Bad)
    assert last.reason == TOO_FAR


def test_very_many_spans_of_json_are_cut_like_few(monkeypatch: pytest.MonkeyPatch) -> None:
    request = json.dumps(crowd(10, 300), indent=1).encode()
    few = list(split_json(request))
    monkeypatch.setattr("logstore.capture.decoders.otlp_jsonwire.MAX_PIECES", 1)
    assert list(split_json(request)) == few
    assert len(few) == 300


def test_a_trace_over_many_observations_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "MAX_UNFOLDED", MIB)
    export = {
        "trace": {"id": "t", "name": "x" * 10_000},
        "observations": [{"id": str(n), "type": "GENERATION"} for n in range(500)],
    }
    *good, last = split(io.BufferedReader(io.BytesIO(json.dumps(export).encode())))
    assert 80 < len(good) < 100
    assert isinstance(last, Bad)
    assert last.reason == TOO_FAR


def test_a_request_of_nothing_but_commas_and_numbers_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unfolding, "MAX_UNFOLDED", MIB)
    many = b"[" + b"1," * 5_000 + b"1]"
    arrival = Arrival("records", "live/test", many)
    taken = records_of(arrival, Intake(Limits()).cut(arrival, many), Decoding())
    assert len(taken.records) == MIB // (PIECE + 1) + 1
    assert taken.cut_short
    assert taken.rejected[len(taken.records) - 1] == TOO_FAR


def _field(number: int, data: bytes) -> bytes:
    from logstore.capture.decoders.otlp_wire import LEN, encode_varint

    return bytes([number << 3 | LEN]) + encode_varint(len(data)) + data
