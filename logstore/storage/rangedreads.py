"""Some records of a log whose sealed objects lie elsewhere, without bringing whole objects here.

Rules:

1. What is handed out is proven as firmly as by the hash of the whole object: leaves against the
   signed tree (`SegmentTree`), content by its key and the commitment in a proven leaf.
2. Everything else, also that something is missing, damaged or not laid out as sealing lays it
   out, is no answer: then the whole object is read and judged, and its failure is the one told.
3. When much of an object would be brought by ranges, all of it is: it stays in the cache.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from logstore.errors import (
    FormatError,
    KeyDestroyed,
    KeyUnavailable,
    StoreAway,
    StoreRefused,
)
from logstore.formats import blocks
from logstore.formats.leaf import Leaf, parse
from logstore.formats.pins import ObjectPin, SegmentPin
from logstore.keys.keystore import KeyStore
from logstore.storage.blobs import Blobs
from logstore.storage.bodies import Unreadable, check, key_problem
from logstore.storage.rangedfile import Span
from logstore.storage.rangedparquet import RangedParquet
from logstore.storage.sealedpart import SealedPart
from logstore.storage.segmenttree import SegmentTree

T = TypeVar("T")

_KEPT = 64 * 2**20
"""Bytes of ranges that are kept in memory."""

_MOST = 256
"""Most records whose content is read so at one time."""

_LEAF, _ID = "leaf", "id"
_BLOCK, _KEYS = "block", "keys.list.element"

_Bodies = dict[int, bytes | Unreadable]
_Owners = dict[tuple[str, ...], list[Leaf]]


class RangedReads:
    """Reads ranges for one reader. Thread-safe.

    Every method gives None where the whole object is to be read instead: it is here already, it is
    small, much of it is wanted, or something about it is not as it should be.

    Args:
        sealed: the log's sealed part.
        blobs: where its objects are.
    """

    def __init__(self, sealed: SealedPart, blobs: Blobs) -> None:
        self._sealed = sealed
        self._blobs = blobs
        self._open: OrderedDict[str, RangedParquet] = OrderedDict()
        self._whole: set[str] = set()
        self._lock = threading.Lock()

    def leaves(self, pin: SegmentPin, low: int, high: int) -> list[bytes] | None:
        """Leaves of the rows [low, high) of a segment's index object.

        Raises:
            StoreAway: the bucket can not be reached now.
        """
        if 2 * (high - low) > pin.count:
            return None
        return self._tried(pin.index, lambda: self._leaves(pin, low, high))

    def _leaves(self, pin: SegmentPin, low: int, high: int) -> list[bytes] | None:
        part = self._part(pin.index, pin.count, (_LEAF, _ID))
        if part is None:
            return None
        tree = self._tree(pin)
        first, end = tree.around(pin.first + low, pin.first + high)
        groups, row = part.holding(first - pin.first, end - pin.first)
        if not self._bring(pin.index, part, part.spans(groups, _LEAF)):
            return None
        read = [part.strings(group, _LEAF, nullable=True) for group in groups]
        leaves = list(itertools.chain.from_iterable(read))[first - pin.first - row :]
        leaves = leaves[: end - first]
        tree.check(first, end, leaves)
        start = pin.first + low - first
        return leaves[start : start + high - low]

    def find(self, pin: SegmentPin, identifier: str) -> int | None:
        """Index of the record of a segment that has a UUID; None also where none has it.

        Raises:
            StoreAway: the bucket can not be reached now.
        """
        row = self._tried(pin.index, lambda: self._place_of(pin, identifier.encode()))
        leaves = None if row is None else self.leaves(pin, row, row + 1)
        if row is None or not leaves or parse(leaves[0]).id != identifier:
            return None
        return pin.first + row

    def _place_of(self, pin: SegmentPin, identifier: bytes) -> int | None:
        part = self._part(pin.index, pin.count, (_LEAF, _ID))
        if part is None:
            return None
        groups = range(len(part.groups))
        if not self._bring(pin.index, part, part.spans(groups, _ID)):
            return None
        ids = itertools.chain.from_iterable(part.strings(g, _ID, nullable=True) for g in groups)
        return next((row for row, each in enumerate(ids) if each == identifier), None)

    def worth(self, pin: ObjectPin | None, wanted: Sequence[int]) -> bool:
        """Whether content of these records, ascending, may be read so."""
        if pin is None or not wanted or wanted[-1] - wanted[0] >= _MOST:
            return False
        return pin.key not in self._whole and self._blobs.part(pin) is not None

    def bodies(self, pin: SegmentPin, leaves: Sequence[Leaf], keys: KeyStore) -> _Bodies | None:
        """nonce32 || content of records of a segment, or why not.

        Args:
            pin: the segment.
            leaves: of its records, proven.
            keys: opens content.

        Raises:
            StoreAway: the bucket can not be reached now.
        """
        body = pin.body
        if body is None:
            return None
        found: _Bodies = {}
        due: _Owners = {}
        for leaf in leaves:
            if leaf.body is not None:
                problem = key_problem(keys, leaf.body.keys)
                if problem is None:
                    due.setdefault(tuple(leaf.body.keys), []).append(leaf)
                else:
                    found[leaf.index] = problem
        opened = self._tried(body, lambda: self._opened(pin, body, due, keys)) if due else {}
        return None if opened is None else {**found, **opened}

    def _opened(
        self, pin: SegmentPin, body: ObjectPin, due: _Owners, keys: KeyStore
    ) -> _Bodies | None:
        part = self._part(body, pin.count, (_BLOCK, _KEYS))
        if part is None:
            return None
        places = {ids: part.around(_KEYS, ids[0].encode()) for ids in due}  # in order of first ids
        groups = sorted({group for among in places.values() for group in among})
        if not self._bring(body, part, part.spans(groups, _BLOCK)):
            return None
        found: _Bodies = {}
        context = blocks.BlockContext(self._sealed.origin, pin.first, pin.count)
        for ids, leaves in due.items():
            key = blocks.block_key([keys.key(each).key for each in ids], ids, context)
            read = (part.strings(group, _BLOCK, nullable=False) for group in places[ids])
            among = list(itertools.chain.from_iterable(read))
            entries = _entries(key, among, ids, context)
            found |= _committed(leaves, entries, pin.first)
        return found

    # -- which objects ------------------------------------------------------------------------

    def _part(self, pin: ObjectPin, rows: int, columns: Collection[str]) -> RangedParquet | None:
        """What is here of an object, its footer at least."""
        fetch = self._blobs.part(pin)
        if fetch is None:
            return None
        return self._open.get(pin.sha256) or RangedParquet(fetch, pin.size, rows, columns)

    def _bring(self, pin: ObjectPin, part: RangedParquet, spans: list[Span]) -> bool:
        """Bring column chunks, unless that is so much that all of it should be brought."""
        more = sum(end - start for start, end in part.bytes.missing(spans))
        if 2 * (part.bytes.held + more) > pin.size:
            self._give_up(pin)
            return False
        part.bring(spans)
        self._open[pin.sha256] = part
        self._open.move_to_end(pin.sha256)
        while len(self._open) > 1 and sum(p.bytes.held for p in self._open.values()) > _KEPT:
            self._open.popitem(last=False)
        return True

    def _give_up(self, pin: ObjectPin) -> None:
        self._whole.add(pin.key)
        self._open.pop(pin.sha256, None)

    def _tried(self, pin: ObjectPin, read: Callable[[], T | None]) -> T | None:
        with self._lock:
            if pin.key in self._whole:
                return None
            try:
                return read()
            except StoreAway as error:
                if not isinstance(error, StoreRefused):
                    raise
            except (FormatError, FileNotFoundError, KeyDestroyed, KeyUnavailable):
                pass
            except (ValueError, LookupError):
                pass  # a block too short for its cipher, a leaf that names no key
            self._give_up(pin)
            return None

    def _tree(self, pin: SegmentPin) -> SegmentTree:
        before, seal = self._sealed.place(pin)
        return SegmentTree(before, seal)


def _entries(
    key: bytes, among: Sequence[bytes], ids: Sequence[str], context: blocks.BlockContext
) -> Iterator[list[tuple[int, bytes]]]:
    """What the blocks of one key set hold; which they are, only opening them tells for certain."""
    for number in itertools.count():
        for block in among:
            with suppress(KeyUnavailable):
                yield blocks.open_block(key, block, context.bind(ids, number))
                break
        else:
            return


def _committed(
    leaves: Sequence[Leaf], parts: Iterator[list[tuple[int, bytes]]], first: int
) -> _Bodies:
    """Content of records, once each is what its leaf commits to.

    Raises:
        FormatError: some is not there.
    """
    wanted = {leaf.index: leaf for leaf in leaves}
    found: _Bodies = {}
    for entries in parts:
        for offset, body in entries:
            leaf = wanted.get(first + offset)
            if leaf is not None and not isinstance(check(leaf, body), Unreadable):
                found[leaf.index] = body
        if len(found) == len(wanted):
            return found
    raise FormatError("content is not where it should be")
