"""OTLP JSON lines, as the file exporter leaves them: one export request per line."""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Turn
from drills.sample.writers.files import Files, week
from drills.sample.writers.spans import Attributes, Span, gen_ai, resource

FORMAT = "otlp.span+json"
_SCHEMA = "https://opentelemetry.io/schemas/1.37.0"
_BATCH = 4


class OtlpJsonWriter:
    """Writes a line for every few turns of an application, as a batching exporter does."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._held: dict[str, list[Turn]] = {}

    def write(self, turn: Turn) -> str:
        """Hold the turn until its batch is full."""
        path = f"{turn.app.name}/traces-{week(turn.start_us)}.jsonl.gz"
        held = self._held.setdefault(path, [])
        held.append(turn)
        if len(held) >= _BATCH:
            self._flush(path)
        return path

    def close(self) -> None:
        """Write the batches that never filled."""
        for path in self._held:
            self._flush(path)

    def _flush(self, path: str) -> None:
        turns = self._held[path]
        if not turns:
            return
        by_scope: dict[tuple[str, str], list[dict[str, Any]]] = {}
        count = 0
        for turn in turns:
            for span in gen_ai(turn):
                by_scope.setdefault(span.scope, []).append(_span(turn.trace, span))
                count += 1
        scopes = [
            {"scope": {"name": name, "version": version}, "spans": spans, "schemaUrl": _SCHEMA}
            for (name, version), spans in by_scope.items()
        ]
        request = {
            "resourceSpans": [
                {"resource": {"attributes": _attributes(resource(turns[0]))}, "scopeSpans": scopes}
            ]
        }
        calls = sum(len(turn.calls) for turn in turns)
        self._files.sink(path, FORMAT).line(msgspec.json.encode(request), calls, count)
        turns.clear()


def _span(trace: str, span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {"traceId": trace, "spanId": span.span}
    if span.parent:
        found["parentSpanId"] = span.parent
    found["flags"] = 256
    found["name"] = span.name
    found["kind"] = span.kind
    found["startTimeUnixNano"] = f"{span.start_us}000"
    found["endTimeUnixNano"] = f"{span.end_us}000"
    found["attributes"] = _attributes(span.attributes)
    found["status"] = {"message": span.error, "code": 2} if span.error else {}
    return found


def _attributes(pairs: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in pairs]


def _value(value: Any) -> dict[str, Any]:
    kind = type(value)
    if kind is str:
        return {"stringValue": value}
    if kind is bool:
        return {"boolValue": value}
    if kind is int:
        return {"intValue": str(value)}
    if kind is float:
        return {"doubleValue": value}
    return {"arrayValue": {"values": [_value(item) for item in value]}}
