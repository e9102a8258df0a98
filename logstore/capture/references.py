"""Content that a record only points at: which locations may be read, and what becomes of it. Pure.

OpenTelemetry's upload hook writes messages to a bucket or directory and puts only their addresses
on the span (``gen_ai.input.messages_ref`` ...). What is fetched is sealed with the record, in the
body's `beside`, under the name of the attribute that pointed at it; the evidence itself stays the
sender's bytes.

Rules of this file:

1. Nothing is read but what lies below a location that the operator allowed. An address is the
   sender's choice: it is parsed strictly, and one that says anything unusual is refused.
2. `file:///dir/`, `s3://bucket/prefix/` and `https://host[:port]/path/` are locations. No user
   names, queries, fragments, escapes of separators, ``.`` or ``..`` in any of them.
3. What could not be fetched stays a gap, ``content-by-reference``, with a second one that says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from logstore.capture.decoders.dialect_gen_ai import REFERENCES, answers, instructions, said
from logstore.capture.decoders.facts import tools_called
from logstore.capture.decoders.jsonvalues import as_text
from logstore.capture.interaction import Interaction
from logstore.errors import UsageError
from logstore.formats import body as bodies
from logstore.formats.body import Body
from logstore.formats.clearfields import admit
from logstore.formats.record import Record

GAP = "content-by-reference"
"""The gap of a record whose content lies elsewhere."""

MAX_ADDRESS = 2_048
"""Longest address in characters."""

Scheme = Literal["file", "s3", "https"]
Reason = Literal[
    "not-allowed", "not-found", "too-large", "too-slow", "not-json", "unreadable", "malformed"
]
"""Why content was not fetched; ``reference-<reason>`` is the gap."""

_INPUT, _OUTPUT, _SYSTEM, _TOOLS = REFERENCES
_GAPS = "aircon.capture.gaps"
_TOOL_NAMES = "aircon.tool.names"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9][a-z0-9-]*|\[[0-9a-f:.]+\]")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Address:
    """One object or, as an allowed location, everything below it.

    Attributes:
        scheme: how it is reached.
        authority: bucket, or host with port where one is given; empty for files.
        path: segments, plain; a location's last one is never part of a name.
    """

    scheme: Scheme
    authority: str
    path: tuple[str, ...]

    def holds(self, other: Address) -> bool:
        """Whether an object lies below this location."""
        same = (self.scheme, self.authority) == (other.scheme, other.authority)
        return (
            same and len(other.path) > len(self.path) and other.path[: len(self.path)] == self.path
        )


def parse_address(text: str) -> Address | None:
    """An object's address; None when it is anything but a plain one."""
    if len(text) > MAX_ADDRESS or not text.isascii() or not text.isprintable() or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    strange = "?" in text or "#" in text or not text.startswith(f"{parts.scheme}://")
    path = _segments(parts.path)
    authority = _authority(parts.scheme, parts.netloc, port)
    if strange or path is None or authority is None:
        return None
    scheme: Scheme = parts.scheme  # type: ignore[assignment] # `_authority` knows only these
    return Address(scheme, authority, path)


def _authority(scheme: str, said_there: str, port: int | None) -> str | None:
    """Bucket, or host with a port that is not the usual one; None when it fits no scheme."""
    if scheme == "file":
        return "" if not said_there else None
    if scheme == "s3":
        return said_there if _BUCKET.fullmatch(said_there) else None
    host = said_there.removesuffix(f":{port}") if port is not None else said_there
    if scheme != "https" or not _HOST.fullmatch(host):
        return None
    return host if port in (None, 443) else f"{host}:{port}"


def _segments(path: str) -> tuple[str, ...] | None:
    """The plain segments of a path; None when a reader could understand it in two ways."""
    if not path.startswith("/") or _ESCAPE.search(path):
        return None
    segments = []
    for escaped in path[1:].split("/"):
        segment = unquote(escaped, errors="strict") if "%" in escaped else escaped
        fits = segment not in ("", ".", "..") and len(segment) <= 255
        if not fits or not segment.isprintable() or _SEPARATORS & set(segment):
            return None
        segments.append(segment)
    return tuple(segments)


_SEPARATORS = frozenset("/\\%")


