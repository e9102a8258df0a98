"""The sealed part of one log, as a reader knows it: proven seals and what they pin, in order."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from logstore.errors import TamperingFound
from logstore.formats.custody import CustodyEvent
from logstore.formats.merkle import Frontier
from logstore.formats.pins import SegmentPin, SupplementPin
from logstore.formats.policy import Policy
from logstore.storage import layout
from logstore.storage.blobs import Blobs
from logstore.storage.proven import seal_or_stray
from logstore.storage.seal import Seal


class SealedPart:
    """Grows by `take`; empty before.

    Args:
        origin: the log.
        trust: whose signature proves a seal.
        blobs: where they are.

    Attributes:
        origin: the log.
        pins: sealed segments, oldest first.
        seals: their seals, in the same order.
        supplements: what they list, oldest first.
        custody: records of holds and retention that they list, likewise.
    """

    def __init__(self, origin: str, trust: Policy, blobs: Blobs) -> None:
        self.origin = origin
        self._trust = trust
        self._blobs = blobs
        self.pins: list[SegmentPin] = []
        self.seals: list[Seal] = []
        self.supplements: list[SupplementPin] = []
        self.custody: list[CustodyEvent] = []

    @property
    def end(self) -> int:
        """Records in sealed segments."""
        return self.pins[-1].end if self.pins else 0

    def edge(self) -> Frontier:
        """The tree's edge at the end."""
        return self.seals[-1].edge() if self.seals else Frontier()

    def place(self, pin: SegmentPin) -> tuple[Frontier, Seal]:
        """The tree's edge at a segment's start, and its seal."""
        at = bisect.bisect_left(self.pins, pin.first, key=lambda each: each.first)
        return self.seals[at - 1].edge() if at else Frontier(), self.seals[at]

    def within(self, first: int, end: int) -> list[SegmentPin]:
        """Segments that hold records of [first, end)."""
        start = bisect.bisect_right(self.pins, first, key=lambda each: each.end)
        return [pin for pin in self.pins[start:] if pin.first < end]

    def take(self, patience_s: float) -> bool:
        """Take in what was sealed since; says whether there was anything.

        Args:
            patience_s: how old the listing of a bucket may be.

        Raises:
            TamperingFound: a seal is gone, or no seal, though there are later ones.
        """
        ranges = {
            span: key
            for key in self._blobs.keys(layout.seal_prefix(self.origin), max_age_s=patience_s)
            if (span := layout.seal_range(key)) is not None
        }
        self._blobs.expect([ranges[span] for span in sorted(ranges) if span[0] >= self.end])
        grown = False
        strays = []
        for span in sorted(ranges):
            if span[0] == self.end:
                taken = self._take(ranges[span])
                grown = taken or grown
                strays += [] if taken else [span]
        if any(first == self.end for first, _ in strays):
            self._check_end(ranges[span] for span in ranges if span[0] > self.end)
        return grown

    def _take(self, key: str) -> bool:
        found = seal_or_stray(self._blobs, key, self._trust, self.origin)
        if found is None:
            return False
        self.seals.append(found[0])
        self.pins.append(found[1])
        self.supplements += found[0].supplements
        self.custody += found[0].custody or []
        return True

    def _check_end(self, later: Iterable[str]) -> None:
        """What stands behind the last segment proves nothing: then no seal may come after it."""
        if any(seal_or_stray(self._blobs, key, self._trust, self.origin) for key in later):
            raise TamperingFound(
                f"the seal of the segment from record {self.end} is gone, or was written over",
                kept="Nothing is shown rather than too little.",
                todo="Run `aircon verify`.",
            )
