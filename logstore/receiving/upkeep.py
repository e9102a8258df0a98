"""What the endpoint does by itself: heartbeats, sealing by age, opening a log that stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from logstore.errors import AirconError, StoreAway
from logstore.formats.pins import SegmentPin
from logstore.receiving.endpoint import Endpoint
from logstore.receiving.eventlog import EventLog
from logstore.receiving.heartbeats import Heartbeats
from logstore.storage.pace import Pace

TICK_S = 1.0


class Upkeep:
    """Runs beside the requests until it is cancelled.

    Args:
        endpoint: what is kept up.
        heartbeats: makes the records.
        events: the endpoint's own log.
        heartbeat_s: seconds between heartbeats.
        seal_age_s: seconds after which captured records are sealed.
        on_tick: called once a second.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        heartbeats: Heartbeats,
        events: EventLog,
        *,
        heartbeat_s: float,
        seal_age_s: float,
        on_tick: Callable[[], None],
    ) -> None:
        self._endpoint = endpoint
        self._heartbeats = heartbeats
        self._events = events
        self._heartbeat_s = heartbeat_s
        self._seal_age_s = seal_age_s
        self._on_tick = on_tick
        self._away: StoreAway | None = None
        self._running: asyncio.Future[list[SegmentPin]] | None = None

    async def run(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Look once a second whether something is due."""
        beat = clock()
        sealing = asyncio.create_task(self._seal_by_age(clock))  # takes its time; the rest goes on
        try:
            while True:
                await asyncio.sleep(TICK_S)
                self._on_tick()
                self._tell_away()
                await self._endpoint.writer.revive()
                if clock() - beat >= self._heartbeat_s:
                    beat = clock()
                    await self._beat()
        finally:
            sealing.cancel()

    def _tell_away(self) -> None:
        """Say once that the store can not be reached, and once that it can again."""
        log = self._endpoint.writer.log
        away = None if log is None else log.away
        if away is not None and self._away is None:
            self._events.event("store-away", what=away.what, todo=away.todo)
        elif away is None and self._away is not None and log is not None:
            self._events.event("store-back", waiting=log.waiting)
        if log is not None:
            self._away = away

    async def _seal_by_age(self, clock: Callable[[], float]) -> None:
        since = clock()
        counted = 0
        while True:
            await asyncio.sleep(TICK_S)
            captured = self._endpoint.metrics.tally.total()
            if captured == counted:
                since = clock()  # age counts from the first record that is not sealed
            elif clock() - since >= self._seal_age_s:
                if await self.seal():
                    counted = captured
                since = clock()

    async def _beat(self) -> None:
        try:
            await self._endpoint.note(self._heartbeats.beat(self._endpoint.metrics.tally))
        except AirconError as error:
            self._events.event("no-heartbeat", what=error.what)

    async def settle(self) -> None:
        """Wait for a seal that is under way, whoever waits for it no longer."""
        if self._running is not None:
            await asyncio.wait([self._running])

    async def seal(self) -> bool:
        """Seal what is durable; False where it could not be done, and why is in the event log."""
        log = self._endpoint.writer.log
        if log is None:
            return False
        pace = Pace(lambda: self._endpoint.draining)  # then somebody waits for the end
        running = self._running = asyncio.ensure_future(asyncio.to_thread(log.seal, progress=pace))
        try:
            await asyncio.shield(running)
        except AirconError as error:
            self._events.event("not-sealed", what=error.what)
            return False
        return True
