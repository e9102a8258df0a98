"""aircon's own JSON lines: one interaction per line, in our own words.

A line is a JSON object with ``"aircon": 1`` (the schema's version) and the members of
`logstore.capture.interaction.Interaction` by their own names; absent members are left out, unknown
ones refused, so that a spelling mistake cannot lose evidence silently::

    {"aircon":1,"operation":"chat","provider":"openai","request_model":"gpt-4o-mini",
     "start_us":1795380415366686,"subjects":[{"id":"user-4711","field":"user","assurance":"sdk"}],
     "input":[{"role":"user","parts":[{"type":"text","text":"Hello"}]}],
     "output":[{"role":"assistant","parts":[{"type":"text","text":"Hi!"}]}],
     "usage":{"input_tokens":1,"output_tokens":2}}

``format`` and ``dialect`` in a line say where it first came from; read back, the format is
``aircon``, the first format stands in the dialect and the grade is ``export``, because that is
what the evidence now is. `encode` writes what `decode` reads.
"""

from __future__ import annotations

from typing import Any

import msgspec

from logstore.capture.decoders.facts import note_gaps
from logstore.capture.decoders.jsonvalues import is_time, load_object
from logstore.capture.interaction import Interaction
from logstore.errors import FormatError

VERSION = 1
"""Version of the line's schema, its ``aircon`` member."""

_MEMBERS = frozenset(Interaction.__struct_fields__)


def decode(raw: bytes) -> Interaction:
    """Read one line.

    Raises:
        FormatError: not JSON, another version, an unknown member, one of the wrong type or a
            time out of range.
    """
    line = load_object(raw)
    if line.pop("aircon", None) != VERSION:
        raise FormatError(f"not an aircon line of version {VERSION}")
    unknown = line.keys() - _MEMBERS
    if unknown:
        raise FormatError(f"unknown members: {', '.join(sorted(unknown)[:5])}")
    origin = line.get("format")
    line.setdefault("format", "aircon")
    found = _convert(line)
    found.dialect = _dialect(origin, found.dialect)
    found.format, found.grade = "aircon", "export"
    return note_gaps(found)


def encode(interaction: Interaction) -> bytes:
    """Write one line, without its line feed."""
    return b'{"aircon":1,' + msgspec.json.encode(interaction)[1:]


def _convert(line: dict[str, Any]) -> Interaction:
    try:
        found = msgspec.convert(line, Interaction)
    except (msgspec.MsgspecError, RecursionError, OverflowError) as error:
        raise FormatError(f"not an interaction: {error}") from None
    for moment in (found.start_us, found.end_us):
        if moment is not None and not is_time(moment):
            raise FormatError("not an interaction: a time that no record can have")
    return found


def _dialect(origin: object, dialect: str) -> str:
    if not isinstance(origin, str) or origin == "aircon":
        return dialect
    return f"{origin}/{dialect}" if dialect else origin
