"""Captured requests made wrong in many ways: byte by byte, and along the structure they have."""

from __future__ import annotations

import json
import random
from typing import Any

from logstore.capture.decoders.otlp_wire import LEN, Field, encode_varint, fields
from logstore.errors import FormatError

WRONG: tuple[Any, ...] = (
    None, True, -1, 1.5, 10**30, 2**63, "", "x" * 70_000, "\ud800", "\0", [], [[]], [None], {},
    {"a": None}, [{"role": 5}], {"stringValue": 5}, "2026-11-02T00:00:00Z", "NaN",
)  # fmt: skip
"""Values put in the place of others."""

_BITS = (b"", b"\0", b"\xff", b"\xc3\x28", b"}", b"]", b'"', b",", b"[" * 50, b"1e999", b"\n{")


class Mutator:
    """Makes requests wrong, the same ones for the same seed.

    Args:
        seed: of everything random.
        others: what is spliced into requests.
    """

    def __init__(self, seed: int, others: list[bytes]) -> None:
        self.random = random.Random(seed)
        self._others = others

    def any(self, data: bytes) -> bytes:
        """One request made wrong in one to three ways."""
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            along = self.json if data[:1] in (b"{", b"[") else self.protobuf
            data = self.random.choice((self.bytes, along, along))(data)
        return data

    def bytes(self, data: bytes) -> bytes:
        """Bytes changed, left out, put in, repeated, cut off, or of another request."""
        choose = self.random
        start, stop = sorted(choose.randrange(len(data) + 1) for _ in range(2))
        stop = min(stop, start + choose.choice((1, 4, 40, 400)))
        return choose.choice(
            (
                lambda: data[:start] + choose.randbytes(stop - start) + data[stop:],
                lambda: data[:start] + data[stop:],
                lambda: data[:start] + choose.choice(_BITS) + data[start:],
                lambda: data[:stop] + data[start:stop] * 2 + data[stop:],
                lambda: data[:start],
                lambda: data[:start] + choose.choice(self._others)[start:],
            )
        )()

    def json(self, data: bytes) -> bytes:
        """One member or element replaced, left out, repeated or wrapped."""
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return self.bytes(data)
        places = list(_places(value))
        if not places:
            return self.bytes(data)
        holder, key = self.random.choice(places)
        match self.random.randrange(5):
            case 0:
                del holder[key]
            case 1:
                holder[key] = [holder[key], holder[key]]
            case 2:
                holder[key] = json.dumps(holder[key])
            case _:
                holder[key] = self.random.choice(WRONG)
        return json.dumps(value, separators=(",", ":")).encode()

    def protobuf(self, data: bytes) -> bytes:
        """One field, at any depth, changed, left out, repeated or of another type."""
        try:
            found = list(fields(data, 0, len(data)))
        except FormatError:
            return self.bytes(data)
        if not found:
            return self.bytes(data) if data else b"\x0a\x00"
        field = self.random.choice(found)
        return data[: field.start] + self._field(data, field) + data[field.end :]

    def _field(self, data: bytes, field: Field) -> bytes:
        whole, inner = data[field.start : field.end], data[field.value : field.end]
        if field.wire == LEN and inner and self.random.random() < 0.8:
            made = self.protobuf(inner)
            return bytes([field.number << 3 & 0x7F | LEN]) + encode_varint(len(made)) + made
        return self.random.choice(
            (
                lambda: b"",
                lambda: whole * 3,
                lambda: bytes([whole[0] ^ 1 << self.random.randrange(8)]) + whole[1:],
                lambda: self.bytes(whole),
            )
        )()


def _places(value: Any) -> Any:
    """(container, key) of every member and element."""
    found = value.items() if isinstance(value, dict) else enumerate(value)
    if not isinstance(value, dict | list):
        return
    for key, inner in list(found):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)
