"""What a source is, from its bytes and structure; never from its name.

`shape_of` looks at the first bytes of a stream: lines of JSON, JSON values of any layout, or an
OTLP protobuf message. `format_of` looks at one JSON value and names its format. Both only guess
which decoder to ask; the decoder has the last word.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Shape = Literal["lines", "values", "otlp-traces", "otlp-logs", "unknown"]
"""How to cut a stream."""

BOM = b"\xef\xbb\xbf"
"""A UTF-8 byte order mark; skipped."""

_NOTHING = msgspec.Raw(b"")


class _Probe(msgspec.Struct, rename={"schema_type": "schemaType", "resource_spans": "resourceSpans",
                                     "resource_logs": "resourceLogs",
                                     "resource_metrics": "resourceMetrics",
                                     "correlation_id": "CorrelationId", "row_type": "Type",
                                     "sequence": "SequenceNumber", "deployment": "DeploymentName",
                                     "asked_rows": "RequestMessages",
                                     "given_rows": "ResponseMessages"}):  # fmt: skip
    """The members that tell formats apart, unread."""

    aircon: msgspec.Raw = _NOTHING
    schema_type: msgspec.Raw = _NOTHING
    resource_spans: msgspec.Raw = _NOTHING
    resource_logs: msgspec.Raw = _NOTHING
    resource_metrics: msgspec.Raw = _NOTHING
    correlation_id: msgspec.Raw = _NOTHING
    row_type: msgspec.Raw = _NOTHING
    sequence: msgspec.Raw = _NOTHING
    deployment: msgspec.Raw = _NOTHING
    asked_rows: msgspec.Raw = _NOTHING
    given_rows: msgspec.Raw = _NOTHING
    litellm_call_id: msgspec.Raw = _NOTHING
    call_type: msgspec.Raw = _NOTHING
    model_group: msgspec.Raw = _NOTHING
    category: msgspec.Raw = _NOTHING
    trace: msgspec.Raw = _NOTHING
    observations: msgspec.Raw = _NOTHING
    custom_id: msgspec.Raw = _NOTHING
    body: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    request: msgspec.Raw = _NOTHING
    response: msgspec.Raw = _NOTHING
    path: msgspec.Raw = _NOTHING
    url: msgspec.Raw = _NOTHING
    records: msgspec.Raw = _NOTHING


class _Side(msgspec.Struct):
    """The members of a request, response or HTTP object that tell providers apart, unread."""

    path: msgspec.Raw = _NOTHING
    url: msgspec.Raw = _NOTHING
    body: msgspec.Raw = _NOTHING
    model: msgspec.Raw = _NOTHING
    type: msgspec.Raw = _NOTHING
    stop_reason: msgspec.Raw = _NOTHING
    anthropic_version: msgspec.Raw = _NOTHING
    system: msgspec.Raw = _NOTHING


_probe = msgspec.json.Decoder(_Probe).decode
_side = msgspec.json.Decoder(_Side).decode
_whole = msgspec.json.Decoder(msgspec.Raw).decode
_AZURE = (b'"GatewayLogs"', b'"RequestResponse"')
_OPENAI_PATHS = (b"/completions", b"/responses", b"/embeddings")
# time, observed time, severity number, severity text, body, attribute of a LogRecord
_LOG_STARTS = (b"\x09", b"\x59", b"\x10", b"\x1a", b"\x2a", b"\x32")
# Where an Anthropic stream's first event stands, as an event list or as text/event-stream.
_ANTHROPIC_EVENT = re.compile(rb'message_start|"type": ?"(?:message|error|content_block)')


def shape_of(head: bytes) -> Shape:
    """How to cut a stream that begins with `head` (some 256 kB of it, or all)."""
    text = head.removeprefix(BOM).lstrip()
    if text[:1] == b"[":
        return "values"
    lines = text.split(b"\n")
    if len(lines) > 1 and any(_is_json_line(line) for line in lines[:-1]):
        return "lines"
    if text[:1] == b"{":
        return "values" if len(lines) > 1 and text.rstrip() != lines[0].rstrip() else "lines"
    return _protobuf_shape(head)


def format_of(value: bytes) -> str | None:
    """The format of one JSON value; None when it is JSON of no format known here.

    Besides the decoders' formats: ``otlp.json`` (an export request), ``otlp.metrics`` (no
    interactions in it), ``langfuse.export``, ``batch.input``, ``batch.output``, ``apim.row`` and
    ``azure.records`` (Azure Monitor's envelope), which are cut or joined into decoders' formats.

    Raises:
        ValueError: not a JSON object.
    """
    try:
        probe = _probe(value)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise ValueError("not-json") from error
    if probe.call_type and (probe.litellm_call_id or probe.model_group):
        return "litellm"
    if probe.resource_spans or probe.resource_logs:
        return "otlp.json"
    if probe.resource_metrics:
        return "otlp.metrics"
    if probe.aircon:
        return "aircon"
    return _platform_format(probe) or _pair_format(probe)


def _platform_format(probe: _Probe) -> str | None:
    """The format of a gateway's, cloud's or platform's own record."""
    rows = probe.correlation_id and (probe.deployment or probe.asked_rows or probe.given_rows)
    answered = probe.response or probe.error
    signs: tuple[tuple[str, object], ...] = (
        ("bedrock", bytes(probe.schema_type) == b'"ModelInvocationLog"'),
        ("apim.row", rows or bytes(probe.row_type) == b'"ApiManagementGatewayLlmLog"'),
        ("apim.gateway", bytes(probe.category) in _AZURE),
        ("langfuse.export", probe.trace and bytes(probe.observations)[:1] == b"["),
        ("batch.input", probe.custom_id and probe.body),
        ("batch.output", probe.custom_id and answered),
        ("azure.records", bytes(probe.records)[:1] == b"["),
    )
    return next((name for name, is_there in signs if is_there), None)


def _pair_format(probe: _Probe) -> str | None:
    """Which provider a request/response pair speaks to."""
    if bytes(probe.request)[:1] != b"{" and bytes(probe.response)[:1] not in (b"{", b"["):
        return None
    request, response = _read_side(probe.request), _read_side(probe.response)
    where = b" ".join(map(bytes, (probe.path, probe.url, request.path, request.url)))
    if b"/messages" in where:
        return "anthropic.pair"
    if any(path in where for path in _OPENAI_PATHS):
        return "openai.pair"
    if request.body:
        request = _read_side(request.body)
    body = bytes(response.body or probe.response)
    answer = _read_side(response.body) if response.body else response
    if (
        request.anthropic_version
        or request.system
        or answer.stop_reason
        or bytes(answer.type) in (b'"message"', b'"error"')
        or bytes(request.model).startswith(b'"claude')
        or (body[:1] in b'["' and _ANTHROPIC_EVENT.search(body[:4096]))
    ):
        return "anthropic.pair"
    return "openai.pair"


def _read_side(raw: msgspec.Raw) -> _Side:
    if bytes(raw)[:1] != b"{":
        return _Side()
    try:
        return _side(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return _Side()


def _is_json_line(line: bytes) -> bool:
    if line[:1] != b"{":
        return False
    try:
        _whole(line)
        return format_of(line) is not None
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return False


def _protobuf_shape(head: bytes) -> Shape:
    """OTLP messages start with field 1 (resource_spans, resource_logs), length-delimited.

    Inside: field 2 is the scope's records, and in it field 2 a span (trace id of 16 bytes, span id
    of 8), a log record (which starts with a time, severity, body or attribute) or a metric.
    """
    level, end = _field(head, 0, len(head), 1)
    if head[:1] == b"\0":  # the collector's file exporter: a length of four bytes first
        level, end = _field(head, 4, len(head), 1)
    for _ in range(2):
        if level < 0:
            return "unknown"
        level, end = _field(head, level, end, 2)
    if level < 0:
        return "unknown"
    if head[level : level + 2] == b"\x0a\x10" and head[level + 18 : level + 20] == b"\x12\x08":
        return "otlp-traces"
    return "otlp-logs" if head[level : level + 1] in _LOG_STARTS else "unknown"


def _field(data: bytes, at: int, end: int, wanted: int) -> tuple[int, int]:
    """(start, end) of the first length-delimited field `wanted` in data[at:end], or (-1, -1)."""
    while 0 <= at < min(end, len(data)):
        key, at = data[at], at + 1
        if key & 7 != 2:
            break
        size = shift = 0
        while at < len(data) and shift < 35:
            size |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                break
        if key >> 3 == wanted:
            return at, min(at + size, end)
        at += size
    return -1, -1
