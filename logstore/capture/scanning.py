"""JSON values cut from a stream one after the other, without reading the file into memory.

Rules of this file:

1. Top-level values may be separated by white space or commas; a top-level array is opened and its
   elements are given one by one, so ``[a, b]``, ``a b`` and lines read the same.
2. Only brackets and strings are looked at. Whether a value is JSON its reader decides; a broken
   element that keeps its brackets balanced does not disturb the next.
3. Memory is bounded by `MAX_VALUE`, nesting by `MAX_DEPTH`; what exceeds them is given as refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_VALUE = 32 * 2**20
"""Longest value in bytes."""

MAX_DEPTH = 200
"""Deepest nesting of a value."""

MAX_KEPT = 2**20
"""Most bytes kept of a refused value."""

_CHUNK = 1024 * 1024
# From here to the next bracket outside a string; strings are skipped whole, never backtracked.
_BRACKET = re.compile(rb'(?:[^{}\[\]"]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_GAP = re.compile(rb"[\s,]*")
_SCALAR = re.compile(rb'(?:"(?:[^"\\]++|\\.)*+"|[^\s,\]{}\["]++)++', re.DOTALL)


class Value(NamedTuple):
    """One value, or the reason why it is refused.

    Attributes:
        data: its bytes (of a refused one at most `MAX_KEPT`).
        number: counts values from 1.
        refused: reason slug, or None.
    """

    data: bytes
    number: int
    refused: str | None


def values(stream: BinaryIO) -> Iterator[Value]:
    """Every top-level value, and every element of a top-level array."""
    return _Scanner(stream).values()


class _Scanner:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._ended = False
        self._number = 0
        self._inside = False  # a top-level array

    def values(self) -> Iterator[Value]:
        while self._skip_gap():
            byte = self._buffer[self._at]
            if byte == 0x5B and not self._inside:  # [
                self._inside = True
                self._at += 1
            elif byte == 0x5D:  # ]
                if not self._inside:
                    yield self._value(self._buffer[self._at : self._at + 1], "not-json")
                self._inside = False
                self._at += 1
            elif byte in (0x7B, 0x5B):
                yield from self._structure()
            else:
                yield self._scalar()

    def _value(self, data: bytes, refused: str | None = None) -> Value:
        self._number += 1
        return Value(data if refused is None else data[:MAX_KEPT], self._number, refused)

    def _skip_gap(self) -> bool:
        """Stand on the next byte that is no separator; False at the end."""
        while True:
            match = _GAP.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return True
            if not self._more(keep=self._at):
                return False

    def _more(self, keep: int) -> bool:
        """Read on, forgetting what lies before `keep`; False at the end of the stream."""
        self._buffer = self._buffer[keep:]
        self._at -= keep
        if self._ended:
            return False
        # Doubling, so that a long string is not looked through again and again.
        data = self._stream.read(max(_CHUNK, len(self._buffer)))
        self._ended = not data
        self._buffer += data
        return bool(data)

    def _structure(self) -> Iterator[Value]:
        """A value in brackets, from its first to its last."""
        depth, start, here = 0, self._at, self._at
        refused: str | None = None
        kept = b""
        while True:
            match = _BRACKET.match(self._buffer, here)
            if match is None:
                if len(self._buffer) - start > MAX_VALUE:
                    kept = kept or self._buffer[start : start + MAX_KEPT]
                    refused = "too-large"
                    if len(self._buffer) - here > MAX_VALUE:  # one string that never ends
                        self._at, self._ended = len(self._buffer), True
                        yield self._value(kept, refused)
                        return
                    start = here
                self._at = here
                here -= start
                if not self._more(keep=start):
                    yield self._value(kept or self._buffer, refused or "cut-short")
                    self._at = len(self._buffer)
                    return
                start = 0
                continue
            here = match.end()
            depth += 1 if match[1] in b"{[" else -1
            if depth > MAX_DEPTH:
                refused = refused or "too-deep"
            if depth == 0:
                break
        self._at = here
        data = self._buffer[start:here]
        if len(data) > MAX_VALUE:
            refused = refused or "too-large"
        yield self._value(kept or data, refused)

    def _scalar(self) -> Value:
        while True:
            match = _SCALAR.match(self._buffer, self._at)
            if match is not None and (match.end() < len(self._buffer) or self._ended):
                self._at = match.end()
                return self._value(match[0])
            if len(self._buffer) - self._at > MAX_KEPT or not self._more(keep=self._at):
                data = self._buffer[self._at :]
                if match is not None or len(data) <= MAX_KEPT:
                    self._at = len(self._buffer)
                    return self._value(data, None if match is not None else "not-json")
                self._at, self._ended = len(self._buffer), True
                return self._value(data, "too-large")
