"""Cutting files of OTLP into items, and joining them to the people their traces name."""

from __future__ import annotations

import io
import json

import pytest
from support.otlp_made import as_protobuf, log, span

from logstore.capture.decoders import otlp_split
from logstore.capture.decoders.otlp_identity import TraceIdentities, distinct, identity_of
from logstore.capture.decoders.otlp_split import (
    split_json,
    split_json_stream,
    split_protobuf_stream,
    split_traces_protobuf,
)
from logstore.capture.decoders.otlp_wire import encode_varint, fields, varint
from logstore.capture.interaction import Subject
from logstore.capture.items import Bad, Context, Item
from logstore.errors import FormatError

ROOT, MIDDLE, LEAF, SIBLING = ("a" * 16, "b" * 16, "c" * 16, "d" * 16)


def line(span_id: str, parent: str, attributes: dict) -> bytes:
    return json.dumps(span(attributes, spanId=span_id, parentSpanId=parent)).encode()


def contexts(*lines: bytes) -> list[Context | None]:
    pieces = split_json_stream(io.BytesIO(b"\n".join(lines)))
    return [piece.context for piece in pieces if isinstance(piece, Item)]


def test_the_nearest_ancestor_wins_and_lacks_are_filled_from_the_root():
    found = contexts(
        line(ROOT, "", {"enduser.id": "boss", "session.id": "s1", "gen_ai.conversation.id": "c1"}),
        line(MIDDLE, ROOT, {"user.id": "maria"}),
        line(LEAF, MIDDLE, {"gen_ai.operation.name": "chat"}),
    )
    assert found[0] is None
    assert found[2] == Context((Subject("maria", "user.id", "sdk"),), "s1", "c1", None)


def test_siblings_are_strangers():
    found = contexts(
        line(SIBLING, ROOT, {"llm.user": "somebody else"}),
        line(LEAF, ROOT, {"gen_ai.operation.name": "chat"}),
    )
    assert found == [None, None]


def test_a_root_that_ends_last_in_its_request_still_counts():
    first = span({"gen_ai.operation.name": "chat"}, spanId=LEAF, parentSpanId=ROOT)
    root = span({"user.id": "maria"}, spanId=ROOT)
    first["resourceSpans"] += root["resourceSpans"]
    for pieces in (
        split_json(json.dumps(first).encode()),
        split_traces_protobuf(as_protobuf(first)),
    ):
        leaf, top = pieces
        assert isinstance(leaf, Item)
        assert leaf.context == Context((Subject("maria", "user.id", "sdk"),))
        assert isinstance(top, Item)
        assert top.context is None


def test_log_events_get_the_identity_of_their_span():
    known = TraceIdentities()
    list(split_json(line(LEAF, "", {"llm.user": "maria"}), known))
    event = json.dumps(log({}, name="gen_ai.choice", spanId=LEAF)).encode()
    (item,) = split_json(event, known)
    assert isinstance(item, Item)
    assert item.context == Context((Subject("maria", "llm.user", "caller"),))


def test_ancestors_in_a_circle_end():
    found = contexts(line(LEAF, MIDDLE, {}), line(MIDDLE, LEAF, {}), line(ROOT, ROOT, {}))
    assert found == [None, None, None]


def test_the_oldest_traces_are_forgotten_first():
    known = TraceIdentities(max_spans=3)
    who = identity_of([("user.id", "maria")])
    for trace in ("t1", "t2", "t3", "t4"):
        known.saw(trace, ROOT, "", who)
    assert known.above("t1", ROOT) is None
    assert known.above("t4", LEAF) == who


def test_a_person_named_twice_is_one_person_best_vouched_for_first():
    people = distinct(
        [Subject("u", "llm.user", "caller"), Subject("v", "user.id", "sdk"),
         Subject("u", "metadata.user_api_key_user_id", "platform")]
    )  # fmt: skip
    assert people == [
        Subject("u", "metadata.user_api_key_user_id", "platform"),
        Subject("v", "user.id", "sdk"),
    ]


@pytest.mark.parametrize("value", ["", None, [], {"a": 1}, "x" * 1_025, True, 1.5])
def test_what_is_no_id_names_nobody(value):
    assert identity_of([("user.id", value)]) is None


