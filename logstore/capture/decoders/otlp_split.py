"""OTLP files and export requests to one `Item` per span and log record.

Rules of this file:

1. An item's `raw` is an export request that holds one span or log record with its resource, scope
   and schema URLs, cut from the sender's own bytes: protobuf at the wire format, JSON by
   `msgspec.Raw`. No span is ever written anew; unknown fields stay.
2. Nothing is dropped: spans that are no AI operation become items too (they say who called).
   Metrics and profiles are no interactions and are refused as ``not-otlp-traces-or-logs``.
3. Memory is bounded by `MAX_REQUEST`; a longer line or message is refused and skipped. What the
   spans of a request have in common is repeated for each, as far as `unfolding` lets it.
4. Identity is joined as `otlp_identity` says: within a request in any order, across the requests
   of a file in the order of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from logstore.capture.decoders.otlp_attributes import (
    Budget,
    JsonAnyValue,
    hex_id,
    hex_of,
    json_value,
    protobuf_value,
)
from logstore.capture.decoders.otlp_identity import IDENTITY, TraceIdentities, identity_of
from logstore.capture.decoders.otlp_jsonwire import LOGS, TRACES, json_cuts, members
from logstore.capture.decoders.otlp_wire import Cut, TooMany, cuts, encode_varint, varint
from logstore.capture.items import Bad, Context, Item
from logstore.capture.unfolding import TOO_FAR, bounded
from logstore.errors import FormatError

MAX_REQUEST = 64 * 2**20
"""Longest JSON line, protobuf message or resource in bytes."""

MAX_BAD = 2**20
"""Most bytes of a refused piece that are kept."""

Signal = Literal["traces", "logs"]
"""What an export request carries."""

_BATCH = 8 * 2**20  # Resources of one protobuf file joined at a time.


class _Head(NamedTuple):
    """A record and what joining needs to know of it."""

    item: Item
    trace: str
    span: str
    parent: str
    identity: Context | None


def split_traces_protobuf(
    data: bytes, identities: TraceIdentities | None = None, where: str = ""
) -> Iterator[Item | Bad]:
    """Every span of a TracesData or ExportTraceServiceRequest.

    Args:
        data: the protobuf message.
        identities: remembers identity across requests; by default only this one is known.
        where: place of the request in its source, put before each span's own.

    Yields:
        An item per span in order; one `Bad` for what is no such message.
    """
    yield from _joined(_protobuf_heads(data, "traces", where), identities)


def split_logs_protobuf(
    data: bytes, identities: TraceIdentities | None = None, where: str = ""
) -> Iterator[Item | Bad]:
    """Every log record of a LogsData or ExportLogsServiceRequest; as `split_traces_protobuf`."""
    yield from _joined(_protobuf_heads(data, "logs", where), identities)


def split_json(
    line: bytes, identities: TraceIdentities | None = None, where: str = ""
) -> Iterator[Item | Bad]:
    """Every span and log record of one OTLP/JSON export request; as `split_traces_protobuf`."""
    yield from _joined(_json_heads(line, where), identities)


def split_json_stream(
    stream: BinaryIO, identities: TraceIdentities | None = None
) -> Iterator[Item | Bad]:
    """Every span and log record of a file of OTLP/JSON: one request per line, or one in all."""
    known = identities if identities is not None else TraceIdentities()
    number = 0
    while line := stream.readline(MAX_REQUEST + 1):
        number += 1
        if len(line) > MAX_REQUEST:
            yield Bad(line[:MAX_BAD], f"line {number}", "too-long")
            _skip_line(stream, line)
        elif not line.strip():
            continue
        elif number == 1 and not _is_json(line):
            yield from _whole_file(stream, line, known)
            return
        else:
            yield from split_json(line, known, f"line {number}")


def split_protobuf_stream(
    stream: BinaryIO, signal: Signal, identities: TraceIdentities | None = None
) -> Iterator[Item | Bad]:
    """Every record of a protobuf file: one message, or messages each after its length.

    A file of appended messages is one message (protobuf concatenates). Lengths are the four
    big-endian bytes that the OpenTelemetry Collector's file exporter writes.
    """
    known = identities if identities is not None else TraceIdentities()
    first = stream.read(1)
    pieces = _framed(stream, first) if first == b"\0" else _resources(stream, first)
    for piece in pieces:
        if isinstance(piece, Bad):
            yield piece
        else:
            yield from _joined(_protobuf_heads(piece[0], signal, piece[1]), known)


def _joined(
    heads: Iterator[_Head | Bad], identities: TraceIdentities | None
) -> Iterator[Item | Bad]:
    known = identities if identities is not None else TraceIdentities()
    found = list(bounded(heads, _piece))  # the root span often stands last in its request
    for head in found:
        if isinstance(head, _Head) and head.item.format.startswith("otlp.span"):
            known.saw(head.trace, head.span, head.parent, head.identity)
    for head in found:
        if isinstance(head, Bad):
            yield head
            continue
        item = head.item
        asks = head.parent if item.format.startswith("otlp.span") else head.span
        context = known.above(head.trace, asks) if head.trace else None
        if context is None or context is head.identity:
            yield item
        else:
            yield Item(item.raw, item.format, item.where, context)


def _piece(head: _Head | Bad) -> Item | Bad:
    return head if isinstance(head, Bad) else head.item


def _place(where: str, word: str, number: int) -> str:
    return f"{where}, {word} {number}" if where else f"{word} {number}"


# --- protobuf ---


def _protobuf_heads(data: bytes, signal: Signal, where: str) -> Iterator[_Head | Bad]:
    word = "span" if signal == "traces" else "log record"
    head = _span_reader() if signal == "traces" else _log_reader()
    number = 0
    try:
        for number, cut in enumerate(cuts(data), 1):
            yield head(cut, _place(where, word, number))
    except FormatError as error:
        reason = TOO_FAR if isinstance(error, TooMany) else "not-protobuf"
        yield Bad(data[:MAX_BAD], where or f"after {word} {number}", reason)


def _span_reader() -> Callable[[Cut, str], _Head | Bad]:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    read = Span.FromString

    def head(cut: Cut, where: str) -> _Head | Bad:
        try:
            span = read(cut.record)
        except DecodeError:
            return Bad(cut.request[:MAX_BAD], where, "not-a-span")
        pairs = [
            (pair.key, protobuf_value(pair.value, Budget()))
            for pair in span.attributes
            if pair.key in IDENTITY
        ]
        return _Head(
            Item(cut.request, "otlp.span", where),
            hex_of(span.trace_id),
            hex_of(span.span_id),
            hex_of(span.parent_span_id),
            identity_of(pairs) if pairs else None,
        )

    return head


def _log_reader() -> Callable[[Cut, str], _Head | Bad]:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    read = LogRecord.FromString

    def head(cut: Cut, where: str) -> _Head | Bad:
        try:
            log = read(cut.record)
        except DecodeError:
            return Bad(cut.request[:MAX_BAD], where, "not-a-log-record")
        item = Item(cut.request, "otlp.log", where)
        return _Head(item, hex_of(log.trace_id), hex_of(log.span_id), "", None)

    return head


def _framed(stream: BinaryIO, first: bytes) -> Iterator[tuple[bytes, str] | Bad]:
    number = 0
    while first:
        number += 1
        size = first + stream.read(3)
        length = int.from_bytes(size, "big")
        if len(size) < 4 or length > MAX_REQUEST:
            yield Bad(size, f"message {number}", "too-long" if len(size) == 4 else "cut-short")
            return
        data = stream.read(length)
        if len(data) < length:
            yield Bad(data[:MAX_BAD], f"message {number}", "cut-short")
            return
        yield data, f"message {number}"
        first = stream.read(1)


def _resources(stream: BinaryIO, first: bytes) -> Iterator[tuple[bytes, str] | Bad]:
    """Top-level fields in batches; each batch is a request by itself."""
    batch: list[bytes] = []
    size = number = 0
    while first:
        field = _top_field(stream, first)
        if field is None:
            if batch:
                yield b"".join(batch), f"to resource {number}"
            yield Bad(first, f"after resource {number}", "not-protobuf")
            return
        batch.append(field)
        size += len(field)
        number += 1
        first = stream.read(1)
        if size >= _BATCH or not first:
            yield (
                b"".join(batch),
                "" if number == len(batch) and not first else f"to resource {number}",
            )
            batch, size = [], 0


def _top_field(stream: BinaryIO, key: bytes) -> bytes | None:
    """One length-delimited field from the stream; None when it is anything else."""
    if key[0] & 7 != 2 or key[0] > 0x7F:
        return None
    prefix = b""
    while not prefix or prefix[-1] > 0x7F:
        more = stream.read(1)
        if not more or len(prefix) > 9:
            return None
        prefix += more
    length, _ = varint(prefix, 0, len(prefix))
    if length > MAX_REQUEST:
        return None
    data = stream.read(length)
    return key + encode_varint(length) + data if len(data) == length else None


# --- JSON ---


class _SpanHead(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    attributes: list[_Pair] | None = None


class _Pair(msgspec.Struct, gc=False):
    key: str = ""
    value: msgspec.Raw = msgspec.Raw(b"null")


_span_head = msgspec.json.Decoder(_SpanHead).decode
_any_value = msgspec.json.Decoder(JsonAnyValue | None).decode


_JSON = ((TRACES, "otlp.span+json", "span"), (LOGS, "otlp.log+json", "log record"))


def _json_heads(line: bytes, where: str) -> Iterator[_Head | Bad]:
    number = 0
    try:
        request = members(line)
        if not request.keys() & {"resourceSpans", "resourceLogs"}:
            yield Bad(line[:MAX_BAD], where or "request", "not-otlp-traces-or-logs")
            return
        for layout, name, word in _JSON:
            number = 0
            for raw, record in json_cuts(request, layout):
                number += 1
                yield _json_head(Item(raw, name, _place(where, word, number)), record)
    except (msgspec.MsgspecError, RecursionError, ValueError, FormatError):
        reason = "not-otlp-json" if number or line.lstrip()[:1] == b"{" else "not-json"
        yield Bad(line[:MAX_BAD], where or "request", reason)


def _json_head(item: Item, record: bytes) -> _Head | Bad:
    try:
        head = _span_head(record)
        pairs = [
            (pair.key, _plain(pair.value)) for pair in head.attributes or () if pair.key in IDENTITY
        ]
        return _Head(
            item,
            hex_id(head.trace_id, 16),
            hex_id(head.span_id, 8),
            hex_id(head.parent_span_id, 8),
            identity_of(pairs) if pairs else None,
        )
    except (msgspec.MsgspecError, RecursionError, ValueError, FormatError):
        return Bad(item.raw[:MAX_BAD], item.where, "not-a-span-or-log-record")


def _plain(value: msgspec.Raw) -> object:
    found = _any_value(value)
    return json_value(found, Budget())


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return False
    return True


def _whole_file(stream: BinaryIO, line: bytes, known: TraceIdentities) -> Iterator[Item | Bad]:
    """A request laid out over many lines, or a file whose first line is broken."""
    rest = stream.read(MAX_REQUEST + 1 - len(line))
    if len(line) + len(rest) <= MAX_REQUEST and _is_json(line + rest):
        yield from split_json(line + rest, known)
        return
    yield from split_json(line, known, "line 1")
    number = 1
    for number, more in enumerate(_lines(rest, stream), 2):
        if len(more) > MAX_REQUEST:
            yield Bad(more[:MAX_BAD], f"line {number}", "too-long")
        elif more.strip():
            yield from split_json(more, known, f"line {number}")


def _lines(rest: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """The lines of what was read already, then of the stream; a too long one is cut."""
    start = 0
    while (stop := rest.find(b"\n", start)) >= 0:
        yield rest[start : stop + 1]
        start = stop + 1
    line = rest[start:] + stream.readline(MAX_REQUEST + 1)
    while line:
        yield line[: MAX_REQUEST + 1]
        _skip_line(stream, line)
        line = stream.readline(MAX_REQUEST + 1)


def _skip_line(stream: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(MAX_REQUEST)
