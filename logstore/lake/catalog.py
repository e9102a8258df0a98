"""The catalog that knows the table: pyiceberg's, loaded when asked for, its errors for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from logstore.errors import AirconError, StoreAway, UsageError
from logstore.lake.tableschema import PROPERTIES, partitioning, table_schema

_UNCHANGED = "The sealed files were not touched, and the table is as it was."


@dataclass(frozen=True, slots=True)
class TableName:
    """Which table.

    Attributes:
        catalog: the catalog's name in pyiceberg's configuration.
        table: namespace and table with dots between, as ``aircon.records``.
        properties: of the catalog, beside and over what pyiceberg's configuration says.
    """

    catalog: str
    table: str
    properties: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """Say what a catalog raises in words for people.

    Raises:
        UsageError: pyiceberg, or what the catalog needs beside it, is not installed; or the
            catalog is not described.
        StoreAway: the catalog can not be used now, or somebody changed the table meanwhile.
    """
    try:
        from pyiceberg.exceptions import CommitFailedException, NotInstalledError
    except ImportError:
        raise UsageError(
            "tables of Apache Iceberg need pyiceberg, which is not installed",
            todo="Install it with `pip install 'aircon-console[lake]'`.",
        ) from None
    try:
        yield
    except AirconError:
        raise
    except (NotInstalledError, ImportError) as error:
        raise UsageError(
            f"this catalog needs more than is installed: {error}",
            todo="Install pyiceberg with the extra for it, as `pip install 'pyiceberg[glue]'`.",
        ) from None
    except CommitFailedException as error:
        raise StoreAway(
            f"somebody else changed the table meanwhile: {error}",
            kept=_UNCHANGED,
            todo="Try again.",
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"could not {doing}: {error}", kept=_UNCHANGED) from error
    except Exception as error:  # catalogs are plug-ins: databases, web services, file systems
        raise StoreAway(
            f"could not {doing}: {type(error).__name__}: {error}",
            kept=_UNCHANGED,
            todo="See that the catalog and its warehouse can be reached, then try again.",
        ) from error


def open_table(name: TableName, store: str) -> Any:
    """The `pyiceberg.table.Table`, made where there is none, with all columns of this release.

    Args:
        name: which.
        store: the address that the store's objects start with; the table must not lie in there.

    Raises:
        UsageError: see `told`; or the table lies in the store, or has columns of other types.
        StoreAway: see `told`.
    """
    with told(f"use the catalog {name.catalog!r}"):
        from pyiceberg.catalog import load_catalog

        catalog = load_catalog(name.catalog, **name.properties)
        if catalog.table_exists(name.table):
            table = catalog.load_table(name.table)
        else:
            table = _made(catalog, name.table, store)
        _check_place(table.location(), store)
        _grow(table)
        return table


def _made(catalog: Any, table: str, store: str) -> Any:
    from pyiceberg.table.name_mapping import create_mapping_from_schema

    schema = table_schema()
    namespace = table.rpartition(".")[0]
    if not namespace:
        raise UsageError(f"{table!r} names no namespace", todo="Say it as NAMESPACE.TABLE.")
    catalog.create_namespace_if_not_exists(namespace)
    staged = catalog.create_table_transaction(
        table, schema, partition_spec=partitioning(), properties=PROPERTIES
    )
    _check_place(staged.table_metadata.location, store)
    mapping = create_mapping_from_schema(staged.table_metadata.schema())
    staged.set_properties({"schema.name-mapping.default": mapping.model_dump_json()})
    staged.commit_transaction()
    return catalog.load_table(table)


def _check_place(location: str, store: str) -> None:
    inside = f"{location.removeprefix('file://').rstrip('/')}/"
    if inside.startswith(f"{store.removeprefix('file://').rstrip('/')}/"):
        raise UsageError(
            f"the table would lie at {location}, inside the store",
            kept="Nothing was written; only sealed objects belong there.",
            todo="Give the catalog a warehouse elsewhere.",
        )


def _grow(table: Any) -> None:
    """Add columns that a newer release of aircon seals; older files have nulls there."""
    wanted, found = table_schema(), table.schema()
    if {field.name for field in wanted.fields} - {field.name for field in found.fields}:
        with table.update_schema() as update:  # it keeps the name mapping in step
            update.union_by_name(wanted)
