"""Addresses that a sender chooses, and what becomes of the content that lies there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.otlp_made import span

from logstore.capture.items import Item
from logstore.capture.records import to_record
from logstore.capture.references import (
    AllowList,
    completed,
    is_json,
    parse_address,
    points_elsewhere,
    references_of,
    with_beside,
)
from logstore.capture.registry import decode
from logstore.errors import UsageError
from logstore.formats import body as bodies
from logstore.formats.body import Body
from logstore.formats.record import Record
from logstore.query.flatten import row_of

ALLOWED = AllowList(
    ["file:///srv/content/", "s3://evidence/ai/", "https://files.example.org/ai/", "https://[::1]/"]
)
ASKED = b'[{"role":"user","parts":[{"type":"text","content":"where is it?"}]}]'
TOLD = (
    b'[{"role":"assistant","parts":[{"type":"text","content":"in the bucket"},'
    b'{"type":"tool_call","id":"c1","name":"look_up","arguments":{"q":1}}],"finish_reason":"stop"}]'
)
RULES = b'[{"type":"text","content":"be brief"}]'


def test_what_lies_below_an_allowed_location_is_found() -> None:
    for text in (
        "file:///srv/content/a_inputs.json",
        "file:///srv/content/2026/11/a.json",
        "s3://evidence/ai/x/y.json",
        "https://files.example.org/ai/y.json",
        "https://files.example.org:443/ai/with%20space.json",
        "https://[::1]/a.json",
    ):
        assert isinstance(ALLOWED.find(text), tuple), text


@pytest.mark.parametrize(
    "text",
    [
        "file:///srv/content",
        "file:///srv/contents/a.json",
        "file:///etc/passwd",
        "s3://evidence/other/y.json",
        "s3://evidence2/ai/y.json",
        "https://files.example.org:8443/ai/y.json",
        "https://files.example.org/aix/y.json",
        "https://example.org/ai/y.json",
        "https://files.example.org/y.json",
    ],
)
def test_what_lies_elsewhere_is_not_allowed(text: str) -> None:
    assert ALLOWED.find(text) == "not-allowed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.json",
        "/srv/content/a.json",
        "file:/srv/content/a.json",
        "file://host/srv/content/a.json",
        "file:///srv/content/../../etc/passwd",
        "file:///srv/content/./a",
        "file:///srv/content//a",
        "file:///srv/content/%2e%2e/a",
        "file:///srv/content/a%2fb",
        "file:///srv/content/a%5cb",
        "file:///srv/content/a%00b",
        "file:///srv/content/a%25b",
        "file:///srv/content/a%zz",
        "file:///srv/content/a%ff",
        "file:///srv/content/a\\b",
        "file:///srv/content/a\nb",
        "file:///srv/content/é",
        "file:///srv/content/",
        "http://files.example.org/ai/y.json",
        "https://user@files.example.org/ai/y.json",
        "https://user:secret@files.example.org/ai/y.json",
        "https://files.example.org/ai/y.json?X-Amz-Signature=1",
        "https://files.example.org/ai/y.json#part",
        "https://files.example.org/ai/y.json?",
        "https://FILES.example.org/ai/y.json",
        "https://files.example.org:99999/ai/y.json",
        "https://files.example.org:/ai/y.json",
        "https:///ai/y.json",
        "s3://UPPER/ai/y.json",
        "s3://evidence",
        "gs://evidence/ai/y.json",
        "memory://content/y.json",
        "file:///srv/content/" + "a" * 256,
        "file:///srv/content/" + "a/" * 2000 + "b",
    ],
)
def test_what_can_be_read_in_two_ways_is_malformed(text: str) -> None:
    assert ALLOWED.find(text) == "malformed"


@given(st.text(max_size=60).map(lambda tail: "file:///srv/content/" + tail))
def test_no_address_leaves_its_location(text: str) -> None:
    chosen = ALLOWED.find(text)
    if isinstance(chosen, tuple):
        place, found = chosen
        assert found.path[: len(place.path)] == place.path
        assert not {"", ".", ".."} & set(found.path)
        assert not any("/" in step or "\0" in step for step in found.path)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_none(text: str) -> None:
    found = parse_address(text)
    assert found is None or found.scheme in {"file", "s3", "https"}


@pytest.mark.parametrize(
    "text",
    ["/srv/content/", "file:///srv/content", "s3://evidence", "https://a/b?c/", "ftp://a/b/"],
)
def test_a_location_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError, match="no location"):
        AllowList([text])


# -- what becomes of it ------------------------------------------------------------------------


def pointing(**attributes: str) -> Item:
    known = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", **attributes}
    return Item(json.dumps(span(known)).encode(), "otlp.span+json", "span 1")


BOTH = {
    "gen_ai.input.messages_ref": "file:///srv/content/in.json",
    "gen_ai.output.messages_ref": "file:///srv/content/out.json",
}


def recorded(item: Item) -> tuple[Record, Body]:
    record = to_record(item, decode(item.raw, item.format), source="test", by="test", seq=None)
    assert record.content is not None
    return record, bodies.parse(record.content)


def test_fetched_content_stands_beside_the_evidence_and_is_read_as_messages() -> None:
    item = pointing(**BOTH, **{"gen_ai.system_instructions_ref": "file:///srv/content/s.json"})
    record, body = recorded(item)
    assert points_elsewhere(record)
    found = decode(item.raw, item.format)
    fetched = dict(zip(references_of(found), (ASKED, TOLD, RULES), strict=True))
    done = completed(record, body, found, fetched)
    assert not points_elsewhere(done)
    assert done.clear["aircon.tool.names"] == ["look_up"]
    assert done.content is not None
    sealed = bodies.parse(done.content)
    assert sealed.raw == item.raw, "the sender's bytes are what they were"
    assert sealed.beside == fetched
    from logstore.capture.registry import DECODERS

    row = row_of(sealed, "open", DECODERS)
    assert (row["input_text"], row["output_text"]) == ("where is it?", "in the bucket")
    assert row["system_text"] == "be brief"


def test_what_could_not_be_fetched_is_a_gap_with_its_reason() -> None:
    item = pointing(**BOTH)
    record, body = recorded(item)
    found = decode(item.raw, item.format)
    fetched = {
        "gen_ai.input.messages_ref": ASKED,
        "gen_ai.output.messages_ref": "not-found",
    }
    done = completed(record, body, found, fetched)  # type: ignore[arg-type]
    gaps = done.clear["aircon.capture.gaps"]
    assert isinstance(gaps, list)
    assert {"content-by-reference", "reference-not-found"} <= set(gaps)
    assert done.content is not None
    sealed = bodies.parse(done.content)
    assert sealed.note["not_fetched"] == {"gen_ai.output.messages_ref": "not-found"}
    assert list(sealed.beside) == ["gen_ai.input.messages_ref"]


def test_what_the_span_holds_itself_is_not_replaced() -> None:
    own = '[{"role":"user","parts":[{"type":"text","content":"mine"}]}]'
    item = pointing(**BOTH, **{"gen_ai.input.messages": own})
    found = decode(item.raw, item.format)
    whole = with_beside(found, {"gen_ai.input.messages_ref": ASKED})
    assert whole.input[0].parts[0].text == "mine"


@pytest.mark.parametrize("data", [b"", b"\xff", b"[", b"[1]\n{", b"\0" * 9, b"[" * 100_000])
def test_what_is_no_json_is_told_apart(data: bytes) -> None:
    assert not is_json(data)
    assert with_beside(
        decode(pointing().raw, "otlp.span+json"), {"gen_ai.input.messages_ref": data}
    )


def test_a_message_on_each_line_is_read_too() -> None:
    line = ASKED[1:-1]
    found = decode(pointing(**BOTH).raw, "otlp.span+json")
    whole = with_beside(found, {"gen_ai.input.messages_ref": line + b"\n" + line + b"\n"})
    assert [message.role for message in whole.input] == ["user", "user"]


def test_bodies_written_before_there_was_anything_beside_still_read() -> None:
    old = bodies.encode(Body(raw=b"x", format="aircon", subjects=["maria"]))
    assert b"beside" not in old
    assert bodies.parse(old).beside == {}
