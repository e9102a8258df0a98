"""OTLP values: AnyValue to plain Python, ids to lower-case hex; protobuf and JSON alike.

OTLP 1.x, common.proto and the OTLP/JSON encoding rules: ids are hex, 64-bit integers may be
strings, bytes are base64. Depth and number of values are capped; what is cut sets `clipped`.
Bytes become base64 text, so that a value is the same whichever encoding and signal carried it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from logstore.errors import FormatError

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

MAX_DEPTH = 24
"""Deepest nesting of a value that is kept; protobuf itself gives up at about 30."""

MAX_VALUES = 100_000
"""Most values read from one span or log record."""

CUT = "[cut by aircon: nested too deeply]"
"""Stands where a value was nested deeper than `MAX_DEPTH`."""


class Budget:
    """Counts the values of one span or log record and remembers whether any was cut."""

    __slots__ = ("clipped", "left")

    def __init__(self) -> None:
        self.left = MAX_VALUES
        self.clipped = False

    def spend(self, count: int) -> None:
        """Take `count` values from what is left.

        Raises:
            FormatError: more than `MAX_VALUES` values.
        """
        self.left -= count
        if self.left < 0:
            raise FormatError(f"more than {MAX_VALUES} attribute values in one record")

    def cut(self) -> str:
        """The stand-in for a value nested too deeply."""
        self.clipped = True
        return CUT


class JsonAnyValue(msgspec.Struct, rename="camel", gc=False):
    """AnyValue in OTLP/JSON: at most one member is set; integers and floats may be strings."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: JsonArray | None = None
    kvlist_value: JsonKeyValues | None = None
    bytes_value: str | None = None


class JsonArray(msgspec.Struct, gc=False):
    """ArrayValue in OTLP/JSON."""

    values: list[JsonAnyValue | None] | None = None


class JsonKeyValue(msgspec.Struct, gc=False):
    """KeyValue in OTLP/JSON."""

    key: str = ""
    value: JsonAnyValue | None = None


class JsonKeyValues(msgspec.Struct, gc=False):
    """KeyValueList in OTLP/JSON."""

    values: list[JsonKeyValue] | None = None


def from_protobuf(
    attributes: Iterable[KeyValue], budget: Budget, depth: int = 0
) -> dict[str, object]:
    """Attributes of a protobuf message; a repeated key keeps its last value."""
    found: dict[str, object] = {}
    for pair in attributes:
        value = pair.value
        # Most values are non-empty strings: reading that member first saves the oneof look-up.
        found[pair.key] = value.string_value or protobuf_value(value, budget, depth)
    budget.spend(len(found))
    return found


def protobuf_value(value: AnyValue, budget: Budget, depth: int = 0) -> object:
    """One protobuf AnyValue.

    Raises:
        FormatError: too many values.
    """
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        if depth >= MAX_DEPTH:
            return budget.cut()
        values = value.array_value.values
        budget.spend(len(values))
        return [item.string_value or protobuf_value(item, budget, depth + 1) for item in values]
    if which == "kvlist_value":
        if depth >= MAX_DEPTH:
            return budget.cut()
        return from_protobuf(value.kvlist_value.values, budget, depth + 1)
    plain = getattr(value, which)
    return base64.b64encode(plain).decode() if which == "bytes_value" else plain


def from_json(
    attributes: list[JsonKeyValue] | None, budget: Budget, depth: int = 0
) -> dict[str, object]:
    """Attributes of an OTLP/JSON object; a repeated key keeps its last value."""
    found: dict[str, object] = {}
    for pair in attributes or ():
        value = pair.value
        if value is None:
            found[pair.key] = None
        else:
            found[pair.key] = value.string_value or json_value(value, budget, depth)
    budget.spend(len(found))
    return found


def json_value(value: JsonAnyValue | None, budget: Budget, depth: int = 0) -> object:
    """One OTLP/JSON AnyValue.

    Raises:
        FormatError: too many values, or a number or base64 string that is none.
    """
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return integer(value.int_value)
    if value.array_value is not None or value.kvlist_value is not None:
        return _json_nested(value, budget, depth)
    return _json_scalar(value)


def _json_scalar(value: JsonAnyValue) -> object:
    if value.double_value is not None:
        return _real(value.double_value)
    if value.bytes_value is not None:
        return _base64(value.bytes_value)
    return value.bool_value


def _json_nested(value: JsonAnyValue, budget: Budget, depth: int) -> object:
    if depth >= MAX_DEPTH:
        return budget.cut()
    if value.array_value is not None:
        values = value.array_value.values or []
        budget.spend(len(values))
        return [json_value(item, budget, depth + 1) for item in values]
    pairs = value.kvlist_value.values if value.kvlist_value is not None else None
    return from_json(pairs, budget, depth + 1)


def integer(value: int | str | None) -> int:
    """A 64-bit integer that OTLP/JSON may write as a string; absent and empty are 0.

    Raises:
        FormatError: not an integer of at most 64 bits.
    """
    if isinstance(value, str):
        if len(value) > 20:
            raise FormatError("an integer longer than 64 bits")
        try:
            value = int(value) if value else 0
        except ValueError:
            raise FormatError("an integer field that holds none") from None
    if value is None:
        return 0
    if not -(2**63) <= value < 2**64:
        raise FormatError("an integer longer than 64 bits")
    return value


def _real(value: float | str) -> float:
    if isinstance(value, str):
        try:
            return float(value[:400])
        except ValueError:
            raise FormatError("a number field that holds none") from None
    return float(value)


def _base64(value: str) -> str:
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), altchars=None, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("a bytes field that is not base64") from None
    return base64.b64encode(data).decode()


def hex_id(value: str | None, size: int) -> str:
    """An id of `size` bytes as lower-case hex; OTLP/JSON writes hex, other writers base64.

    Raises:
        FormatError: neither.
    """
    if not value:
        return ""
    try:
        if len(value) == 2 * size:
            data = bytes.fromhex(value)
        else:
            data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("a trace or span id that is no id") from None
    if len(data) != size:
        raise FormatError("a trace or span id of the wrong length")
    return data.hex() if any(data) else ""


def hex_of(data: bytes) -> str:
    """A protobuf id as lower-case hex; the all-zero id means none."""
    return data.hex() if data.strip(b"\0") else ""
