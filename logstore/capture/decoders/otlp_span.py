"""Decoders of the formats ``otlp.span`` and ``otlp.span+json``: one span to an `Interaction`."""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders import otlp_json, otlp_protobuf
from logstore.capture.decoders.dialect_gen_ai_legacy import take_event
from logstore.capture.decoders.otlp_dialects import (
    RANK,
    build,
    dialect_of,
    finish,
    read_attributes,
    read_origin,
)
from logstore.capture.decoders.otlp_found import Found
from logstore.capture.decoders.otlp_gaps import gaps, is_aborted
from logstore.capture.decoders.otlp_telemetry import Event, Span
from logstore.capture.interaction import Interaction
from logstore.errors import FormatError

FIRST_CHUNK = ("First Token Stream Event", "llm.content.completion.chunk")
"""Events of OpenInference and Traceloop at a streamed chunk."""

ERROR = 2
"""Status code of a failed span."""

OTHER_ERROR = "_OTHER"
"""error.type of a failure nobody classified (OpenTelemetry's own word)."""

_KINDS = ("", "internal", "server", "client", "producer", "consumer")


def decode_span(raw: bytes) -> Interaction:
    """One span in protobuf, as `otlp_split` cuts it.

    Raises:
        FormatError: not an export request of exactly one span.
    """
    return _guarded(otlp_protobuf.read_span(raw), "otlp.span")


def decode_span_json(raw: bytes) -> Interaction:
    """One span in OTLP/JSON, as `otlp_split` cuts it.

    Raises:
        FormatError: not an export request of exactly one span.
    """
    return _guarded(otlp_json.read_span(raw), "otlp.span+json")


def _guarded(span: Span, format_name: str) -> Interaction:
    try:
        return interaction(span, format_name)
    except RecursionError:
        raise FormatError("a span whose content is nested too deeply") from None


def interaction(span: Span, format_name: str) -> Interaction:
    """A span as an `Interaction`; one that is no AI operation gets the operation ``span``."""
    found = Found(span.name, span.start_ns)
    dialect = dialect_of(span.attributes, span.origin.scope_name)
    read_attributes(found, span.attributes)
    _read_events(found, span.events)
    finish(found, dialect)
    read_origin(found, span.origin)
    _keep_rest(found, span)
    made = build(found, _base(span, format_name, dialect))
    _judge_error(made, span, failed=bool(found.facts.get("failed")))
    is_silent = not any(message.parts for message in made.output)
    if made.error_type and made.response_model == made.request_model and is_silent:
        made.response_model = None  # OpenInference names the model it asked, but none answered
    made.stream_aborted = is_aborted(made)
    truncated = found.gaps | ({"truncated"} if span.clipped else set())
    made.gaps = sorted({*gaps(made, span.dropped, span.trace_state), *truncated})
    return made


def _base(span: Span, format_name: str, dialect: str) -> dict[str, Any]:
    return {
        "format": format_name,
        "dialect": dialect,
        "grade": "span",
        "operation": "span",
        "start_us": span.start_ns // 1000 or None,
        "end_us": span.end_ns // 1000 or None,
        "trace_id": span.trace_id or None,
        "span_id": span.span_id or None,
        "parent_span_id": span.parent_span_id or None,
    }


def _read_events(found: Found, events: list[Event]) -> None:
    rank = RANK["gen_ai_legacy"]
    kept: list[dict[str, object]] = []
    for event in events:
        if event.name in FIRST_CHUNK:
            if found.start_ns and event.time_ns >= found.start_ns:
                found.offer("ttft_us", (event.time_ns - found.start_ns) // 1000, rank)
            if event.attributes:
                kept.append(_plain(event))
        elif event.name == "exception":
            _exception(found, event.attributes)
        elif event.name.startswith("gen_ai.client.inference"):
            read_attributes(found, event.attributes)
        elif not take_event(found, event.name, event.attributes, rank):
            kept.append(_plain(event))
    found.keep("events", kept)


def _exception(found: Found, attributes: dict[str, object]) -> None:
    for key, place in (("exception.type", "error_type"), ("exception.message", "error_message")):
        value = attributes.get(key)
        if isinstance(value, str) and value:
            found.offer(place, value, RANK[""] + 1)
    for key, value in attributes.items():
        if key not in ("exception.type", "exception.message", "exception.escaped"):
            found.keep(key, value)


def _plain(event: Event) -> dict[str, object]:
    return {"name": event.name, "time_ns": event.time_ns, **event.attributes}


def _keep_rest(found: Found, span: Span) -> None:
    found.keep("span.name", span.name)
    if 0 < span.kind < len(_KINDS):
        found.extra["span.kind"] = _KINDS[span.kind]
    found.keep("trace_state", span.trace_state)
    if span.dropped:
        found.extra["dropped"] = dict(span.dropped)
    if span.flags:
        found.extra["trace_flags"] = f"{span.flags & 0xFF:02x}"
    if span.links:
        found.extra["links"] = [
            {"trace_id": link.trace_id, "span_id": link.span_id, **link.attributes}
            for link in span.links
        ]


def _judge_error(made: Interaction, span: Span, *, failed: bool) -> None:
    if span.status == ERROR or failed:
        made.error_type = made.error_type or OTHER_ERROR
        made.error_message = made.error_message or span.status_message or None
        if span.status_message and span.status_message != made.error_message:
            made.extra["status.message"] = span.status_message
    elif span.status_message:
        made.extra["status.message"] = span.status_message
