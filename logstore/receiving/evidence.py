"""What is kept of a record that the log itself refused. Pure."""

from __future__ import annotations

from dataclasses import replace

from logstore.capture.items import Bad
from logstore.errors import FormatError
from logstore.formats.body import Body, parse
from logstore.formats.record import Record
from logstore.receiving.intake import opaque


def refused(record: Record, reason: str) -> Record:
    """The sender's own bytes of a refused record, as opaque evidence under the same people's keys.

    Args:
        record: as it was refused, with content.
        reason: why, as a slug.
    """
    assert record.content is not None
    content = bytes(record.content)
    try:
        body = parse(content)
    except FormatError:
        body = Body(raw=content)
    where = body.note.get("where")
    bad = Bad(body.raw, where if isinstance(where, str) else "", reason)
    kept = opaque(bad, record.source, record.seq)
    return replace(kept, subjects=record.subjects, conversation=record.conversation)
