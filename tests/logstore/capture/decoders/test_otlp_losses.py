"""What a sender says it lost or left out becomes a gap and a fact, in both encodings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.otlp_made import as_protobuf, event, log, span

from logstore.capture.decoders.otlp_log import decode_log, decode_log_json
from logstore.capture.decoders.otlp_span import decode_span, decode_span_json
from logstore.capture.interaction import Interaction

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}


def read(request: dict[str, Any]) -> Interaction:
    """The request decoded from both encodings, which must say the same."""
    traces = "resourceSpans" in request
    plain = (decode_span_json if traces else decode_log_json)(json.dumps(request).encode())
    packed = (decode_span if traces else decode_log)(as_protobuf(request))
    for name in ("gaps", "extra"):
        assert getattr(plain, name) == getattr(packed, name)
    return plain


def test_dropped_counts_of_a_span_and_what_is_around_it() -> None:
    request = span(
        CHAT,
        droppedAttributesCount=3,
        droppedEventsCount=2,
        droppedLinksCount=1,
        events=[event("x", {}) | {"droppedAttributesCount": 4}],
    )
    request["resourceSpans"][0]["resource"]["droppedAttributesCount"] = 5
    request["resourceSpans"][0]["scopeSpans"][0]["scope"]["droppedAttributesCount"] = 6
    made = read(request)
    assert made.extra["dropped"] == {
        "attributes": 3, "events": 2, "links": 1, "event-attributes": 4,
        "resource-attributes": 5, "scope-attributes": 6,
    }  # fmt: skip
    assert {gap for gap in made.gaps if gap.startswith("dropped-")} == {
        "dropped-attributes", "dropped-events", "dropped-links", "dropped-event-attributes",
        "dropped-resource-attributes", "dropped-scope-attributes",
    }  # fmt: skip


def test_dropped_attributes_of_a_log_record() -> None:
    made = read(log(CHAT, droppedAttributesCount=7))
    assert made.extra["dropped"] == {"attributes": 7}
    assert "dropped-attributes" in made.gaps


def test_nothing_dropped_is_nothing_said() -> None:
    made = read(span(CHAT))
    assert "dropped" not in made.extra
    assert not [gap for gap in made.gaps if gap.startswith("dropped-") or gap == "sampled"]


def test_trace_flags_are_kept() -> None:
    assert read(span(CHAT, flags=0x101)).extra["trace_flags"] == "01"
    assert read(log(CHAT, flags=1)).extra["trace_flags"] == "01"


@pytest.mark.parametrize(
    ("state", "sampled"),
    [
        ("ot=th:c", True),
        ("vendor=1,ot=rv:abc;th:8", True),
        ("ot=p:3;r:5", True),
        ("ot=th:0", False),
        ("ot=p:0", False),
        ("ot=rv:abc", False),
        ("th=8", False),
        ("", False),
    ],
)
def test_a_tracestate_that_says_spans_were_dropped(state: str, sampled: bool) -> None:
    assert ("sampled" in read(span(CHAT, traceState=state)).gaps) is sampled


@pytest.mark.parametrize(
    ("name", "value", "sampled"),
    [
        ("sampling_rate", 0.1, True),
        ("SampleRate", 10, True),
        ("sampler.param", "0.5", True),
        ("sampling.probability", 1.0, False),
        ("sampling_rate", True, False),
        ("sampling_rate", "often", False),
        ("sampling_rate", 0, False),
    ],
)
def test_a_rate_that_is_not_all_is_sampled(name: str, value: object, sampled: bool) -> None:
    assert ("sampled" in read(span(CHAT | {name: value})).gaps) is sampled
