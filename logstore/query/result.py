"""The answer to one SQL question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Result:
    """Rows with their names, and how far they can be relied on.

    Attributes:
        table: the rows as Arrow.
        types: DuckDB type of each column.
        truncated: more rows exist than `limit` allowed; say so wherever rows are shown.
        limit: the row limit that applied.
        verified_to: records below this index are covered by a verified checkpoint; later ones are
            durable only.
        size: records that were looked at.
    """

    table: pa.Table
    types: list[str]
    truncated: bool
    limit: int
    verified_to: int
    size: int

    @property
    def columns(self) -> list[str]:
        """Column names, in order."""
        return list(self.table.column_names)

    @property
    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Rows as Python values. Text is untrusted."""
        for batch in self.table.to_batches(max_chunksize=4_096):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self.table
