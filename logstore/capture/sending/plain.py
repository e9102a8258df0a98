"""An application's own values as JSON. Pure, and never fails.

Values of JSON's own kinds, dataclasses, msgspec and pydantic models, dates and UUIDs are written as
they are. Anything else stands as ``{"unrecorded": "module.Class"}``: its text form is the
application's secret to tell (a client object's would show its key), and may run any code.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.encode


def plain_json(value: object) -> bytes:
    """Compact JSON of any value."""
    try:
        return _encode(value, enc_hook=_plain)
    except Exception:  # noqa: BLE001 - whatever an object does when it is read, the rest is kept
        return _spelled_out(value)


def plain_text(value: object) -> str:
    """Text as it is, None as nothing, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else plain_json(value).decode()


def mended(text: str) -> str:
    """Text with U+FFFD for every half of a character, which UTF-8 can not hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def class_name(value: object) -> str:
    """The name of a value's class with its module."""
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _plain(value: object) -> object:
    """The value of a pydantic model; of another object its class alone."""
    dump = getattr(type(value), "model_dump", None)
    if callable(dump):
        try:
            return dump(value, mode="json")
        except Exception:  # noqa: BLE001 - the application's own code; its class has to do
            return _unrecorded(value)
    return _unrecorded(value)


def _unrecorded(value: object) -> dict[str, str]:
    return {"unrecorded": class_name(value)}


def _built_in(value: object) -> object:
    """What the standard encoder can write of a value that it does not know."""
    try:
        return msgspec.to_builtins(value, str_keys=True, enc_hook=_plain)
    except Exception:  # noqa: BLE001 - the application's own code; its class has to do
        return _unrecorded(value)


def _spelled_out(value: object) -> bytes:
    """What msgspec refuses: lone surrogates, keys that are no text, whole numbers over 64 bits."""
    try:
        return mended(
            json.dumps(_keyed(value), default=_built_in, allow_nan=False, ensure_ascii=False)
        ).encode()
    except Exception:  # noqa: BLE001 - the application's own code; its class has to do
        return _encode(_unrecorded(value))


def _keyed(value: Any) -> Any:
    """The value with its outermost keys as text, and what JSON can not hold replaced."""
    if isinstance(value, dict):
        return {_key(key): _member(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_member(item) for item in value]
    return value


def _member(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, default=_built_in, allow_nan=False))
    except Exception:  # noqa: BLE001 - the application's own code; its class has to do
        return _unrecorded(value)


def _key(key: object) -> str:
    return str(key) if isinstance(key, str | int | float | bool) else class_name(key)
