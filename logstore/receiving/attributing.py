"""Says whom stored records concern, with links that follow the records.

Rules of this file:

1. Links are stored before the sender of what brought them about is answered, since nobody sends it
   again.
2. After the start, records of an endpoint before this one are read back, and nobody waits for
   that. What arrives meanwhile is stored and answered; it is kept in mind and looked at afterwards,
   in the order of the log: else a conversation of two people would be known of one only.
3. Whether the reading succeeds or not, what was kept in mind is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain, islice

from logstore.capture.linking import Linker, Sighting
from logstore.errors import AirconError
from logstore.formats.record import Record

MAX_KEPT = 10_000
"""Sightings kept in mind while earlier ones are read back; with more the order is given up."""

_AT_A_TIME = 1024  # records of one request looked at before others have their turn
_EARLIER = 128  # the same of records from before, for which nobody waits

Seen = tuple[Sighting, int]
"""What a stored record tells about people, and its index."""

Store = Callable[[list[Record]], Awaitable[object]]
"""Returns when records are on disk."""


class Attribution:
    """Watches stored records; used in one event loop."""

    def __init__(self) -> None:
        self._linker = Linker()
        self._kept: list[Seen] | None = None

    def hold(self) -> None:
        """Keep what is seen in mind until `release`."""
        self._kept = []

    async def saw(self, seen: Iterable[Seen], store: Store) -> None:
        """Take what was stored, in the order of the log; links are stored when this returns."""
        left = iter(seen)
        while portion := list(islice(left, _AT_A_TIME)):
            if self._kept is not None:
                self._kept += portion
                portion = []
                if len(self._kept) > MAX_KEPT:
                    portion, self._kept = self._kept, None
            await self._link(self._linker.stored(portion), store)
            if len(portion) >= _AT_A_TIME:
                await asyncio.sleep(0)

    async def release(self, earlier: Iterable[Seen], store: Store) -> int:
        """Take what was read back, then what was kept in mind, and keep nothing in mind any more.

        Returns:
            How many records only now turned out to be somebody's.

        Raises:
            AirconError: not all links could be stored.
        """
        named = 0
        trouble: AirconError | None = None
        for links in chain(self._recalled(earlier), self._remembered()):
            try:
                named += await self._link(links, store)
            except AirconError as error:
                trouble = error
            await asyncio.sleep(0)
        self._kept = None
        if trouble is not None:
            raise trouble
        return named

    def _recalled(self, earlier: Iterable[Seen]) -> Iterator[list[Record]]:
        left = iter(earlier)
        while portion := list(islice(left, _EARLIER)):
            yield self._linker.recalled(portion)

    def _remembered(self) -> Iterator[list[Record]]:
        while self._kept:  # which grows meanwhile
            portion, self._kept = self._kept[:_EARLIER], self._kept[_EARLIER:]
            yield self._linker.stored(portion)

    async def _link(self, links: list[Record], store: Store) -> int:
        if links:
            await store(links)
        return sum(map(_count, links))


def _count(link: Record) -> int:
    listed = link.clear["records"]
    return len(listed) if isinstance(listed, list) else 0
