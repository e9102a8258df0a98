"""Recorded OTLP exports of real clients, decoded, beside the truth of each call."""

from __future__ import annotations

import gzip
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from logstore.capture.decoders.otlp_identity import TraceIdentities
from logstore.capture.decoders.otlp_log import decode_log, decode_log_json
from logstore.capture.decoders.otlp_span import decode_span, decode_span_json
from logstore.capture.decoders.otlp_split import (
    split_json_stream,
    split_logs_protobuf,
    split_traces_protobuf,
)
from logstore.capture.decoders.otlp_wire import signal
from logstore.capture.interaction import Interaction
from logstore.capture.items import Bad, Item

DECODERS = {
    "otlp.span": decode_span,
    "otlp.span+json": decode_span_json,
    "otlp.log": decode_log,
    "otlp.log+json": decode_log_json,
}


@dataclass
class Heard:
    """One item of a source and what was decoded from it."""

    item: Item
    made: Interaction


def decoder(item: Item):
    return DECODERS[item.format]


def payload(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def split(data: bytes, known: TraceIdentities | None = None) -> list[Item | Bad]:
    if data.lstrip()[:1] == b"{":
        return list(split_json_stream(io.BytesIO(data), known))
    if signal(data) == "logs":
        return list(split_logs_protobuf(data, known))
    return list(split_traces_protobuf(data, known))


def hear(*paths: Path) -> list[Heard]:
    """Everything in the files, decoded; a refusal fails the test."""
    heard = []
    for path in paths:
        for item in split(payload(path)):
            assert isinstance(item, Item), item
            heard.append(Heard(item, decoder(item)(item.raw)))
    return heard


def truths(data: Path, run: str) -> list[dict]:
    lines = (data / "capture" / "GROUND_TRUTH.jsonl").read_text().splitlines()
    return [call for line in lines if (call := json.loads(line))["run"] == run]


STRUCTURE = {
    "key", "kind", "code", "traceId", "spanId", "parentSpanId", "intValue",
    "startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano",
}  # fmt: skip
"""Members of OTLP/JSON that hold no words of the call."""


def strings(item: Item) -> list[str]:
    """Every string in an item, read without our decoders."""
    if item.format.endswith("+json"):
        tree = json.loads(item.raw)
    else:
        request = ExportTraceServiceRequest if "span" in item.format else ExportLogsServiceRequest
        tree = MessageToDict(request.FromString(item.raw))
    found: list[str] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            found.append(node)
        elif isinstance(node, dict):
            todo.extend(value for name, value in node.items() if name not in STRUCTURE)
        elif isinstance(node, list):
            todo.extend(node)
    return found


def carries(texts: list[str], fact: str) -> bool:
    """Whether a text stands in any string, plain or as JSON in it, and not just its prefix."""
    spelled = {fact, json.dumps(fact)[1:-1], json.dumps(fact, ensure_ascii=False)[1:-1]}
    wanted = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?![\w-]*\d)" for text in spelled))
    return any(wanted.search(text) for text in texts)
