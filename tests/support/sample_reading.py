"""Reads a generated sample with nothing but json, gzip and protobuf: a second opinion on truth.

`calls` yields every piece of evidence as a small dict with the same keys whatever the format, so
that a test can ask the logs a naive question without our own decoders.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

Found = dict[str, Any]


def plain(path: Path) -> bytes:
    """A file's content, inflated when its name says so."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def lines(path: Path) -> Iterator[Any]:
    """Every line that is JSON; the planted bad ones are stepped over."""
    for line in plain(path).split(b"\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def protobuf(path: Path) -> Any:
    """An OTLP protobuf file as plain objects."""
    return MessageToDict(TracesData.FromString(plain(path)))


def calls(root: Path) -> Iterator[Found]:
    """Calls of web chat, gateway, coding agent and staff search."""
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        if name.startswith(("wren-web", "forge-agent")):
            yield from _otlp_json(path)
        elif name.endswith(".pb.gz"):
            yield from _otlp_protobuf(path)
        elif name.startswith("gateway"):
            yield from _gateway(path)


def _otlp_json(path: Path) -> Iterator[Found]:
    for request in lines(path):
        if "resourceSpans" not in request:
            continue
        for resource in request["resourceSpans"]:
            spans = [s for scope in resource["scopeSpans"] for s in scope["spans"]]
            yield from _spans([(s, _plain_attributes(s["attributes"])) for s in spans])


def _otlp_protobuf(path: Path) -> Iterator[Found]:
    for resource in protobuf(path)["resourceSpans"]:
        spans = [s for scope in resource["scopeSpans"] for s in scope["spans"]]
        yield from _spans([(s, _plain_attributes(s["attributes"])) for s in spans])


def _spans(spans: list[tuple[Any, Found]]) -> Iterator[Found]:
    roots = {s["traceId"]: a for s, a in spans if "parentSpanId" not in s}
    for span, found in spans:
        if "parentSpanId" not in span:
            continue
        root = roots[span["traceId"]]
        yield {
            "id": found.get("gen_ai.response.id", ""),
            "user": root.get("enduser.id", ""),
            "address": root["client.address"],
            "actor": root.get("larkmoor.agent.identity", ""),
            "start_us": int(span["startTimeUnixNano"]) // 1000,
            "asked": found.get("gen_ai.input.messages") or found.get("input.value", ""),
            "said": found.get("gen_ai.output.messages") or found.get("output.value", ""),
            "version": found.get("aircon.model.version", ""),
            "documents": found.get("aircon.document.ids", []),
            "datasets": found.get("aircon.dataset.ids", []),
            "tool": found.get("gen_ai.tool.name", ""),
            "cached": False,
            "key": "",
            "parameters": {},
        }


def _plain_attributes(pairs: list[Any]) -> Found:
    return {pair["key"]: _plain(pair["value"]) for pair in pairs}


def _plain(value: Any) -> Any:
    ((kind, inner),) = value.items()
    return [_plain(item) for item in inner.get("values", [])] if kind == "arrayValue" else inner


def _gateway(path: Path) -> Iterator[Found]:
    for log in lines(path):
        answer = log["response"]
        yield {
            "id": answer.get("id", ""),
            "user": log["end_user"] or "",
            "address": log["requester_ip_address"],
            "actor": "",
            "start_us": round(log["startTime"] * 1_000_000),
            "asked": json.dumps(log["messages"], ensure_ascii=False),
            "said": json.dumps(answer.get("choices", ""), ensure_ascii=False),
            "version": log["metadata"]["requester_metadata"]["model_version"],
            "documents": [],
            "datasets": [],
            "tool": "",
            "cached": bool(log["cache_hit"]),
            "key": log["metadata"]["user_api_key_alias"],
            "parameters": log["model_parameters"],
        }
