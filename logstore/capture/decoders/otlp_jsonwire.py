"""Cutting an OTLP/JSON export request into requests that hold one span or log record each.

What `otlp_wire` does for protobuf: every cut keeps the sender's own bytes, unknown members
included.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from logstore.capture.decoders.otlp_wire import MAX_HEAD
from logstore.capture.scanning import values
from logstore.capture.unfolding import MAX_PIECES
from logstore.errors import FormatError

Members = dict[str, msgspec.Raw]
"""An object's members as they stand."""


class Layout(NamedTuple):
    """Names of the lists on the way to a record, from the request's own."""

    resources: str
    scopes: str
    records: str


TRACES = Layout("resourceSpans", "scopeSpans", "spans")
LOGS = Layout("resourceLogs", "scopeLogs", "logRecords")

members = msgspec.json.Decoder(Members).decode
_members_list = msgspec.json.Decoder(list[Members]).decode
_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def json_cuts(request: Members, layout: Layout) -> Iterator[tuple[bytes, bytes]]:
    """(request with one record, that record) for each record of one signal.

    Raises:
        msgspec.MsgspecError: not of that layout.
        RecursionError: nested too deeply.
        FormatError: a resource or scope is larger than `MAX_HEAD`.
    """
    outer, inner, records = layout
    for resource in _members_list(request.get(outer) or b"[]"):
        beside = _rest(resource, inner)
        for scope in _members_list(resource.get(inner) or b"[]"):
            start = b'{"%b":[{%b"%b":[{%b"%b":[' % (
                outer.encode(), beside, inner.encode(), _rest(scope, records), records.encode()
            )  # fmt: skip
            for record in _elements(scope.get(records) or b"[]"):
                yield b"%b%b]}]}]}" % (start, record), record


def _elements(array: msgspec.Raw | bytes) -> Iterator[bytes]:
    """The elements of a list as they stand; one by one where there may be very many."""
    plain = bytes(array)
    if plain.count(b",") < MAX_PIECES or not plain.startswith(b"["):
        return map(bytes, _raw_list(plain))
    return (value.data for value in values(io.BytesIO(plain)))


def _rest(found: Members, without: str) -> bytes:
    """All members but one, as they stand, each followed by a comma."""
    rest = b"".join(
        b"%b:%b," % (msgspec.json.encode(name), bytes(value))
        for name, value in found.items()
        if name != without
    )
    if len(rest) > MAX_HEAD:
        raise FormatError(f"a resource or scope of {len(rest)} bytes; at most {MAX_HEAD} are taken")
    return rest
