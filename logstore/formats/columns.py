"""Columns of the index object: every clear column is recomputable from the leaf beside it.

Parquet is an index, not evidence: `table` is used both when a segment is sealed and when it is
verified, and the two results must be equal.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from logstore.formats.clearfields import FIELDS, FieldType
from logstore.formats.leaf import Leaf

if TYPE_CHECKING:
    import pyarrow as pa

BASE_TYPES: dict[str, FieldType] = {
    "index": "int", "id": "str", "kind": "str", "time_us": "int", "recorded_us": "int",
    "mono_us": "int", "boot": "str", "source": "str", "seq": "int", "recorded_by": "str",
    "subjects": "strs", "body_len": "int",
}  # fmt: skip
"""Columns that every record has, before the allow-listed fields, and their types.

`recorded_by` is the leaf's `by`, which is a keyword of SQL.
"""

BASE_HELP = {
    "index": "position in the log, from 0",
    "id": "UUIDv7 of the record",
    "kind": "interaction, span, access.query, segment.sealed ...",
    "time_us": "when it happened, as the source states it, microseconds since 1970 UTC",
    "recorded_us": "when it was taken, microseconds since 1970 UTC",
    "mono_us": "monotonic clock at that moment, comparable within one boot",
    "boot": "first 8 hexadecimal digits of the boot id",
    "source": "importer, sender or program",
    "seq": "the source's own sequence number, where it has one",
    "recorded_by": "operator or service identity",
    "subjects": "pseudonyms of the persons concerned, each for one person and month",
    "body_len": "length of the encrypted content, padded; null where there is none",
}
"""One line about each, for documentation."""

LEAF_HELP = "the exact JSON bytes that the tree hashes: the evidence itself"
"""Likewise of the last column."""

BASE_COLUMNS = tuple(BASE_TYPES)
"""Their names, in order."""


@functools.cache
def schema() -> pa.Schema:
    """Arrow schema of an index object."""
    import pyarrow as pa

    types: dict[str, Any] = {
        "str": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "strs": pa.list_(pa.string()),
    }
    fields = [pa.field(name, types[kind]) for name, kind in BASE_TYPES.items()]
    fields += [pa.field(field.column, types[field.type]) for field in FIELDS]
    return pa.schema([*fields, pa.field("leaf", pa.binary())])


def table(leaves: Sequence[Leaf], raw: Sequence[bytes]) -> pa.Table:
    """The index table of consecutive records.

    Args:
        leaves: parsed leaves.
        raw: their exact bytes, in the same order.

    Raises:
        pyarrow.ArrowException: a clear field of a captured record has not its listed type.
    """
    import pyarrow as pa

    bodies = [leaf.body for leaf in leaves]
    clears = [leaf.clear for leaf in leaves]
    columns: list[list[Any]] = [
        [leaf.index for leaf in leaves],
        [leaf.id for leaf in leaves],
        [leaf.kind for leaf in leaves],
        [leaf.time_us for leaf in leaves],
        [leaf.recorded_us for leaf in leaves],
        [leaf.mono_us for leaf in leaves],
        [leaf.boot for leaf in leaves],
        [leaf.source for leaf in leaves],
        [leaf.seq for leaf in leaves],
        [leaf.by for leaf in leaves],
        [None if body is None else body.keys for body in bodies],
        [None if body is None else body.len for body in bodies],
    ]
    present = set().union(*clears)
    arrays = [
        pa.array(values, type=column.type)
        for values, column in zip(columns, schema(), strict=False)
    ]
    arrays += [
        pa.array(_values(clears, field.name), type=schema().field(field.column).type)
        if field.name in present
        else pa.nulls(len(raw), schema().field(field.column).type)
        for field in FIELDS
    ]
    arrays.append(pa.array(raw, type=pa.binary()))
    return pa.Table.from_arrays(arrays, schema=schema())


def _values(clears: list[dict[str, object]], name: str) -> list[object]:
    try:
        return list(map(operator.itemgetter(name), clears))
    except KeyError:
        return [clear.get(name) for clear in clears]
