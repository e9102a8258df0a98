"""Parts of a sealed object that lies elsewhere: its footer, then the column chunks that are needed.

Nothing that is read here is proven, neither the footer nor what it leads to. Callers prove what
they hand out, and hand out nothing else: not even that something is not there.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterable

from logstore.errors import FormatError
from logstore.formats.parquetparts import RowGroup, parse_footer, strings_of
from logstore.storage.rangedfile import Fetch, RangedFile, Span

MAGIC = b"PAR1"

TAIL = 64 * 2**10
"""Bytes of the end that are asked for first; most footers are less."""

MAX_FOOTER = 4 * 2**20
"""Longest footer that is read."""

_END = 8  # length of the footer, and the magic


class RangedParquet:
    """A Parquet object of which ranges are read.

    Args:
        fetch: where ranges come from.
        size: its bytes.
        rows: most rows that it can have.
        columns: paths of the columns that are of interest.

    Attributes:
        bytes: what is here of it.
        groups: its row groups.

    Raises:
        FormatError: it is no such object, or says what can not be.
    """

    def __init__(self, fetch: Fetch, size: int, rows: int, columns: Collection[str]) -> None:
        self.bytes = RangedFile(fetch, size)
        start = _bring_footer(self.bytes)
        footer = self.bytes.part(start, size - _END)
        self.groups: list[RowGroup] = parse_footer(footer, columns, start)
        if sum(group.rows for group in self.groups) > rows:
            raise FormatError(f"it has more than {rows} rows")

    def spans(self, groups: Iterable[int], column: str) -> list[Span]:
        """Where a column's chunks of some row groups lie."""
        chunks = [self.groups[group].chunks[column] for group in groups]
        return [(chunk.start, chunk.end) for chunk in chunks]

    def bring(self, spans: Collection[Span]) -> None:
        """Ask for what is missing of some chunks.

        Raises:
            FormatError: they lie over each other, or other bytes came.
        """
        if sum(end - start for start, end in spans) > self.bytes.size:
            raise FormatError("its parts lie over each other")
        self.bytes.bring(spans)

    def strings(self, group: int, column: str, *, nullable: bool) -> list[bytes]:
        """Values of a chunk that was brought; raises what `strings_of` does."""
        found = self.groups[group]
        chunk = found.chunks[column]
        data = self.bytes.part(chunk.start, chunk.end)
        return strings_of(data, chunk, found.rows, nullable=nullable)

    def holding(self, low: int, high: int) -> tuple[list[int], int]:
        """The row groups that hold rows [low, high), and the first row of them."""
        found: list[int] = []
        first = at = 0
        for number, group in enumerate(self.groups):
            if at < high and at + group.rows > low:
                first = first if found else at
                found.append(number)
            at += group.rows
        return found, first

    def around(self, column: str, value: bytes) -> list[int]:
        """The row groups that hold a value of a column, if rows are in order of that column."""
        least = [group.chunks[column].low for group in self.groups]
        before = max(bisect.bisect_left(least, value) - 1, 0)
        return list(range(before, bisect.bisect_right(least, value)))


def _bring_footer(file: RangedFile) -> int:
    """Bring the footer; returns where it begins."""
    file.bring([(max(file.size - TAIL, 0), file.size)])
    end = file.part(max(file.size - _END, 0), file.size)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or not 0 < length <= min(MAX_FOOTER, file.size - _END - len(MAGIC)):
        raise FormatError("not a Parquet file, or one with a footer that is none")
    start = file.size - _END - length
    file.bring([(start, file.size)])
    return start
