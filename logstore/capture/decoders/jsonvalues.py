"""Foreign JSON read safely: every accessor gives the value in the wanted shape, or nothing.

Rules of this file:

1. Reading never fails half-way: `load` raises `FormatError` or returns a whole value.
2. No accessor raises. A member of the wrong type is as absent as a missing one; its bytes are
   still in the evidence.
3. Text is taken as it stands, never trimmed, folded or repaired; only a lone UTF-16 surrogate
   escape (legal JSON, but no character) is read as U+FFFD.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from logstore.errors import FormatError

MAX_EVENTS = 1_000_000
"""Most elements read from one list of the source."""

_MAX_US = 253_402_300_799_000_000  # end of the year 9999

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_FRACTION = re.compile(r"(\.\d{6})\d+")


def load(raw: bytes | str) -> Any:
    """Read one JSON value.

    Raises:
        FormatError: not JSON, nested too deeply, or not UTF-8.
    """
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        data = raw.encode(errors="replace") if isinstance(raw, str) else raw
        if b"\\u" in data and isinstance(error, msgspec.MsgspecError):
            return _load_mended(data, error)
        raise FormatError(f"not JSON: {error}") from None


def load_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        FormatError: not JSON, or JSON of another type.
    """
    value = load(raw)
    if not isinstance(value, dict):
        raise FormatError("JSON, but not an object")
    return value


def members_reader(*names: str) -> Callable[[bytes], dict[str, Any]]:
    """A reader of some members of an object; the others are passed over without being built.

    What it reads is as `load_object` reads it, absent members as None. Worth it where a source
    repeats large tables in every record.
    """
    shape = msgspec.defstruct("Members", [(name, Any, None) for name in names], gc=False)
    decode, as_dict = msgspec.json.Decoder(shape).decode, msgspec.structs.asdict

    def read(raw: bytes) -> dict[str, Any]:
        try:
            return as_dict(decode(raw))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            whole = load_object(raw)
            return {name: whole.get(name) for name in names}

    return read


def loaded(value: object) -> object:
    """The value inside a string that holds JSON; anything else as it is."""
    if isinstance(value, str) and value[:1] in '{["':
        try:
            return load(value)
        except FormatError:
            return value
    return value


def obj(value: object) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def array(value: object) -> list[Any]:
    """The list (at most `MAX_EVENTS` of it), or an empty one."""
    return value[:MAX_EVENTS] if isinstance(value, list) else []


def text(value: object) -> str | None:
    """The string if it is one and not empty."""
    return value if isinstance(value, str) and value else None


def identifier(value: object) -> str | None:
    """An id as text; sources also write ids as numbers."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def integer(value: object) -> int | None:
    """The whole number; numbers written as text or with a zero fraction count."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        return int(value)
    return None


def number(value: object) -> float | None:
    """The finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def flag(value: object) -> bool | None:
    """The boolean; also the words ``true`` and ``false``, which some sources write."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return None


def strings(value: object) -> list[str]:
    """The non-empty strings of a list."""
    return [item for item in array(value) if isinstance(item, str) and item]


def as_text(value: object) -> str:
    """A string as it is, anything structured as compact JSON, nothing as empty."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return ""


def epoch_us(seconds: object) -> int | None:
    """Microseconds since 1970 UTC from seconds (fraction allowed) since then."""
    value = number(seconds)
    return None if value is None else _in_range(round(value * 1_000_000))


def iso_us(value: object) -> int | None:
    """Microseconds since 1970 UTC from an ISO 8601 time; without an offset it is UTC."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    trimmed = _FRACTION.sub(r"\1", value).removesuffix(" UTC")
    try:
        moment = datetime.fromisoformat(trimmed)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - _EPOCH
    return _in_range((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds)


def time_us(value: object) -> int | None:
    """Microseconds since 1970 UTC from ISO 8601, or from epoch seconds or milliseconds."""
    if isinstance(value, str):
        return iso_us(value)
    seconds = number(value)
    if seconds is not None and seconds > 1e11:  # year 5138 in seconds, 1973 in milliseconds
        seconds /= 1000
    return epoch_us(seconds)


def without(source: dict[str, Any], *names: str) -> dict[str, object]:
    """The members that have no field of ours, leaving out the named and the empty ones."""
    return {k: v for k, v in source.items() if k not in names and v not in _NOTHING}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: tuple[object, ...] = (None, "", [], {})


def is_time(us: int) -> bool:
    """Whether so many microseconds since 1970 UTC are a moment that a record can have."""
    return 0 < us <= _MAX_US


def _in_range(us: int) -> int | None:
    return us if is_time(us) else None


def _load_mended(raw: bytes, error: Exception) -> Any:
    def mend(match: re.Match[bytes]) -> bytes:
        return rb"\ufffd" if match["lone"] else match[0]

    mended = _ESCAPE.sub(mend, raw)
    if mended == raw:
        raise FormatError(f"not JSON: {error}") from None
    try:
        return _decode(mended)
    except (msgspec.MsgspecError, ValueError, RecursionError) as again:
        raise FormatError(f"not JSON: {again}") from None
