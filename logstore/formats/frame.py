"""Frames: how the write-ahead log and the key journal survive a torn write.

    magic "AWF1" (4) | type (1) | zero (3) | payload length u32 | XXH3-64 u64 | payload

The checksum covers type, length and payload, little-endian throughout. XXH3 finds accidents
(torn, zero-filled, duplicated writes); trust comes from hashes and signatures inside the payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import xxhash

from logstore.errors import FormatError

MAGIC = b"AWF1"
HEADER = struct.Struct("<4sB3xIQ")
MAX_PAYLOAD = 2**30
"""Largest payload in bytes; recovery uses the same limit as the writer."""

WAL_HEADER = 1
WAL_GROUP = 2
KEY_PAGE = 16


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame.

    Attributes:
        type: what the payload is.
        payload: its bytes, checksum already checked.
        start: offset of the frame's first byte.
        end: offset just behind it.
    """

    type: int
    payload: memoryview
    start: int
    end: int


def _checksum(kind: int, payload: bytes | bytearray | memoryview) -> int:
    state = xxhash.xxh3_64(struct.pack("<BI", kind, len(payload)))
    state.update(payload)
    return state.intdigest()


def encode(kind: int, payload: bytes | bytearray) -> bytes:
    """One frame around a payload.

    Raises:
        FormatError: payload larger than `MAX_PAYLOAD`.
    """
    buffer = bytearray(HEADER.size) + payload
    finish(kind, buffer)
    return bytes(buffer)


def finish(kind: int, buffer: bytearray) -> None:
    """Fill in the header of a frame whose payload stands behind `HEADER.size` free bytes.

    Raises:
        FormatError: payload larger than `MAX_PAYLOAD`.
    """
    with memoryview(buffer)[HEADER.size :] as payload:
        if len(payload) > MAX_PAYLOAD:
            raise FormatError(f"frame of {len(payload)} bytes; the format allows {MAX_PAYLOAD}")
        HEADER.pack_into(buffer, 0, MAGIC, kind, len(payload), _checksum(kind, payload))


def read(data: bytes | memoryview, offset: int = 0) -> Frame | None:
    """The whole frame at an offset, or None when there is no whole, undamaged one."""
    view = memoryview(data)
    body = offset + HEADER.size
    if len(view) < body:
        return None
    magic, kind, length, checksum = HEADER.unpack_from(view, offset)
    if magic != MAGIC or length > MAX_PAYLOAD or len(view) < body + length:
        return None
    if bytes(view[offset + 5 : offset + 8]) != b"\0\0\0":
        return None
    payload = view[body : body + length]
    if _checksum(kind, payload) != checksum:
        return None
    return Frame(kind, payload, offset, body + length)


def length(header: bytes) -> int | None:
    """Bytes of the whole frame that these first bytes announce; None when they are no header."""
    if len(header) < HEADER.size:
        return None
    magic, _, payload, _ = HEADER.unpack_from(header)
    return HEADER.size + int(payload) if magic == MAGIC and payload <= MAX_PAYLOAD else None


def scan(data: bytes | memoryview, offset: int = 0) -> Iterator[Frame]:
    """Every whole frame from an offset on, until the first damaged or missing one."""
    while (frame := read(data, offset)) is not None:
        yield frame
        offset = frame.end


def resumes_after(data: bytes, offset: int) -> int | None:
    """Where a whole frame starts behind damage at `offset`, or None.

    A torn tail has nothing whole behind it. Anything else is not a crash: it is damage or
    tampering in the middle, and must not be cut away.
    """
    at = data.find(MAGIC, offset + 1)
    while at != -1:
        if read(data, at) is not None:
            return at
        at = data.find(MAGIC, at + 1)
    return None
