"""OTLP/JSON bytes to `Span` and `LogRecord` (OTLP 1.x, JSON Protobuf encoding).

Accepts what real exporters write beyond the specification: ids in base64, enums by name, numbers
as strings. Unknown members are ignored here; they stay in the evidence.
"""

from __future__ import annotations

import msgspec

from logstore.capture.decoders.otlp_attributes import (
    Budget,
    JsonAnyValue,
    JsonKeyValue,
    from_json,
    hex_id,
    integer,
    json_value,
)
from logstore.capture.decoders.otlp_protobuf import MAX_EVENTS
from logstore.capture.decoders.otlp_telemetry import Event, Link, LogRecord, Origin, Span, some
from logstore.errors import FormatError

_KINDS = {
    "SPAN_KIND_UNSPECIFIED": 0,
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
_STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


class _Resource(msgspec.Struct, rename="camel", gc=False):
    attributes: list[JsonKeyValue] | None = None
    dropped_attributes_count: int | str | None = None


class _Scope(msgspec.Struct, rename="camel", gc=False):
    name: str | None = None
    version: str | None = None
    attributes: list[JsonKeyValue] | None = None
    dropped_attributes_count: int | str | None = None


class _Event(msgspec.Struct, rename="camel", gc=False):
    name: str | None = None
    time_unix_nano: int | str | None = None
    attributes: list[JsonKeyValue] | None = None
    dropped_attributes_count: int | str | None = None


class _Link(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[JsonKeyValue] | None = None
    dropped_attributes_count: int | str | None = None


class _Status(msgspec.Struct, gc=False):
    code: int | str | None = None
    message: str | None = None


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    attributes: list[JsonKeyValue] | None = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None
    dropped_attributes_count: int | str | None = None
    dropped_events_count: int | str | None = None
    dropped_links_count: int | str | None = None
    flags: int | str | None = None


class _Log(msgspec.Struct, rename="camel", gc=False):
    time_unix_nano: int | str | None = None
    observed_time_unix_nano: int | str | None = None
    severity_text: str | None = None
    event_name: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[JsonKeyValue] | None = None
    body: JsonAnyValue | None = None
    dropped_attributes_count: int | str | None = None
    flags: int | str | None = None


class _ScopeSpans(msgspec.Struct, rename="camel", gc=False):
    spans: list[_Span]
    scope: _Scope | None = None
    schema_url: str | None = None


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    scope_spans: list[_ScopeSpans]
    resource: _Resource | None = None
    schema_url: str | None = None


class _Traces(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans]


class _ScopeLogs(msgspec.Struct, rename="camel", gc=False):
    log_records: list[_Log]
    scope: _Scope | None = None
    schema_url: str | None = None


class _ResourceLogs(msgspec.Struct, rename="camel", gc=False):
    scope_logs: list[_ScopeLogs]
    resource: _Resource | None = None
    schema_url: str | None = None


class _Logs(msgspec.Struct, rename="camel", gc=False):
    resource_logs: list[_ResourceLogs]


_traces = msgspec.json.Decoder(_Traces)
_logs = msgspec.json.Decoder(_Logs)


def read_span(raw: bytes) -> Span:
    """The one span of an OTLP/JSON export request.

    Raises:
        FormatError: not OTLP/JSON of exactly one span, or over a cap.
    """
    try:
        request = _traces.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FormatError(f"not an OTLP/JSON trace export request: {error}") from None
    if len(request.resource_spans) == 1 and len(request.resource_spans[0].scope_spans) == 1:
        resource = request.resource_spans[0]
        scope = resource.scope_spans[0]
        if len(scope.spans) == 1:
            budget = Budget()
            url = scope.schema_url or resource.schema_url
            origin = _origin(resource.resource, scope.scope, url, budget)
            around = _around(resource.resource, scope.scope)
            return _span(scope.spans[0], origin, budget, around)
    raise FormatError("an OTLP/JSON trace export request that does not hold exactly one span")


def read_log(raw: bytes) -> LogRecord:
    """The one log record of an OTLP/JSON export request.

    Raises:
        FormatError: not OTLP/JSON of exactly one log record, or over a cap.
    """
    try:
        request = _logs.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FormatError(f"not an OTLP/JSON logs export request: {error}") from None
    if len(request.resource_logs) == 1 and len(request.resource_logs[0].scope_logs) == 1:
        resource = request.resource_logs[0]
        scope = resource.scope_logs[0]
        if len(scope.log_records) == 1:
            budget = Budget()
            url = scope.schema_url or resource.schema_url
            origin = _origin(resource.resource, scope.scope, url, budget)
            around = _around(resource.resource, scope.scope)
            return _log(scope.log_records[0], origin, budget, around)
    raise FormatError("an OTLP/JSON logs export request that does not hold exactly one record")


def _origin(
    resource: _Resource | None, scope: _Scope | None, schema_url: str | None, budget: Budget
) -> Origin:
    scope = scope or _Scope()
    return Origin(
        resource=from_json(resource.attributes if resource else None, budget),
        scope_name=scope.name or "",
        scope_version=scope.version or "",
        scope=from_json(scope.attributes, budget),
        schema_url=schema_url or "",
    )


def _around(resource: _Resource | None, scope: _Scope | None) -> dict[str, int]:
    return {
        "resource-attributes": integer(resource.dropped_attributes_count) if resource else 0,
        "scope-attributes": integer(scope.dropped_attributes_count) if scope else 0,
    }


def _span(span: _Span, origin: Origin, budget: Budget, around: dict[str, int]) -> Span:
    status = span.status or _Status()
    events = span.events or []
    links = span.links or []
    return Span(
        origin=origin,
        name=span.name or "",
        kind=_enum(span.kind, _KINDS),
        trace_id=hex_id(span.trace_id, 16),
        span_id=hex_id(span.span_id, 8),
        parent_span_id=hex_id(span.parent_span_id, 8),
        trace_state=span.trace_state or "",
        start_ns=integer(span.start_time_unix_nano),
        end_ns=integer(span.end_time_unix_nano),
        attributes=from_json(span.attributes, budget),
        events=[_event(event, budget) for event in events[:MAX_EVENTS]],
        links=[_link(link, budget) for link in links[:MAX_EVENTS]],
        status=_enum(status.code, _STATUS),
        status_message=status.message or "",
        dropped=some(_dropped(span) | around),
        flags=integer(span.flags),
        clipped=budget.clipped or max(len(events), len(links)) > MAX_EVENTS,
    )


def _event(event: _Event, budget: Budget) -> Event:
    time_ns = integer(event.time_unix_nano)
    return Event(event.name or "", time_ns, from_json(event.attributes, budget))


def _link(link: _Link, budget: Budget) -> Link:
    attributes = from_json(link.attributes, budget)
    return Link(hex_id(link.trace_id, 16), hex_id(link.span_id, 8), attributes)


def _dropped(span: _Span) -> dict[str, int]:
    events, links = span.events or [], span.links or []
    return {
        "attributes": integer(span.dropped_attributes_count),
        "events": integer(span.dropped_events_count),
        "links": integer(span.dropped_links_count),
        "event-attributes": sum(integer(each.dropped_attributes_count) for each in events),
        "link-attributes": sum(integer(each.dropped_attributes_count) for each in links),
    }


def _log(log: _Log, origin: Origin, budget: Budget, around: dict[str, int]) -> LogRecord:
    attributes = from_json(log.attributes, budget)
    body = json_value(log.body, budget)
    return LogRecord(
        origin=origin,
        event_name=log.event_name or "",
        time_ns=integer(log.time_unix_nano) or integer(log.observed_time_unix_nano),
        severity=log.severity_text or "",
        trace_id=hex_id(log.trace_id, 16),
        span_id=hex_id(log.span_id, 8),
        attributes=attributes,
        body=body,
        dropped=some({"attributes": integer(log.dropped_attributes_count)} | around),
        flags=integer(log.flags),
        clipped=budget.clipped,
    )


def _enum(value: int | str | None, names: dict[str, int]) -> int:
    return names.get(value, 0) if isinstance(value, str) else value or 0
