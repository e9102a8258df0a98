"""OTLP made by hand for tests: one span or log record with given attributes, in both encodings."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from logstore.capture.decoders.otlp_log import decode_log_json
from logstore.capture.decoders.otlp_span import decode_span_json
from logstore.capture.interaction import Interaction

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


_KINDS: tuple[tuple[type, str, Callable[[Any], object]], ...] = (
    (bool, "boolValue", bool),
    (int, "intValue", str),
    (float, "doubleValue", float),
    (bytes, "bytesValue", lambda value: base64.b64encode(value).decode()),
    (list, "arrayValue", lambda value: {"values": [any_value(item) for item in value]}),
    (dict, "kvlistValue", lambda value: {"values": key_values(value)}),
    (str, "stringValue", str),
)


def any_value(value: object) -> dict:
    """A Python value as OTLP/JSON AnyValue; None as the empty one."""
    for kind, name, write in _KINDS:
        if isinstance(value, kind):
            return {name: write(value)}
    return {}


def key_values(attributes: dict) -> list[dict]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def span(attributes: dict, *, scope: str = "made.by.hand", resource: dict | None = None, **fields):
    """A whole OTLP/JSON trace request with one span."""
    body = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "made",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000999",
        "attributes": key_values(attributes),
        **fields,
    }
    scoped = {"scope": {"name": scope}, "spans": [body]}
    about = {"attributes": key_values(resource or {})}
    return {"resourceSpans": [{"resource": about, "scopeSpans": [scoped]}]}


def event(name: str, attributes: dict, time_ns: int = 1_700_000_000_250_000_000) -> dict:
    return {"name": name, "timeUnixNano": str(time_ns), "attributes": key_values(attributes)}


def log(attributes: dict, *, name: str = "", body: object = None, **fields):
    """A whole OTLP/JSON logs request with one record."""
    record = {
        "traceId": TRACE,
        "spanId": SPAN,
        "eventName": name,
        "observedTimeUnixNano": "1700000000000000000",
        "attributes": key_values(attributes),
        "body": any_value(body),
        **fields,
    }
    scoped = {"scope": {"name": "made.by.hand"}, "logRecords": [record]}
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [scoped]}]}


def as_protobuf(request: dict) -> bytes:
    """The same request in protobuf."""
    kind = ExportTraceServiceRequest if "resourceSpans" in request else ExportLogsServiceRequest
    return ParseDict(with_base64_ids(request), kind()).SerializeToString()


def with_base64_ids(node: object) -> object:
    """Google's JSON mapping writes bytes as base64 where OTLP/JSON writes ids as hex."""
    if isinstance(node, list):
        return [with_base64_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: base64.b64encode(bytes.fromhex(value)).decode()
        if name in ("traceId", "spanId", "parentSpanId")
        else with_base64_ids(value)
        for name, value in node.items()
    }


def read_span(attributes: dict, **more) -> Interaction:
    return decode_span_json(json.dumps(span(attributes, **more)).encode())


def read_log(attributes: dict, **more) -> Interaction:
    return decode_log_json(json.dumps(log(attributes, **more)).encode())
