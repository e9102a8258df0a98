"""Opening bodies: from encrypted blocks to content that matches its commitment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from logstore.errors import FormatError, KeyDestroyed, KeyUnavailable
from logstore.formats import blocks
from logstore.formats.body import NONCE, Body, commitment
from logstore.formats.body import parse as parse_body
from logstore.formats.leaf import Leaf
from logstore.keys.keystore import KeyStore

if TYPE_CHECKING:
    import pyarrow as pa

Reason = Literal["no-body", "no-key", "destroyed", "absent", "tampered"]
"""Why there is no content: the record has none; its key is not here; its key was destroyed; its
body object is not here (expired or not copied); or what was found contradicts the leaf."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In place of a `Body` that can not be read."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A body with what proves it: content and the nonce of its commitment.

    Attributes:
        nonce: 32 bytes.
        content: exact content bytes.
    """

    nonce: bytes
    content: bytes


Opened = Disclosure | Unreadable

_Row = dict[str, list[int] | list[str] | int]
_SLICE = 1024

NO_BODY = Unreadable("no-body")
ABSENT = Unreadable("absent")


def check(leaf: Leaf, body: bytes) -> Opened:
    """Nonce and content of a decrypted body, if they are what the leaf committed to."""
    nonce, content = body[:NONCE], body[NONCE:]
    if leaf.body is None or commitment(nonce, content) != leaf.body.commit:
        return Unreadable("tampered")
    return Disclosure(nonce, content)


def parsed(opened: Opened) -> Body | Unreadable:
    """The body's fields."""
    if isinstance(opened, Unreadable):
        return opened
    try:
        return parse_body(opened.content)
    except FormatError:
        return Unreadable("tampered")


def key_problem(keys: KeyStore, key_ids: Iterable[str]) -> Unreadable | None:
    """Why a body can not be opened with these keys, or None."""
    try:
        for key_id in key_ids:
            keys.key(key_id)
    except KeyDestroyed:
        return Unreadable("destroyed")
    except KeyUnavailable:
        return Unreadable("no-key")
    return None


class SegmentBodies:
    """The body object of one segment, opened block by block as records are asked for."""

    def __init__(self, path: Path, context: blocks.BlockContext, keys: KeyStore) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(path)
        self._context = context
        self._keys = keys

    def read(
        self, first: int, end: int, only: frozenset[int] | None = None
    ) -> Iterator[tuple[int, bytes | Unreadable]]:
        """(index, nonce32 || content or why not) of the bodies in a range, block by block.

        Args:
            first: of the range.
            end: behind its last record.
            only: open no block that holds none of these.
        """
        for group in range(self._file.metadata.num_row_groups):
            table = self._file.read_row_group(group, columns=["part", "keys", "indexes"])
            wanted = list(_chosen(table, first, end, only))
            if not wanted:
                continue
            column = self._file.read_row_group(group, columns=["block"]).column("block")
            for place, row in wanted:
                yield from self._open(row, column[place].as_py(), first, end)

    def _open(
        self, row: _Row, block: bytes, first: int, end: int
    ) -> Iterator[tuple[int, bytes | Unreadable]]:
        key_ids = [str(each) for each in _list(row["keys"])]
        indexes = [int(each) for each in _list(row["indexes"]) if first <= int(each) < end]
        problem = key_problem(self._keys, key_ids)
        if problem is not None:
            yield from ((index, problem) for index in indexes)
            return
        part = row["part"]
        try:
            key = blocks.block_key(
                [self._keys.key(each).key for each in key_ids], key_ids, self._context
            )
            place = self._context.bind(key_ids, part if isinstance(part, int) else -1)
            entries = blocks.open_block(key, block, place)
        except (KeyUnavailable, FormatError):
            yield from ((index, Unreadable("tampered")) for index in indexes)
            return
        for offset, body in entries:
            if first <= self._context.first + offset < end:
                yield self._context.first + offset, body


def _chosen(
    table: pa.Table, first: int, end: int, only: frozenset[int] | None
) -> Iterator[tuple[int, _Row]]:
    """(place, columns) of the rows whose blocks hold what is wanted."""
    # In slices: no other thread has the interpreter while one is made into Python's own values.
    for start in range(0, table.num_rows, _SLICE):
        for place, row in enumerate(table.slice(start, _SLICE).to_pylist(), start):
            if _touches(row["indexes"], first, end) and (
                only is None or not only.isdisjoint(row["indexes"])
            ):
                yield place, row


def _touches(indexes: list[int], first: int, end: int) -> bool:
    # Ascending, as sealing writes them; a forged order only hides records, which verify reports.
    return bool(indexes) and indexes[0] < end and indexes[-1] >= first


def _list(value: list[int] | list[str] | int) -> list[int] | list[str]:
    return value if isinstance(value, list) else []