class AllowList:
    """The locations that content may be fetched from.

    Args:
        locations: each `file:///dir/`, `s3://bucket/prefix/` or `https://host/path/`; all end in
            a slash, so that ``/data`` does not also allow ``/database``.

    Raises:
        UsageError: one of them is no location.
    """

    def __init__(self, locations: Iterable[str]) -> None:
        self.locations = tuple(_location(text) for text in locations)

    def find(self, text: str) -> tuple[Address, Address] | Reason:
        """(location, object) of an address, or why it is not fetched."""
        try:
            found = parse_address(text)
        except UnicodeDecodeError:
            found = None
        if found is None:
            return "malformed"
        allowed = next((place for place in self.locations if place.holds(found)), None)
        return "not-allowed" if allowed is None else (allowed, found)


def _location(text: str) -> Address:
    whole = f"{text}x"  # an address as every object below the location has one
    try:
        found = parse_address(whole) if text.endswith("/") else None
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise UsageError(
            f"{text!r} is no location that content can be fetched from",
            todo="Locations are file:///dir/, s3://bucket/prefix/ and https://host/path/, each "
            "with a slash at its end.",
        )
    return replace(found, path=found.path[:-1])


def references_of(found: Interaction) -> dict[str, str]:
    """Attribute name to address, of everything that an interaction only points at."""
    return {
        name: address
        for name in REFERENCES
        if isinstance(address := found.extra.get(name), str) and address
    }


def is_json(data: bytes) -> bool:
    """Whether fetched bytes are what the upload hook writes: JSON, or a JSON value a line."""
    return _loaded(data) is not _UNREADABLE


def with_beside(found: Interaction, beside: Mapping[str, bytes]) -> Interaction:
    """Put content that was fetched where the source would have put it; returns the same object.

    What the record holds itself is never replaced.
    """
    system, asked = instructions(_load(beside, _SYSTEM)), said(_load(beside, _INPUT))
    told = answers(_load(beside, _OUTPUT))
    found.system = found.system or system or []
    found.input = found.input or asked or []
    found.output = found.output or told or []
    if found.tool_definitions is None and _TOOLS in beside:
        found.tool_definitions = as_text(_load(beside, _TOOLS)) or None
    found.tool_names = list(dict.fromkeys([*found.tool_names, *tools_called(found.output)]))
    if beside and not references_of(found).keys() - beside.keys():
        found.gaps = [gap for gap in found.gaps if gap != GAP]
    return found


def points_elsewhere(record: Record) -> bool:
    """Whether a record's content lies elsewhere, as far as its clear fields say."""
    gaps = record.clear.get(_GAPS)
    return isinstance(gaps, list) and GAP in gaps and record.content is not None


def completed(
    record: Record, body: Body, found: Interaction, fetched: Mapping[str, bytes | Reason]
) -> Record:
    """The record with what was fetched beside its evidence, and the rest as gaps.

    Args:
        record: as it was made of the source.
        body: its parsed content.
        found: decoded from `body.raw`; it is changed.
        fetched: for each attribute its bytes, or why there are none.

    Raises:
        FormatError: together they are more than a body may hold.
    """
    beside = {name: data for name, data in fetched.items() if isinstance(data, bytes)}
    missing: dict[str, str] = {
        name: reason for name, reason in fetched.items() if not isinstance(reason, bytes)
    }
    whole = with_beside(found, beside)
    note = {**body.note, "not_fetched": missing} if missing else body.note
    content = bodies.encode(msgspec.structs.replace(body, beside=beside, note=note))
    clear = {**record.clear}
    gaps = sorted(_gaps(record, missing))
    clear[_GAPS] = gaps
    if not gaps:
        del clear[_GAPS]
    names = admit(_TOOL_NAMES, whole.tool_names)
    if names is not None:
        clear[_TOOL_NAMES] = names
    return replace(record, clear=clear, content=content)


def _gaps(record: Record, missing: Mapping[str, str]) -> Iterator[str]:
    said_before = record.clear.get(_GAPS)
    for gap in said_before if isinstance(said_before, list) else []:
        if gap != GAP or missing:
            yield str(gap)
    yield from {f"reference-{reason}" for reason in missing.values()}


class _Nothing:
    """What is no JSON; None would be JSON's null."""


_UNREADABLE = _Nothing()


def _load(beside: Mapping[str, bytes], name: str) -> object:
    data = beside.get(name)
    loaded = _UNREADABLE if data is None else _loaded(data)
    return None if loaded is _UNREADABLE else loaded


def _loaded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return [msgspec.json.decode(line) for line in data.splitlines() if line.strip()] or (
            _UNREADABLE
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _UNREADABLE
