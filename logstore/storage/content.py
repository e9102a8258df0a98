"""Opens the content of a reader's records: from segments, the unsealed tail and supplements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

from logstore.formats.blocks import BlockContext
from logstore.formats.custody import Custody
from logstore.formats.leaf import Leaf, parse
from logstore.formats.pins import ObjectPin, SegmentPin, SupplementPin
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
from logstore.storage.rangedreads import RangedReads
from logstore.storage.supplementbodies import SupplementBodies
from logstore.storage.tail import Tail
from logstore.storage.verifiedfiles import VerifiedFiles

Opener = Callable[[Leaf], Opened]
"""Gives a record's nonce and content, or why not."""


class Records(Protocol):
    """What content is opened of: a reader, as far as it is asked here."""

    origin: str
    tail: Tail
    files: VerifiedFiles
    ranged: RangedReads

    def pins_in(self, first: int, end: int) -> list[SegmentPin]:
        """Sealed segments that hold records of [first, end)."""
        ...

    def leaves(self, first: int, count: int) -> list[bytes]:
        """Proven leaves of a range."""
        ...

    def supplements(self) -> list[SupplementPin]:
        """Supplements that records pin, oldest first."""
        ...

    def custody(self) -> Custody:
        """What retention removed."""
        ...


class Content:
    """What one reader's keys open.

    Args:
        reader: of the log.
        keys: opens bodies.
    """

    def __init__(self, reader: Records, keys: KeyStore) -> None:
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
        part = self._ranged(pin, wanted)
        if part is not None:
            return part
        context = BlockContext(self._reader.origin, pin.first, pin.count)
        with self._if_here(pin.body) as path:
            if path is None:
                return {}
            found = SegmentBodies(path, context, self._keys).read(low, high, only)
            return {index: body for index, body in found if only is None or index in only}

    def _ranged(
        self, pin: SegmentPin, wanted: Sequence[int]
    ) -> dict[int, bytes | Unreadable] | None:
        """Content read by ranges; None where the whole object is to be read."""
        ranged = self._reader.ranged
        if not ranged.worth(pin.body, wanted):
            return None
        raw = self._reader.leaves(wanted[0], wanted[-1] + 1 - wanted[0])
        leaves = [parse(raw[index - wanted[0]]) for index in wanted]
        return ranged.bodies(pin, leaves, self._keys)

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
