"""OTLP protobuf bytes to `Span` and `LogRecord` (opentelemetry-proto 1.x, trace and logs v1).

`raw` is one item as `otlp_split` cuts it: an export request that holds exactly one span or log
record. Anything else is a FormatError.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from logstore.capture.decoders.otlp_attributes import (
    Budget,
    from_protobuf,
    hex_of,
    protobuf_value,
)
from logstore.capture.decoders.otlp_telemetry import Event, Link, LogRecord, Origin, Span, some
from logstore.errors import FormatError

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1 import logs_pb2
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1 import trace_pb2

MAX_EVENTS = 10_000
"""Most events or links read from one span; further ones mark it clipped."""


@cache
def _requests() -> tuple[type[ExportTraceServiceRequest], type[ExportLogsServiceRequest]]:
    # Imported when first needed: the protobuf runtime must not slow down `aircon --help`.
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    return (
        trace_service_pb2.ExportTraceServiceRequest,
        logs_service_pb2.ExportLogsServiceRequest,
    )


@cache
def _decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    return DecodeError


def read_span(raw: bytes) -> Span:
    """The one span of an export request.

    Raises:
        FormatError: not protobuf of exactly one span, or over a cap.
    """
    try:
        request = _requests()[0].FromString(raw)
    except _decode_error():
        raise FormatError("not an OTLP trace export request") from None
    if len(request.resource_spans) == 1 and len(request.resource_spans[0].scope_spans) == 1:
        resource = request.resource_spans[0]
        scope = resource.scope_spans[0]
        if len(scope.spans) == 1:
            budget = Budget()
            url = scope.schema_url or resource.schema_url
            origin = _origin(resource.resource, scope.scope, url, budget)
            around = (resource.resource, scope.scope)
            return _span(scope.spans[0], origin, budget, _around(*around))
    raise FormatError("an OTLP trace export request that does not hold exactly one span")


def read_log(raw: bytes) -> LogRecord:
    """The one log record of an export request.

    Raises:
        FormatError: not protobuf of exactly one log record, or over a cap.
    """
    try:
        request = _requests()[1].FromString(raw)
    except _decode_error():
        raise FormatError("not an OTLP logs export request") from None
    if len(request.resource_logs) == 1 and len(request.resource_logs[0].scope_logs) == 1:
        resource = request.resource_logs[0]
        scope = resource.scope_logs[0]
        if len(scope.log_records) == 1:
            budget = Budget()
            url = scope.schema_url or resource.schema_url
            origin = _origin(resource.resource, scope.scope, url, budget)
            around = (resource.resource, scope.scope)
            return _log(scope.log_records[0], origin, budget, _around(*around))
    raise FormatError("an OTLP logs export request that does not hold exactly one record")


def _origin(
    resource: Resource, scope: InstrumentationScope, schema_url: str, budget: Budget
) -> Origin:
    return Origin(
        resource=from_protobuf(resource.attributes, budget),
        scope_name=scope.name,
        scope_version=scope.version,
        scope=from_protobuf(scope.attributes, budget),
        schema_url=schema_url,
    )


def _around(resource: Resource, scope: InstrumentationScope) -> dict[str, int]:
    return {
        "resource-attributes": resource.dropped_attributes_count,
        "scope-attributes": scope.dropped_attributes_count,
    }


def _span(span: trace_pb2.Span, origin: Origin, budget: Budget, around: dict[str, int]) -> Span:
    events = [
        Event(event.name, event.time_unix_nano, from_protobuf(event.attributes, budget))
        for event in span.events[:MAX_EVENTS]
    ]
    links = [
        Link(hex_of(link.trace_id), hex_of(link.span_id), from_protobuf(link.attributes, budget))
        for link in span.links[:MAX_EVENTS]
    ]
    attributes = from_protobuf(span.attributes, budget)
    return Span(
        origin=origin,
        name=span.name,
        kind=span.kind,
        trace_id=hex_of(span.trace_id),
        span_id=hex_of(span.span_id),
        parent_span_id=hex_of(span.parent_span_id),
        trace_state=span.trace_state,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=attributes,
        events=events,
        links=links,
        status=span.status.code,
        status_message=span.status.message,
        dropped=some(_dropped(span) | around),
        flags=span.flags,
        clipped=budget.clipped or max(len(span.events), len(span.links)) > MAX_EVENTS,
    )


def _dropped(span: trace_pb2.Span) -> dict[str, int]:
    return {
        "attributes": span.dropped_attributes_count,
        "events": span.dropped_events_count,
        "links": span.dropped_links_count,
        "event-attributes": sum(event.dropped_attributes_count for event in span.events),
        "link-attributes": sum(link.dropped_attributes_count for link in span.links),
    }


def _log(
    log: logs_pb2.LogRecord, origin: Origin, budget: Budget, around: dict[str, int]
) -> LogRecord:
    attributes = from_protobuf(log.attributes, budget)
    body = protobuf_value(log.body, budget)
    return LogRecord(
        origin=origin,
        event_name=log.event_name,
        time_ns=log.time_unix_nano or log.observed_time_unix_nano,
        severity=log.severity_text,
        trace_id=hex_of(log.trace_id),
        span_id=hex_of(log.span_id),
        attributes=attributes,
        body=body,
        dropped=some({"attributes": log.dropped_attributes_count} | around),
        flags=log.flags,
        clipped=budget.clipped,
    )
