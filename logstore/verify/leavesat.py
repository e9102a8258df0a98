"""What records at scattered positions say of their bodies, read again from checked objects."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Sequence

from logstore.errors import FormatError
from logstore.formats.leaf import BodyRef, parse
from logstore.formats.pins import SegmentPin
from logstore.verify.evidence import Evidence
from logstore.verify.firstleaves import parquet_file
from logstore.verify.view import LogView


def body_refs(
    evidence: Evidence, view: LogView, broken: Collection[int], indexes: Sequence[int]
) -> dict[int, BodyRef | None]:
    """The `body` members of records; those whose leaves can not be read are left out.

    Args:
        evidence: the store.
        view: the log.
        broken: first records of segments whose leaves were found not readable or not right.
        indexes: the records wanted, ascending.
    """
    found: dict[int, BodyRef | None] = {}
    for index, raw in _raw(evidence, view, broken, indexes):
        try:
            found[index] = parse(raw).body
        except FormatError:
            continue  # named when the leaves were checked
    return found


def _raw(
    evidence: Evidence, view: LogView, broken: Collection[int], indexes: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    for segment in view.segments:
        pin = segment.pin
        wanted = _within(indexes, pin.first, pin.end)
        if wanted and pin.first not in broken:
            yield from _sealed(evidence, pin, wanted)
    for group in (group for wal in view.wals for group in wal.groups):
        for index in _within(indexes, group.first, group.end):
            yield index, group.leaves[index - group.first]


def _sealed(
    evidence: Evidence, pin: SegmentPin, wanted: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    import pyarrow as pa

    first = pin.first
    try:
        file = parquet_file(evidence.source(pin.index))
        for number in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            here = _within(wanted, first, first + rows)
            if here:
                column = file.read_row_group(number, columns=["leaf"], use_threads=False)
                leaves = column.column("leaf").take([index - first for index in here])
                yield from zip(here, leaves.to_pylist(), strict=True)
            first += rows
    except (pa.ArrowException, FormatError, OSError, ValueError):
        return  # it was right a moment ago; what can not be read is not judged


def _within(indexes: Sequence[int], first: int, end: int) -> Sequence[int]:
    return indexes[bisect.bisect_left(indexes, first) : bisect.bisect_left(indexes, end)]
