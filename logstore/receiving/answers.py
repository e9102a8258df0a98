"""The bytes of an answer: OTLP responses, google.rpc.Status, and JSON of our own doors. Pure.

OTLP specification, "Full Success", "Partial Success" and "Failures": the answer has the request's
encoding; rejected records are counted in ``partial_success``; failures carry a Status message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from logstore.capture.decoders.otlp_wire import encode_varint
from logstore.receiving.arriving import Route

if TYPE_CHECKING:
    from logstore.receiving.endpoint import Stored
    from logstore.receiving.refusals import Refused

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_REJECTED = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}
# google.rpc.Code by HTTP status, as google/rpc/code.proto maps them.
_RPC = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}


def words(stored: Stored) -> str:
    """What a sender is told about pieces that were rejected; empty when none was."""
    if not stored.rejected:
        return ""
    kept = stored.rejected - stored.withheld
    parts = [f"{kept} could not be read and are kept as opaque evidence"] if kept else []
    if stored.withheld:
        parts.append(f"{stored.withheld} were not kept: their person's keys were destroyed")
    if stored.cut_short:
        parts.append("the rest unfolds too far and was not taken: send smaller batches")
    return "; ".join(parts)


def otlp(route: Route, stored: Stored, *, is_json: bool) -> bytes:
    """An Export*ServiceResponse; its partial_success is set where something was rejected."""
    message = words(stored)
    if is_json:
        body = {"partialSuccess": {_REJECTED[route]: str(stored.rejected), "errorMessage": message}}
        return msgspec.json.encode(body if message else {})
    if not message:
        return b""
    text = message.encode()
    inner = b"\x08%b\x12%b%b" % (encode_varint(stored.rejected), encode_varint(len(text)), text)
    return b"\x0a%b%b" % (encode_varint(len(inner)), inner)


def otlp_failure(refused: Refused, *, is_json: bool) -> bytes:
    """A google.rpc.Status."""
    code = _RPC.get(refused.status, 2)
    if is_json:
        return msgspec.json.encode({"code": code, "message": refused.message})
    text = refused.message.encode()
    return b"\x08%b\x12%b%b" % (encode_varint(code), encode_varint(len(text)), text)


def records(stored: Stored) -> bytes:
    """The answer of ``POST /v1/records``."""
    body: dict[str, object] = {
        "stored": stored.stored, "rejected": stored.rejected, "indexes": list(stored.indexes)
    }  # fmt: skip
    if stored.rejected:
        body["message"] = words(stored)
    return msgspec.json.encode(body)


def failure(refused: Refused) -> bytes:
    """The answer of our own doors to what is refused."""
    return msgspec.json.encode({"error": refused.slug, "message": refused.message})
