"""Registering sealed index objects in a table of Apache Iceberg: no byte of them is copied.

Rules:

1. Only what `LogReader` vouches for is registered: pinned by a proven seal, its whole file hashed,
   and in a bucket also what its name alone leads to, since engines know no versions. Body objects,
   and files that nobody sealed, never are.
2. What is registered stands in the table itself; there is no second list that could disagree.
3. One commit adds everything that is new, or nothing is added.
4. The table is a way to ask and no evidence: engines check no hashes. `aircon verify` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logstore.errors import TamperingFound
from logstore.formats.pins import SegmentPin
from logstore.lake.catalog import TableName, open_table, told
from logstore.lake.datafiles import data_file
from logstore.storage.home import read_remote
from logstore.storage.layout import slug
from logstore.storage.reader import LogReader


@dataclass(slots=True)
class Registration:
    """What one call did.

    Attributes:
        table: the table's name.
        metadata: where its newest metadata file lies, which engines may read without a catalog.
        added: segments that were registered now.
        already: segments of this log that were registered before.
        refused: segments that were not registered, and why.
        foreign: files in the table that are no segments of this log, and lie where its own do.
    """

    table: str
    metadata: str = ""
    added: list[SegmentPin] = field(default_factory=list)
    already: int = 0
    refused: list[TamperingFound] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def register(
    reader: LogReader, name: TableName, progress: Callable[[int, int], None] | None = None
) -> Registration:
    """Register every sealed segment of a log that is not registered yet.

    Args:
        reader: the log; needs no keys.
        name: the table, which is made where there is none.
        progress: called with (done, total) segments.

    Raises:
        UsageError: the catalog can not be used as it is described.
        StoreAway: the catalog or the bucket can not be reached, or refuses.
    """
    store = store_address(reader.store)
    table = open_table(name, store)
    known = _registered(table)
    addresses = {f"{store}/{pin.index.key}": pin for pin in reader.pins}
    new = {address: pin for address, pin in addresses.items() if address not in known}
    found = Registration(name.table, already=len(addresses) - len(new))
    ours = f"{store}/index/log={slug(reader.origin)}/"
    found.foreign = sorted(each for each in known - addresses.keys() if each.startswith(ours))
    files = []
    for done, (address, pin) in enumerate(new.items()):
        try:
            files.append(_described(reader, table, address, pin))
            found.added.append(pin)
        except TamperingFound as error:
            found.refused.append(error)
        if progress is not None:
            progress(done + 1, len(new))
    if files:
        _append(table, files)
    found.metadata = table.metadata_location
    return found


def store_address(store: Path) -> str:
    """What the addresses of a store's objects start with, for engines; without a slash behind."""
    remote = read_remote(store)
    return f"file://{store.resolve()}" if remote is None else str(remote.address)


def _registered(table: Any) -> set[str]:
    with told("read what the table holds"):
        return {task.file.file_path for task in table.scan().plan_files()}


def _described(reader: LogReader, table: Any, address: str, pin: SegmentPin) -> Any:
    if not reader.blobs.uncovered(pin.index):
        raise TamperingFound(
            f"{pin.index.key} is missing, or something else lies over it",
            kept="It was not registered.",
            todo="Run `aircon verify` for the full list.",
        )
    with reader.index(pin) as path, path.open("rb") as verified:
        return data_file(table, address, pin, verified)


def _append(table: Any, files: list[Any]) -> None:
    with told("add to the table"), table.transaction() as change:
        snapshot = change.update_snapshot()
        with snapshot.fast_append() as append:
            for each in files:
                append.append_data_file(each)
