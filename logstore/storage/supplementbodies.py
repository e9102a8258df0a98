"""Reading content from supplements, where a record's own segment no longer gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from logstore.formats.blocks import BlockContext
from logstore.formats.leaf import Leaf
from logstore.formats.pins import ObjectPin, SupplementPin
from logstore.keys.keystore import KeyStore
from logstore.storage.bodies import Opened, SegmentBodies, Unreadable, check

_Bodies = dict[int, bytes | Unreadable]


class SupplementBodies:
    """Content in supplements for the records of one range; opens nothing before it is asked.

    Args:
        origin: the log.
        pins: gives every supplement of the log, oldest first.
        keys: opens content.
        span: (first, end) of the range.
        verified: opens an object once its whole-file hash is right; gives None when the object is
            not here (expired, not copied, or pinned a moment ago).
    """

    def __init__(
        self,
        origin: str,
        pins: Callable[[], Sequence[SupplementPin]],
        keys: KeyStore,
        span: tuple[int, int],
        verified: Callable[[ObjectPin], AbstractContextManager[Path | None]],
    ) -> None:
        self._origin = origin
        self._keys = keys
        self._first, self._end = span
        self._verified = verified
        self._pins = pins
        self._near: list[SupplementPin] | None = None
        self._loaded: dict[str, _Bodies] = {}

    def find(self, leaf: Leaf, otherwise: Unreadable) -> Opened:
        """Content of a record, newest supplement first.

        The keys of a supplement's block decide, not those that the leaf names. Where no
        supplement gives the content, the newest one that holds the record says why, or else its
        segment does (`otherwise`).
        """
        if otherwise.reason == "tampered":
            return otherwise  # what contradicts the log is shown, not stepped around
        if self._near is None:
            near = [p for p in self._pins() if p.first < self._end and p.end > self._first]
            self._near = near[::-1]
        reason: Unreadable | None = None
        for pin in self._near:
            if not pin.first <= leaf.index < pin.end:
                continue
            body = self._bodies(pin).get(leaf.index)
            if body is None:
                continue
            opened = check(leaf, body) if isinstance(body, bytes) else body
            if not isinstance(opened, Unreadable):
                return opened
            reason = reason or opened
        return reason or otherwise

    def _bodies(self, pin: SupplementPin) -> _Bodies:
        found = self._loaded.get(pin.body.key)
        if found is None:
            found = self._loaded[pin.body.key] = dict(self._read(pin))
        return found

    def _read(self, pin: SupplementPin) -> Iterator[tuple[int, bytes | Unreadable]]:
        context = BlockContext(self._origin, pin.first, pin.count)
        with self._verified(pin.body) as path:
            if path is not None:
                yield from SegmentBodies(path, context, self._keys).read(self._first, self._end)
