"""What the endpoint does with a request, apart from HTTP: admit, decode, store, remember.

The answer is given only after the group commit that holds every record of the request. Memory is
bounded: what is not answered yet counts against `Limits.pending_bytes`, and more is told to come
back later instead of being queued.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from logstore.capture.fetching import Fetcher
from logstore.capture.references import points_elsewhere
from logstore.errors import AirconError
from logstore.formats.record import Record, Refusal
from logstore.receiving.arriving import Arrival, count_metrics
from logstore.receiving.attributing import Attribution, Seen
from logstore.receiving.backlog import Backlog, Entry
from logstore.receiving.evidence import refused
from logstore.receiving.gate import Sender
from logstore.receiving.intake import Taken
from logstore.receiving.lanes import LARGE, Lanes
from logstore.receiving.limits import Limits
from logstore.receiving.metrics import Metrics
from logstore.receiving.refusals import ComeBack, later
from logstore.receiving.replays import Replays
from logstore.receiving.writing import Outcomes, Writer, is_withheld
from logstore.storage.portions import content_size

RETRY_S = 5
"""Retry-After for our own trouble, seconds."""

_FETCHING = 4  # requests whose content is fetched at a time

_AT_A_TIME = 1024  # records of one request looked at before others have their turn

NOT_DURABLE = "not-durable"
"""Why a request is not stored when the log itself is in trouble."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a request.

    Attributes:
        indexes: position in the log of each record, None where its piece was rejected or refused.
        rejected: how many pieces were kept only as opaque evidence, or not kept at all.
        withheld: how many of those were not kept, because their person's keys were destroyed.
        unreadable: nothing of the request could be read; it is kept as evidence.
        cut_short: the last of the rejected stands for all that was not taken any more.
    """

    indexes: Sequence[int | None]
    rejected: int = 0
    withheld: int = 0
    unreadable: bool = False
    cut_short: bool = False

    @property
    def weight(self) -> int:
        """How many numbers it takes to remember this."""
        return 1 if isinstance(self.indexes, range) else 1 + len(self.indexes)

    @property
    def stored(self) -> int:
        """Records stored as what they claim to be."""
        return len(self.indexes) - self.rejected


class Endpoint:
    """Takes admitted requests; used in one event loop.

    Args:
        writer: stores records.
        limits: bounds.
        metrics: counts.
        fetcher: gets content that records only point at; None where nothing may be fetched.
        on_lost: told, in another thread, why a process that decodes ended, as a slug.

    Attributes:
        backlog: what is under way.
        attribution: says whom stored records concern.
        draining: set when the endpoint is to stop; nothing new is let in.
    """

    def __init__(
        self,
        writer: Writer,
        limits: Limits,
        metrics: Metrics,
        fetcher: Fetcher | None = None,
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.writer = writer
        self.limits = limits
        self.metrics = metrics
        self.draining = False
        self._lanes = Lanes(limits, on_lost)
        self.attribution = Attribution()
        self._fetcher = fetcher
        self._fetching = ThreadPoolExecutor(_FETCHING, "aircon-serve-fetch")
        self._replays: Replays[Stored] = Replays(os.urandom(32))
        self.backlog = Backlog(limits.pending_bytes, self._moved)
        self._idle = asyncio.Event()
        self._space = _Space(limits.min_free_bytes)

    def watch_space(self, path: str | os.PathLike[str]) -> None:
        """Refuse what arrives while this path's file system is nearly full."""
        self._space.path = os.fspath(path)

    def obstacle(self) -> ComeBack | None:
        """Why nothing is taken at the moment; None when all is well."""
        if self.draining:
            return later("draining", "the endpoint is stopping; another one may take over", RETRY_S)
        if self.writer.trouble is not None:
            return later(NOT_DURABLE, "records can not be made durable at the moment", RETRY_S)
        if self._space.is_short():
            return later("disk-nearly-full", "the disk is nearly full", RETRY_S * 6)
        return None

    def door(self) -> None:
        """Let a request in, before anything of it is read.

        Raises:
            ComeBack: nothing is taken now. A log that stopped lets requests in: they try to
                open it again.
        """
        obstacle = self.obstacle()
        if obstacle is not None and obstacle.slug != NOT_DURABLE:
            raise obstacle

    async def take(self, arrival: Arrival, entry: Entry, sender: Sender) -> Stored:
        """Store a request; returns when every record of it is on disk.

        Args:
            arrival: the request.
            entry: its share of the backlog, which holds the body already.
            sender: charged for the records.

        Raises:
            NotTaken: it can not be inflated.
            ComeBack: it is not stored (or not known to be); the sender must send it again.
        """
        plain = await self._lanes.plain(arrival, sender)
        entry.grow(len(plain))
        return await self._take(arrival, plain, entry, sender)

    async def count(self, arrival: Arrival) -> int:
        """Count the metrics of an OTLP metrics request, which are not stored.

        Raises:
            NotTaken: it can not be read.
        """
        plain = await self._lanes.plain(arrival)
        count = await asyncio.to_thread(count_metrics, plain, is_json=arrival.is_json)
        self.metrics.ignored_metrics.inc(count)
        return count

    async def note(self, record: Record) -> None:
        """Store a record of the endpoint's own.

        Raises:
            AirconError: it is not stored.
        """
        await self.writer.store([record])

    async def close(self) -> None:
        """Finish what is under way."""
        self.draining = True
        if self.backlog.requests:
            await self._idle.wait()
        await self.writer.close()
        self._lanes.close()
        self._fetching.shutdown()

    def _moved(self, size: int) -> None:
        self.metrics.pending_bytes.set(size)
        if self.backlog.requests:
            self._idle.clear()
        else:
            self._idle.set()

    # -- one request --------------------------------------------------------------------------

    async def _take(self, arrival: Arrival, plain: bytes, entry: Entry, sender: Sender) -> Stored:
        name = await self._name(arrival, plain)
        before = None if name is None else self._replays.get(name)
        if before is not None:
            self.metrics.replayed.labels(self.metrics.named(arrival.source)).inc()
            return before
        taken = await self._lanes.take(arrival, plain, sender)
        entry.grow(taken.size)
        started = time.perf_counter()
        records = await self._completed(taken.records)
        entry.grow(max(0, content_size(records) - taken.size))
        outcomes = await self._store(records)
        await self.attribution.saw(_seen(taken, outcomes), self._store)
        stored = await self._settled(arrival, taken, outcomes)
        self.metrics.commit_seconds.observe(time.perf_counter() - started)
        self.metrics.took(arrival.source, taken.kinds, len(plain))
        if name is not None:
            self._replays.put(name, stored, stored.weight)
        return stored

    async def _completed(self, records: list[Record]) -> list[Record]:
        """The records, with the content they only point at where it may be fetched."""
        if self._fetcher is None or not any(map(points_elsewhere, records)):
            return records
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._fetching, self._fetcher.complete, records)

    async def _name(self, arrival: Arrival, plain: bytes) -> bytes | None:
        if not arrival.names_itself:
            return None
        counted = b"" if arrival.sequence is None else b"%d" % arrival.sequence
        kind = b"%b%d" % (arrival.route.encode(), arrival.is_json)
        parts = (kind, arrival.source.encode(), counted, plain)
        if len(plain) < LARGE:
            return self._replays.name(*parts)
        return await asyncio.to_thread(self._replays.name, *parts)

    async def _store(self, records: list[Record]) -> Outcomes:
        try:
            return await self.writer.store(records)
        except AirconError as error:
            self.metrics.failed.inc(len(records))
            raise later(
                NOT_DURABLE, "the records could not be made durable; send them again", RETRY_S
            ) from error

    async def _settled(self, arrival: Arrival, taken: Taken, outcomes: Outcomes) -> Stored:
        """Count what was not stored as what it is; keep what the log refused as evidence."""
        rejected = dict(taken.rejected)
        indexes: list[int | None] = []
        again: list[Record] = []
        withheld = 0
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, Refusal):
                indexes.append(None)
                rejected[place] = "refused-by-log"
                if is_withheld(outcome):
                    withheld += 1
                elif outcome.record.content is not None:
                    again.append(refused(outcome.record, rejected[place]))
            else:
                indexes.append(None if place in rejected else outcome.index)
            if place % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)
        if again:
            await self._store(again)
        source = self.metrics.named(arrival.source)
        for reason, count in Counter(rejected.values()).items():
            self.metrics.rejected.labels(source, reason).inc(count)
        return Stored(_ranged(indexes), len(rejected), withheld, taken.unreadable, taken.cut_short)


def _ranged(indexes: list[int | None]) -> Sequence[int | None]:
    """Places that follow one another as a range, which is small to remember."""
    if not indexes or indexes[0] is None:
        return indexes
    found = range(indexes[0], indexes[0] + len(indexes))
    return found if indexes == list(found) else indexes


def _seen(taken: Taken, outcomes: Outcomes) -> Iterator[Seen]:
    """What stored records tell about people, with their places."""
    for sighting, outcome in zip(taken.sightings, outcomes, strict=True):
        if sighting is not None and not isinstance(outcome, Refusal):
            yield sighting, outcome.index


class _Space:
    """Free space of a file system, looked at no more than once a second."""

    def __init__(self, least: int) -> None:
        self.path: str | None = None
        self._least = least
        self._looked = float("-inf")
        self._short = False

    def is_short(self) -> bool:
        """Whether less than the least is free."""
        now = time.monotonic()
        if self.path is not None and now - self._looked > 1:
            self._looked = now
            try:
                found = os.statvfs(self.path)
            except OSError:
                return self._short
            self._short = found.f_bavail * found.f_frsize < self._least
        return self._short
