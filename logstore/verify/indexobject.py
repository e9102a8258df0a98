"""Checking an index object: its leaves one by one, and every clear column against them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from logstore.errors import FormatError
from logstore.formats.columns import schema, table
from logstore.formats.leaf import Leaf
from logstore.formats.pins import SegmentPin
from logstore.verify.bodyplan import BodyPlan
from logstore.verify.findings import Finding
from logstore.verify.parquetfile import false_statistics, open_parquet
from logstore.verify.runs import LeafRun

if TYPE_CHECKING:
    import pyarrow as pa

_SLICE = 1024  # leaves parsed at a time: their objects stay in the cache: 0.95x the time of 2048


class IndexCheck:
    """Walks one index object.

    Args:
        pin: the segment.
        run: takes the leaves.
        plan: takes which bodies are due; None when bodies are not checked.
    """

    def __init__(self, pin: SegmentPin, run: LeafRun, plan: BodyPlan | None) -> None:
        self._pin = pin
        self._run = run
        self._plan = plan

    def check(self, data: pa.Buffer) -> None:
        """Check an object whose whole-file hash has been found right."""
        import pyarrow as pa

        findings = self._run.facts.findings
        try:
            for piece in self._pieces(data):
                self._check_piece(piece)
        except FormatError as error:
            findings.append(self._finding("index-malformed", error.what))
        except (pa.ArrowException, OSError, ValueError) as error:
            findings.append(self._finding("index-malformed", f"it can not be read: {error}"))
        if self._run.facts.end != self._pin.end:
            count = self._run.facts.end - self._pin.first
            what = f"it holds {count} records, the log pins {self._pin.count}"
            findings.append(self._finding("index-malformed", what))

    def _pieces(self, data: pa.Buffer) -> Iterator[pa.Table]:
        file = open_parquet(data, schema())
        if file.metadata.num_rows > self._pin.count:
            raise FormatError(f"{file.metadata.num_rows} rows for {self._pin.count} records")
        for number in range(file.metadata.num_row_groups):
            group = file.read_row_group(number, use_threads=False)
            column = false_statistics(file.metadata.row_group(number), group)
            if column is not None:
                self._run.facts.findings.append(
                    self._finding("statistics-false", f"statistics of column {column}")
                )
            for start in range(0, group.num_rows, _SLICE):
                yield group.slice(start, _SLICE)

    def _check_piece(self, piece: pa.Table) -> None:
        if piece.column("leaf").null_count:
            raise FormatError("a row without a leaf")
        first = self._run.facts.end
        raw = cast("list[bytes]", piece.column("leaf").to_pylist())
        leaves = self._run.take(raw)
        if leaves is not None:
            self._compare(piece, leaves, raw, first)
            if self._plan is not None:
                self._plan.take(leaves)

    def _compare(self, piece: pa.Table, leaves: list[Leaf], raw: list[bytes], first: int) -> None:
        import pyarrow as pa

        try:
            due = table(leaves, raw)
        except (pa.ArrowException, TypeError, OverflowError, ValueError) as error:
            what = f"a clear field does not fit its column: {error}"
            self._run.facts.findings.append(self._finding("record-malformed", what, first))
            return
        for name in due.schema.names:
            stored, right = piece.column(name).combine_chunks(), due.column(name).combine_chunks()
            if name != "leaf" and not stored.equals(right):
                at = _first_difference(stored, right)
                what = f"column {name} says {stored[at].as_py()!r:.60}"
                self._run.facts.findings.append(self._finding("column-changed", what, first + at))

    def _finding(self, code: str, what: str, index: int | None = None) -> Finding:
        if index is None:
            return Finding(code, what, self._pin.index.key, self._pin.first, self._pin.last)
        return Finding(code, what, self._pin.index.key, index)


def _first_difference(stored: pa.Array[Any], right: pa.Array[Any]) -> int:
    pairs = zip(stored.to_pylist(), right.to_pylist(), strict=True)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), 0)
