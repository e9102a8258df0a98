"""Opens the content of a reader's records: from segments, the unsealed tail and supplements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from logstore.formats.blocks import BlockContext
from logstore.formats.leaf import Leaf
from logstore.formats.pins import ObjectPin, SegmentPin
from logstore.keys.keystore import KeyStore
from logstore.storage.bodies import (
    ABSENT,
    NO_BODY,
    Opened,
    SegmentBodies,
    Unreadable,
    check,
    key_problem,
)
from logstore.storage.supplementbodies import SupplementBodies

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader

Opener = Callable[[Leaf], Opened]
"""Gives a record's nonce and content, or why not."""


class Content:
    """What one reader's keys open.

    Args:
        reader: of the log.
        keys: opens bodies.
    """

    def __init__(self, reader: LogReader, keys: KeyStore) -> None:
        self._reader = reader
        self._keys = keys
        self._gone = reader.custody().gone

    def parts(
        self, first: int, end: int, only: frozenset[int] | None = None
    ) -> Iterator[tuple[int, int, Opener]]:
        """(first, end, what opens a record) of each segment in a range, and of the tail.

        Args:
            first: of the range.
            end: behind its last record.
            only: indexes that will be asked for; no block and no group commit without one of
                them is decrypted. None for all.
        """
        reader = self._reader
        more = SupplementBodies(
            reader.origin, reader.supplements, self._keys, (first, end), self._if_here
        )
        for pin in reader.pins_in(first, end):
            low, high = max(first, pin.first), min(end, pin.end)
            if only is None or not only.isdisjoint(range(low, high)):
                bodies = self._sealed(pin, low, high, only)
                absent = ABSENT if pin.body else NO_BODY
                yield low, high, partial(self._opened, bodies, more, absent)
        if end > reader.tail.first:
            low = max(first, reader.tail.first)
            unsealed: dict[int, bytes | Unreadable] = {}
            unsealed.update(reader.tail.bodies(low, end, self._keys, only))
            yield low, end, partial(self._opened, unsealed, more, ABSENT)

    def _sealed(
        self, pin: SegmentPin, low: int, high: int, only: frozenset[int] | None
    ) -> dict[int, bytes | Unreadable]:
        if pin.body is None or pin.body.key in self._gone:
            return {}
        wanted = range(low, high) if only is None else sorted(only.intersection(range(low, high)))
        part = self._reader.ranged.bodies(pin, wanted, self._keys)
        if part is not None:
            return part
        context = BlockContext(self._reader.origin, pin.first, pin.count)
        with self._if_here(pin.body) as path:
            if path is None:
                return {}
            found = SegmentBodies(path, context, self._keys).read(low, high, only)
            return {index: body for index, body in found if only is None or index in only}

    def _if_here(self, pin: ObjectPin) -> AbstractContextManager[Path | None]:
        files = self._reader.files
        if pin.key in self._gone or not files.present(pin):
            return nullcontext()
        return files.opened(pin)

    def _opened(
        self,
        bodies: Mapping[int, bytes | Unreadable],
        more: SupplementBodies,
        absent: Unreadable,
        leaf: Leaf,
    ) -> Opened:
        body = bodies.get(leaf.index)
        if leaf.body is None:
            opened: Opened = NO_BODY
        elif isinstance(body, bytes):
            opened = self._allowed(leaf) or check(leaf, body)
        else:
            opened = body or self._allowed(leaf) or absent
        if isinstance(opened, Unreadable) and leaf.body is not None:
            opened = more.find(leaf, opened)
        return opened

    def _allowed(self, leaf: Leaf) -> Unreadable | None:
        """Unsealed content lies under the WAL key; its subjects' keys decide all the same."""
        return key_problem(self._keys, leaf.body.keys) if leaf.body is not None else None
