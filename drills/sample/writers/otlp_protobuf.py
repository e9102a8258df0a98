"""OTLP protobuf: export requests one after another, which protobuf reads as one message.

A new file begins after some thousand spans, so that no file grows too large to be read at once.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Status, TracesData
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from drills.sample.call import Turn
from drills.sample.writers.files import Files
from drills.sample.writers.openinference import openinference
from drills.sample.writers.spans import Attributes, Span, gen_ai, resource

FORMAT = "otlp.span"
_SPANS_PER_FILE = 8000


class OtlpProtobufWriter:
    """Writes one export request per turn."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._spans: dict[str, int] = {}
        self._part: dict[str, int] = {}

    def write(self, turn: Turn) -> str:
        """Write the turn; the staff search speaks OpenInference, the rest gen_ai."""
        app = turn.app.name
        if self._spans.get(app, 0) >= _SPANS_PER_FILE:
            self._files.shut(self._path(app))
            self._part[app] = self._part.get(app, 1) + 1
            self._spans[app] = 0
        spans = openinference(turn) if app == "heron-search" else gen_ai(turn)
        self._spans[app] = self._spans.get(app, 0) + len(spans)
        data = TracesData(resource_spans=[_resource_spans(turn, spans)]).SerializeToString(
            deterministic=True
        )
        path = self._path(app)
        self._files.sink(path, FORMAT).message(data, len(turn.calls), len(spans))
        return path

    def close(self) -> None:
        """Nothing is held back."""

    def _path(self, app: str) -> str:
        return f"{app}/traces-{self._part.get(app, 1):04d}.pb.gz"


def _resource_spans(turn: Turn, spans: list[Span]) -> ResourceSpans:
    found = ResourceSpans()
    _fill(found.resource.attributes, resource(turn))
    scopes: dict[tuple[str, str], Any] = {}
    for span in spans:
        scope = scopes.get(span.scope)
        if scope is None:
            scope = scopes[span.scope] = found.scope_spans.add()
            scope.scope.name, scope.scope.version = span.scope
        _put(scope.spans.add(), turn.trace, span)
    return found


def _put(message: Message, trace: str, span: Span) -> None:
    message.trace_id = bytes.fromhex(trace)
    message.span_id = bytes.fromhex(span.span)
    if span.parent:
        message.parent_span_id = bytes.fromhex(span.parent)
    message.flags = 256
    message.name = span.name
    message.kind = span.kind  # type: ignore[assignment] # the number of an enum's value
    message.start_time_unix_nano = span.start_us * 1000
    message.end_time_unix_nano = span.end_us * 1000
    _fill(message.attributes, span.attributes)
    if span.first_token_us:
        event = message.events.add()
        event.time_unix_nano = span.first_token_us * 1000
        event.name = "First Token Stream Event"
    if span.error:
        message.status.code = Status.STATUS_CODE_ERROR
        message.status.message = span.error
    elif span.ok:
        message.status.code = Status.STATUS_CODE_OK


def _fill(target: Any, pairs: Attributes) -> None:
    target.extend([KeyValue(key=key, value=_value(value)) for key, value in pairs])


def _value(value: Any) -> AnyValue:
    kind = type(value)
    if kind is str:
        return AnyValue(string_value=value)
    if kind is bool:
        return AnyValue(bool_value=value)
    if kind is int:
        return AnyValue(int_value=value)
    if kind is float:
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
