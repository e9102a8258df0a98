"""Thrift's compact protocol, which Parquet's metadata is written in, read with distrust. Pure.

Structs become mappings from field number to value, and nothing is known of what fields mean. Work
and memory are bounded by the number of bytes and of values. Source: thrift-compact-protocol.md of
Apache Thrift. Doubles, sets and maps, which Parquet's metadata does not have, are refused.
"""

from __future__ import annotations

from typing import TypeAlias

from logstore.errors import FormatError

Value: TypeAlias = "bool | int | bytes | list[Value] | Struct"
"""A value of a field, or of a list."""

Struct: TypeAlias = "dict[int, Value]"
"""A struct: field number -> value."""

MAX_VALUES = 500_000
"""Most values in one struct, those inside others counted too."""

_MAX_DEPTH = 10
_MAX_VARINT = 10
_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _BINARY, _LIST, _STRUCT = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
    12,
)
_LONG = 15  # in place of the length of a list that does not fit into four bits


class CompactReader:
    """Reads structs that follow each other.

    Args:
        data: where they stand.
        at: where the first begins.

    Attributes:
        at: behind what was read.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.at = at
        self._data = data
        self._left = MAX_VALUES

    def struct(self, depth: int = 0) -> Struct:
        """The struct that begins here.

        Raises:
            FormatError: there is none, or it is deeper or has more values than any should.
        """
        if depth > _MAX_DEPTH:
            raise FormatError("metadata too deep to be any")
        found: Struct = {}
        field = 0
        while (head := self._byte()) != _STOP:
            field = field + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            if kind in {_TRUE, _FALSE}:
                found[field] = kind == _TRUE
            else:
                found[field] = self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Value:
        self._left -= 1
        if self._left < 0:
            raise FormatError(f"metadata with more than {MAX_VALUES} values")
        if kind in {_I16, _I32, _I64}:
            return self._signed()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _LIST:
            return self._list(depth + 1)
        if kind in {_TRUE, _FALSE, _BYTE}:  # a truth value here is an element of a list
            return self._byte()
        raise FormatError("metadata with what none has")

    def _list(self, depth: int) -> list[Value]:
        if depth > _MAX_DEPTH:
            raise FormatError("metadata too deep to be any")
        head = self._byte()
        count = head >> 4 if head >> 4 < _LONG else self._varint()
        if count > len(self._data) - self.at:  # each takes a byte at least
            raise FormatError("metadata ends inside a list")
        return [self._value(head & 15, depth) for _ in range(count)]

    def _signed(self) -> int:
        said = self._varint()
        return said >> 1 ^ -(said & 1)

    def _varint(self) -> int:
        value = 0
        for place in range(_MAX_VARINT):
            byte = self._byte()
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value
        raise FormatError("a number in metadata does not end")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise FormatError("metadata ends too early")
        self.at += 1
        return self._data[self.at - 1]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self.at:
            raise FormatError("metadata ends inside a value")
        self.at += count
        return self._data[self.at - count : self.at]
