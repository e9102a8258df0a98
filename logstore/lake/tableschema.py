"""Columns of the Iceberg table: those of the index objects, and what their names say.

``log`` and ``date`` stand in an index object's name and not in the file. The table is partitioned
by their values (identity transforms), from which readers fill columns that a file lacks (Iceberg
table specification, "Column Projection"). Index objects carry no field ids; readers find their
columns by the table's ``schema.name-mapping.default`` (same, "Column Projection" and "Name Mapping
Serialization").
"""

from __future__ import annotations

from typing import Any

from logstore.formats.clearfields import FIELDS, FieldType
from logstore.formats.columns import BASE_HELP, BASE_TYPES, LEAF_HELP

PARTITIONS = ("log", "date")
"""Columns that stand in an index object's name, in the order of their parts."""

COLUMNS: dict[str, tuple[str, str]] = {
    "log": ("string", "the log, as names in the store spell its origin"),
    "date": ("date", "UTC day on which the segment's first record was taken"),
    **{name: (kind, BASE_HELP[name]) for name, kind in BASE_TYPES.items()},
    **{field.column: (field.type, field.help) for field in FIELDS},
    "leaf": ("binary", LEAF_HELP),
}
"""Every column of the table in order: kind (a `FieldType`, string, date or binary) and help."""

_SPELLED: dict[FieldType | str, str] = {
    "str": "string", "int": "long", "float": "double", "bool": "boolean", "strs": "list<string>",
}  # fmt: skip

PROPERTIES = {
    "format-version": "2",
    # Neither expiring snapshots nor dropping the table may remove files: they are evidence.
    "gc.enabled": "false",
    # Bounds of the leaves' bytes find nothing, and would be the longest part of the metadata.
    "write.metadata.metrics.column.leaf": "none",
}
"""Properties of a new table."""


def spelled(kind: str) -> str:
    """A column's type as Iceberg names it."""
    return _SPELLED.get(kind, kind)


def table_schema() -> Any:
    """The table's `pyiceberg.schema.Schema`; every column is optional, as in the files."""
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    lists = len(COLUMNS)  # element ids follow the columns' own
    fields = [
        NestedField(place, name, _type(kind, lists + place), required=False, doc=help_)
        for place, (name, (kind, help_)) in enumerate(COLUMNS.items(), 1)
    ]
    return Schema(*fields)


def partitioning() -> Any:
    """The table's `pyiceberg.partitioning.PartitionSpec`."""
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.transforms import IdentityTransform

    places = {name: place for place, name in enumerate(COLUMNS, 1)}
    return PartitionSpec(
        *(
            PartitionField(places[name], 1000 + at, IdentityTransform(), name)
            for at, name in enumerate(PARTITIONS)
        )
    )


def _type(kind: str, element: int) -> Any:
    from pyiceberg import types

    return {
        "str": types.StringType,
        "string": types.StringType,
        "int": types.LongType,
        "float": types.DoubleType,
        "bool": types.BooleanType,
        "date": types.DateType,
        "binary": types.BinaryType,
        "strs": lambda: types.ListType(element, types.StringType(), element_required=False),
    }[kind]()
