"""Columns of the index object: every clear column is recomputable from the leaf beside it.

Parquet is an index, not evidence: `table` is used both when a segment is sealed and when it is
verified, and the two results must be equal.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from logstore.formats.clearfields import FIELDS
from logstore.formats.leaf import Leaf

if TYPE_CHECKING:
    import pyarrow as pa

BASE_COLUMNS = (
    "index", "id", "kind", "time_us", "recorded_us", "mono_us", "boot", "source", "seq",
    "recorded_by", "subjects", "body_len",
)  # fmt: skip
"""Columns that every record has, before the allow-listed fields.

`recorded_by` is the leaf's `by`, which is a keyword of SQL.
"""


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
    base = {
        "index": pa.int64(), "id": pa.string(), "kind": pa.string(), "time_us": pa.int64(),
        "recorded_us": pa.int64(), "mono_us": pa.int64(), "boot": pa.string(),
        "source": pa.string(), "seq": pa.int64(), "recorded_by": pa.string(),
        "subjects": pa.list_(pa.string()), "body_len": pa.int64(),
    }  # fmt: skip
    fields = [pa.field(name, base[name]) for name in BASE_COLUMNS]
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