def test_a_request_laid_out_over_many_lines_is_one_request():
    pretty = json.dumps(span({"a": 1}), indent=2).encode()
    (item,) = split_json_stream(io.BytesIO(pretty))
    assert isinstance(item, Item)
    assert item.where == "span 1"


def test_a_broken_first_line_does_not_spoil_the_rest():
    good = line(LEAF, "", {})
    pieces = list(split_json_stream(io.BytesIO(b"{broken\n" + good + b"\n\n" + good)))
    assert [piece.where for piece in pieces] == ["line 1", "line 2, span 1", "line 4, span 1"]
    assert isinstance(pieces[0], Bad)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nonsense", "not-json"),
        (b"[1]", "not-json"),
        (b'{"resourceMetrics":[]}', "not-otlp-traces-or-logs"),
        (b'{"resourceSpans":5}', "not-otlp-json"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[7]}]}]}', "not-a-span-or-log-record"),
    ],
)
def test_json_that_is_no_export_says_why(data, reason):
    (bad,) = split_json(data)
    assert isinstance(bad, Bad)
    assert bad.reason == reason


def test_one_bad_span_does_not_spoil_its_request():
    request = span({"a": 1})
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans.insert(0, {"traceId": "no id"})
    kinds = [type(piece) for piece in split_json(json.dumps(request).encode())]
    assert kinds == [Bad, Item]


def test_protobuf_files_of_one_message_appended_messages_and_framed_messages():
    one = as_protobuf(span({"user.id": "maria"}, spanId=ROOT))
    two = as_protobuf(span({}, spanId=LEAF, parentSpanId=ROOT))
    framed = b"".join(len(message).to_bytes(4, "big") + message for message in (one, two))
    for data, places in (
        (one, ["span 1"]),
        (one + two, ["span 1", "span 2"]),
        (framed, ["message 1, span 1", "message 2, span 1"]),
    ):
        pieces = list(split_protobuf_stream(io.BytesIO(data), "traces"))
        assert [piece.where for piece in pieces] == places
        assert all(isinstance(piece, Item) for piece in pieces)
        if len(pieces) == 2:
            assert pieces[1].context == Context((Subject("maria", "user.id", "sdk"),))


def test_protobuf_cut_short_keeps_what_was_whole():
    one = as_protobuf(span({"a": 1}))
    pieces = list(split_protobuf_stream(io.BytesIO(one + one[:-5]), "traces"))
    assert [type(piece) for piece in pieces] == [Item, Bad]
    framed = len(one).to_bytes(4, "big") + one
    pieces = list(split_protobuf_stream(io.BytesIO(framed + framed[:-5]), "traces"))
    assert [type(piece) for piece in pieces] == [Item, Bad]
    assert list(split_protobuf_stream(io.BytesIO(b""), "logs")) == []


def test_frames_and_fields_that_promise_too_much_are_refused():
    for data in (
        b"\x00\x00",
        b"\x00\x00\x00",
        (65 * 2**20).to_bytes(4, "big"),
        (2**26).to_bytes(4, "big") + b"short",
        b"\x7f",
        b"\x0a",
        b"\x0a" + b"\xff" * 11,
        b"\x0a" + b"\xff\xff\xff\xff\x7f",
    ):
        (bad,) = split_protobuf_stream(io.BytesIO(data), "traces")
        assert isinstance(bad, Bad)


def test_a_long_line_after_a_broken_first_line_is_skipped(monkeypatch):
    good = line(LEAF, "", {})
    monkeypatch.setattr(otlp_split, "MAX_REQUEST", len(good) + 1)
    long = b"x" * 5 * len(good)
    pieces = list(split_json_stream(io.BytesIO(b"\n".join([b"{broken", long, good, good]))))
    assert [(type(piece), piece.where) for piece in pieces] == [
        (Bad, "line 1"), (Bad, "line 2"), (Item, "line 3, span 1"), (Item, "line 4, span 1"),
    ]  # fmt: skip


def test_a_varint_without_an_end_is_refused():
    with pytest.raises(FormatError, match="does not end"):
        list(fields(b"\xff" * 12, 0, 12))
    with pytest.raises(FormatError, match="wire type"):
        list(fields(b"\x0b", 0, 1))
    assert varint(encode_varint(2**63), 0, 10) == (2**63, 10)
