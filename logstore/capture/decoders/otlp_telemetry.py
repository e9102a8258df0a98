"""A span or log record as plain Python values, whatever encoding it came in.

Protobuf and JSON readers fill the same structs, so that everything above them (dialects, gaps)
exists once and both encodings of one call decode to equal interactions.
"""

from __future__ import annotations

import msgspec

Attributes = dict[str, object]
"""Attribute name to value: str, bool, int, float, list, dict or None; bytes stand as base64."""


class Origin(msgspec.Struct, gc=False):
    """Who emitted the telemetry.

    Attributes:
        resource: resource attributes.
        scope_name: instrumentation scope, e.g. ``openinference.instrumentation.openai``.
        scope_version: its version.
        scope: scope attributes.
        schema_url: schema of the scope, or else of the resource.
    """

    resource: Attributes = {}
    scope_name: str = ""
    scope_version: str = ""
    scope: Attributes = {}
    schema_url: str = ""


class Event(msgspec.Struct, gc=False):
    """A span event; `time_ns` is nanoseconds since 1970 UTC, 0 when unset."""

    name: str
    time_ns: int = 0
    attributes: Attributes = {}


class Link(msgspec.Struct, gc=False):
    """A link to another span; ids are lower-case hex."""

    trace_id: str
    span_id: str
    attributes: Attributes = {}


class Span(msgspec.Struct, gc=False):
    """One span. Ids are lower-case hex, empty when unset; times are nanoseconds, 0 when unset.

    Attributes:
        status: 0 unset, 1 ok, 2 error.
        dropped: how many ``attributes``, ``events``, ``links``, ``event-attributes`` ... the SDK
            says it dropped; only what is not 0.
        flags: W3C trace flags and what OTLP adds to them, 0 when unset.
        clipped: our own caps cut a value.
    """

    origin: Origin
    name: str = ""
    kind: int = 0
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_state: str = ""
    start_ns: int = 0
    end_ns: int = 0
    attributes: Attributes = {}
    events: list[Event] = []
    links: list[Link] = []
    status: int = 0
    status_message: str = ""
    dropped: dict[str, int] = {}
    flags: int = 0
    clipped: bool = False


class LogRecord(msgspec.Struct, gc=False):
    """One log record, with the same conventions as `Span`.

    Attributes:
        time_ns: event time, or else the time it was observed.
        body: the body's value.
        event_name: EventName field, or the older ``event.name`` attribute.
    """

    origin: Origin
    event_name: str = ""
    time_ns: int = 0
    severity: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: Attributes = {}
    body: object = None
    dropped: dict[str, int] = {}
    flags: int = 0
    clipped: bool = False


def some(counts: dict[str, int]) -> dict[str, int]:
    """Those counts that are not 0."""
    return {name: count for name, count in counts.items() if count > 0}
