"""How much of a stream of records goes into one group commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from logstore.formats.record import Record

MAX_GROUP = 4096
"""Most records in one group commit."""

MAX_GROUP_BYTES = 32 * 2**20
"""Content bytes after which a group commit is closed."""

MAX_BATCH_BYTES = 2**29
"""Most content bytes of one call; a frame of the write-ahead log holds twice as much."""


def portions(
    records: Iterable[Record], count: int, size_closed: int = MAX_GROUP_BYTES
) -> Iterator[list[Record]]:
    """Groups of at most `count` records, closed after `size_closed` bytes of content."""
    portion: list[Record] = []
    size = 0
    for record in records:
        portion.append(record)
        size += content_size((record,))
        if len(portion) >= count or size >= size_closed:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def content_size(records: Iterable[Record]) -> int:
    """Content bytes of records; what is no content is refused later, and counts nothing here."""
    contents = (record.content for record in records)
    return sum(len(content) for content in contents if isinstance(content, bytes | bytearray))
