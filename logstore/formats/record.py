"""A record as a caller hands it to the log, before it has a position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from logstore.errors import AirconError

Scope = Literal["subject", "conversation", "source"]
"""What a key belongs to: a person; a conversation whose person is unknown; or, where there is not
even a conversation, everything of one source in one segment."""

INTERACTION = "interaction"
"""Kind of one AI interaction: a call to a model, tool, retriever or agent."""

SPAN = "span"
"""Kind of a span of the application around its interactions, which says who asked and when."""

LOG = "log"
"""Kind of a log line of the application itself."""

LINKED = "subject.linked"
"""Kind of a record that attributes earlier records to a person."""

CAPTURED = frozenset({INTERACTION, SPAN, LOG})
"""Kinds of what was captured from applications; their clear fields are the allow-listed ones."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened.

    Attributes:
        kind: ``interaction``, ``access.query`` ...; dotted lower-case words.
        source: importer, sender or program, never a person.
        by: operator or service identity that writes it.
        time_us: event time, microseconds since 1970 UTC; None means now.
        clear: allow-listed clear fields by leaf name.
        content: body content (`logstore.formats.body.encode`); None for a record without body.
        subjects: raw identities of the people in the body; decides its keys, never stored clear.
        conversation: raw conversation or trace id; decides the key where no subject is known.
        session: raw session id; stored in clear only as a token made with the first key.
        seq: the source's own sequence number.
    """

    kind: str
    source: str
    by: str = "aircon"
    time_us: int | None = None
    clear: Mapping[str, object] = field(default_factory=dict)
    content: bytes | None = None
    subjects: tuple[str, ...] = ()
    conversation: str | None = None
    session: str | None = None
    seq: int | None = None


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What `Log.append` returns once the record is on disk.

    Attributes:
        index: position in the log.
        id: the record's UUIDv7.
        leaf_hash: its RFC 6962 leaf hash, 32 bytes.
    """

    index: int
    id: str
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a batch append gives for a record that was not stored; the others are unaffected.

    Attributes:
        record: the record that was refused.
        error: why, in words for a person.
    """

    record: Record
    error: AirconError
