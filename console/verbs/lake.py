"""`aircon lake`: registers sealed segments in an Apache Iceberg table."""

from __future__ import annotations

import argparse

from console import diagnostics, output
from console.opening import OpenStore
from console.progress import Progress
from logstore.errors import UsageError


def run(args: argparse.Namespace) -> int:
    """Register what is not in the table yet, and say what was not fit to be."""
    from logstore.lake.catalog import TableName
    from logstore.lake.registering import register

    name = TableName(args.catalog, args.table, _properties(args.property))
    with (
        OpenStore(args, "lake", needs_keys=False) as store,
        Progress("registering", "segments") as progress,
    ):
        found = register(store.reader, name, progress)
    facts: list[tuple[str, object]] = [
        ("table", found.table),
        ("metadata", found.metadata),
        ("registered now", len(found.added)),
        ("records", sum(pin.count for pin in found.added)),
        ("registered before", found.already),
        ("refused", len(found.refused)),
    ]
    output.facts(facts, as_json=args.json)
    for error in found.refused:
        diagnostics.warn(error.what)
    for each in found.foreign:
        diagnostics.warn(f"the table names a file that nobody sealed: {each}")
    if found.refused or found.foreign:
        diagnostics.note("Run `aircon verify` for the full list.")
        return diagnostics.TAMPERING
    return diagnostics.OK


def _properties(given: list[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not (name and equals):
            raise UsageError(f"{each!r} is not NAME=VALUE")
        found[name] = text
    return found
