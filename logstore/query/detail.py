"""One record in full, read from the evidence itself and decoded by today's decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logstore.errors import FormatError, NotFound
from logstore.formats.body import Body
from logstore.query.batches import InProcess
from logstore.query.flatten import decode
from logstore.query.pages import row_alone
from logstore.query.recordbatches import clear_table, record_batches
from logstore.query.rows import ContentState, Detail, Row, SameCall

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader

WORDS: dict[ContentState, str] = {
    "undecoded": "its bytes could be opened, but not decoded",
    "destroyed": "its key was destroyed on purpose; the content is gone",
    "no-key": "its key is not in this key store",
    "no-body": "the record has no body",
    "absent": "its body object is not in this store",
    "tampered": "what stands in the body object is not what the leaf committed to",
    "locked": "encrypted; give the passphrase to read it",
}
"""Why a record's content is not shown, in words."""


def open_record(reader: LogReader, row: Row, verified_to: int, same: SameCall) -> Detail:
    """Read a record from the evidence.

    Raises:
        NotFound: the reader does not have it.
        TamperingFound: the evidence does not hold.
    """
    from logstore.capture.registry import DECODERS

    leaves = reader.leaves(row.index, 1)
    if not leaves:
        raise NotFound(f"there is no record {row.index}")
    body, state = _opened(reader, row.index) if reader.keys is not None else (None, row.state)
    interaction, why = None, WORDS.get(state)
    if body is not None:
        try:
            interaction = decode(body, DECODERS)
        except FormatError as error:
            state, why = "undecoded", error.what
    return Detail(row, leaves[0], interaction, body, why, state, verified_to, same)


def open_alone(reader: LogReader, index: int) -> Detail:
    """Read a record from the evidence with nothing around it, neither working copy nor index.

    Which other records are of the same call, or attribute it to somebody, is not found out.

    Raises:
        NotFound: the reader does not have it.
        TamperingFound: the evidence does not hold.
    """
    import pyarrow as pa

    if not 0 <= index < reader.size:
        raise NotFound(f"there is no record {index}; the log has {reader.size}")
    if reader.keys is None:
        table = clear_table(reader.table(index, 1))
    else:
        table = pa.Table.from_batches(record_batches(reader, index, index + 1, InProcess()))
    row = row_alone(table, content=reader.keys is not None)
    return open_record(reader, row, min(reader.checkpoint.size, reader.size), SameCall())


def _opened(reader: LogReader, index: int) -> tuple[Body | None, ContentState]:
    for _, _, opened in reader.contents(index, 1):
        if isinstance(opened, Body):
            return opened, "open"
        return None, opened.reason
    return None, "absent"
