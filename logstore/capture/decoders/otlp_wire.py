"""Cutting an OTLP export request into requests that hold one span or log record each.

Protobuf is cut at its wire format, so that every cut keeps the sender's own bytes, unknown fields
included: nothing is decoded and written again. Traces and logs share one layout:

    request   { 1: resource_spans | resource_logs, ... }
    resource_*{ 1: resource, 2: scope_spans | scope_logs, 3: schema_url, ... }
    scope_*   { 1: scope, 2: span | log record, 3: schema_url, ... }

Each cut is the request with one such path; all other fields of the path are kept as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from logstore.capture.unfolding import MAX_PIECES
from logstore.errors import FormatError

MAX_HEAD = 1 << 20
"""Largest resource or scope in bytes: it is repeated in the evidence of every record under it."""


class TooMany(FormatError):
    """A scope or resource has more than `MAX_PIECES` parts."""


LEN = 2
"""Wire type of strings, bytes and messages."""

_FIXED = {1: 8, 5: 4}


class Field(NamedTuple):
    """One field on the wire: `data[start:end]` is all of it, `data[value:end]` its payload."""

    number: int
    wire: int
    start: int
    value: int
    end: int


class Cut(NamedTuple):
    """One span or log record: the request that holds only it, and its own message bytes."""

    request: bytes
    record: bytes


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """An unsigned varint and the position after it.

    Raises:
        FormatError: cut short or longer than 64 bits.
    """
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            break
    raise FormatError("a protobuf varint that does not end")


def encode_varint(value: int) -> bytes:
    """An unsigned varint's bytes."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in `data[start:end]`.

    Raises:
        FormatError: not protobuf, or the long deprecated groups, which OTLP never used.
    """
    at = start
    while at < end:
        begin = at
        key, at = varint(data, at, end)
        wire = key & 7
        value = at
        if wire == LEN:
            length, value = varint(data, at, end)
            at = value + length
        elif wire == 0:
            _, at = varint(data, at, end)
        elif wire in _FIXED:
            at += _FIXED[wire]
        else:
            raise FormatError("a protobuf wire type that OTLP does not use")
        if at > end or not key >> 3:
            raise FormatError("a protobuf field that runs past its message")
        yield Field(key >> 3, wire, begin, value, at)


def cuts(data: bytes) -> Iterator[Cut]:
    """One cut for each span or log record of an export request, in order.

    Raises:
        FormatError: the request is not protobuf of that layout; `TooMany` where it has more parts
            than are taken.
    """
    for top in _children(data, 0, len(data), 1):
        kept = _beside(data, top.value, top.end)
        for scope in _children(data, top.value, top.end, 2):
            beside = _beside(data, scope.value, scope.end)
            for record in _children(data, scope.value, scope.end, 2):
                inner = beside + data[record.start : record.end]
                outer = kept + b"\x12" + encode_varint(len(inner)) + inner
                request = b"\x0a" + encode_varint(len(outer)) + outer
                yield Cut(request, data[record.value : record.end])


def signal(data: bytes) -> str | None:
    """Which signal a protobuf export request carries: ``traces``, ``logs``, or None (other, empty).

    The first record decides: a span begins with a 16-byte trace id and an 8-byte span id, a log
    record has a fixed 64-bit time.
    """
    try:
        first = next(cuts(data), None)
        if first is None:
            return None
        found = list(fields(first.record, 0, len(first.record)))
    except FormatError:
        return None
    shapes = {field.number: (field.wire, field.end - field.value) for field in found}
    if shapes.get(1) == (LEN, 16) and shapes.get(2) == (LEN, 8):
        return "traces"
    if (1, 8) in (shapes.get(1), shapes.get(11)):
        return "logs"
    return None


def _children(data: bytes, start: int, end: int, number: int) -> Iterator[Field]:
    for field in fields(data, start, end):
        if field.number == number and field.wire == LEN:
            yield field


def _beside(data: bytes, start: int, end: int) -> bytes:
    """All fields but those of number 2, as they stand.

    Nothing is collected of the others: there can be half as many as there are bytes.
    """
    kept: list[bytes] = []
    size = parts = 0
    run = start  # where the fields that are kept began
    for field in fields(data, start, end):
        if field.number != 2 or field.wire != LEN:
            continue
        parts += 1
        if parts > MAX_PIECES:
            raise TooMany(f"more than {MAX_PIECES} spans or log records together")
        if field.start > run:
            kept.append(data[run : field.start])
            size = _checked(size + field.start - run)
        run = field.end
    _checked(size + end - run)
    kept.append(data[run:end])
    return b"".join(kept)


def _checked(size: int) -> int:
    if size > MAX_HEAD:
        raise FormatError(f"a resource or scope of {size} bytes; at most {MAX_HEAD} are taken")
    return size
