"""Records of a log as Arrow batches of the `records` table: clear and decrypted columns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from logstore.formats.body import Body
from logstore.formats.clearfields import BY_NAME, FieldType
from logstore.formats.leaf import Leaf
from logstore.formats.record import CAPTURED
from logstore.query.batches import Opened
from logstore.query.columns import CLEAR_COLUMNS, records_schema
from logstore.query.flatten import overlay_of
from logstore.query.parts import GROUP

if TYPE_CHECKING:
    import pyarrow as pa

    from logstore.storage.reader import LogReader

MAX_BATCH = 32 * 2**20
"""Most raw bytes of one batch; a batch closes at this or at one group of records."""

_CHUNK = 8 * GROUP
_TYPES: dict[FieldType, type | tuple[type, ...]] = {
    "str": str, "int": int, "float": (int, float), "bool": bool, "strs": list,
}  # fmt: skip


class Batches(Protocol):
    """Turns opened bodies into decrypted columns; `close` releases what it holds."""

    def batches(self, groups: Iterator[Sequence[Opened]]) -> Iterator[pa.RecordBatch]:
        """One batch per group, in order."""
        ...

    def close(self) -> None:
        """Release workers."""
        ...


def record_batches(
    reader: LogReader, first: int, end: int, decode: Batches
) -> Iterator[pa.RecordBatch]:
    """Batches of `records_schema` for [first, end), decrypting every body once.

    Raises:
        CannotJudge: the reader has no key store.
        TamperingFound: a commitment, file or signature does not hold.
    """
    waiting: deque[tuple[pa.Table, list[dict[str, Any]]]] = deque()
    groups = _groups(reader, first, end, lambda *clear: waiting.append(clear))
    for content in decode.batches(groups):
        clear, overlays = waiting.popleft()
        yield _joined(_overlaid(clear, overlays), content)


def clear_table(table: pa.Table) -> pa.Table:
    """Clear columns of `LogReader.table` plus `clear`, in the order of `records_schema`."""
    import pyarrow as pa

    arrays = [table.column(name) for name in CLEAR_COLUMNS] + [_clear_json(table)]
    names = [*CLEAR_COLUMNS, "clear"]
    return pa.table(arrays, names=names).combine_chunks()


def _groups(
    reader: LogReader,
    first: int,
    end: int,
    clear: Callable[[pa.Table, list[dict[str, Any]]], None],
) -> Iterator[Sequence[Opened]]:
    for low, high in _chunks(reader, first, end):
        table = reader.table(low, high - low)
        at, size = low, 0
        group: list[Opened] = []
        for index, _, opened in reader.contents(low, high - low):
            group.append(_opened(opened))
            body = group[-1][1]
            size += 0 if body is None else len(body.raw)
            if len(group) >= GROUP or size >= MAX_BATCH or index + 1 == high:
                clear(table.slice(at - low, len(group)), [overlay_of(each) for _, each in group])
                yield group
                at, size, group = index + 1, 0, []


def _opened(opened: object) -> Opened:
    if isinstance(opened, Body):
        return "open", opened
    return getattr(opened, "reason", "absent"), None


def _chunks(reader: LogReader, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges that read each sealed segment once."""
    edges = sorted({pin.first + pin.count for pin in reader.pins if first < pin.end < end})
    low = first
    for edge in edges:
        yield low, edge
        low = edge
    while low < end:
        high = end if low < reader.sealed else min(low + _CHUNK, end)
        yield low, high
        low = high


def _overlaid(table: pa.Table, overlays: list[dict[str, Any]]) -> pa.Table:
    """Fill clear columns with facts that had to go into the body because of their shape."""
    import pyarrow as pa

    refused: dict[str, dict[int, Any]] = {}
    for row, overlay in enumerate(overlays):
        for name, value in overlay.items():
            field = BY_NAME.get(name)
            if field is not None and isinstance(value, _TYPES[field.type]):
                refused.setdefault(field.column, {})[row] = value
    for column, values in refused.items():
        old = table.column(column)
        filled = [
            values.get(row) if each is None else each for row, each in enumerate(old.to_pylist())
        ]
        try:
            array = pa.array(filled, type=old.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
            continue  # a foreign shape; it stays in `note`
        table = table.set_column(table.column_names.index(column), column, array)
    return table


def _joined(clear: pa.Table, content: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    left = clear_table(clear).to_batches()[0]
    return pa.RecordBatch.from_arrays([*left.columns, *content.columns], schema=records_schema())


def _clear_json(table: pa.Table) -> pa.Array[Any]:
    """The clear fields of events as JSON; those of captured records are columns."""
    import pyarrow as pa

    kinds = table.column("kind").to_pylist()
    leaves = table.column("leaf")
    said = [
        None if kind in CAPTURED else _clear_of(leaves[row].as_py())
        for row, kind in enumerate(kinds)
    ]
    return pa.array(said, type=pa.string())


def _clear_of(leaf: bytes) -> str:
    return msgspec.json.encode(_leaves.decode(leaf).clear).decode()


_leaves = msgspec.json.Decoder(Leaf)
