"""Reads back, after the start, what an endpoint before this one stored and still waited for.

An endpoint keeps in memory which calls wait for the span that says who asked. After a restart the
newest records of senders are read back, within the bounds of `logstore.capture.recalling`, beside
the taking of new ones. That it reads them is itself a record (``capture.recalled``). Whatever
stands against it is said in the event log, and the endpoint goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from logstore.capture.recalling import MAX_AGE_S, Earlier, recent
from logstore.errors import AirconError
from logstore.formats.policy import Policy
from logstore.receiving.arriving import LIVE
from logstore.receiving.attributing import Seen
from logstore.receiving.endpoint import Endpoint
from logstore.receiving.eventlog import EventLog
from logstore.receiving.heartbeats import Heartbeats
from logstore.receiving.writing import Writer
from logstore.storage.pace import Pace
from logstore.storage.reader import LogReader

_STEP = 16  # records decoded before senders have their turn: about a millisecond


class Reading:
    """Opens the log that a writer writes, for reading in another thread.

    It shares the writer's keys, which are many: every conversation has one.

    Args:
        writer: has the log open.
        store: where the log lies.
    """

    def __init__(self, writer: Writer, store: Path) -> None:
        self._log = writer.log
        self._store = store

    def __call__(self) -> LogReader:
        """Open it.

        Raises:
            AirconError: it can not be read.
        """
        assert self._log is not None  # as the writer opened it
        own = Policy((self._log.keys.signer().verifier(),))
        return LogReader(self._store, self._log.origin, own, self._log.keys)


class Recall:
    """One reading back. Made before anything is taken; what is taken from then on waits for it.

    Args:
        endpoint: takes records.
        heartbeats: makes the endpoint's own records.
        events: the endpoint's own log.
        reading: opens the log; called in another thread.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        heartbeats: Heartbeats,
        events: EventLog,
        reading: Callable[[], LogReader],
    ) -> None:
        log = endpoint.writer.log
        self._before = log.size if log is not None else 0
        self._endpoint = endpoint
        self._heartbeats = heartbeats
        self._events = events
        self._reading = reading
        endpoint.attribution.hold()

    async def run(self) -> None:
        """Read back, and link what waited; raises nothing."""
        told: list[Seen] = []
        try:
            told = await self._read()
        except (
            _Stopping
        ):  # the next endpoint reads all of it; half of it could name the wrong person
            self._events.event("not-recalled", what="the endpoint is stopping")
            return
        except AirconError as error:
            self._events.event("not-recalled", what=error.what)
        except Exception as error:  # noqa: BLE001 - who knows less takes records all the same
            self._events.fault("recall", error)
        try:
            named = await self._endpoint.attribution.release(told, self._endpoint.writer.store)
        except AirconError as error:
            self._events.event("not-linked", what=error.what)
        else:
            if named:
                self._events.event("linked", records=named)

    async def _read(self) -> list[Seen]:
        """What earlier records told.

        Raises:
            AirconError: they can not be read.
            _Stopping: the endpoint is to stop.
        """
        started = time.monotonic()
        since_us = time.time_ns() // 1000 - MAX_AGE_S * 1_000_000
        reader = await asyncio.to_thread(self._reading)
        earlier = await asyncio.to_thread(recent, reader, LIVE, since_us, self._before)
        if earlier.leaves:
            await self._endpoint.note(self._heartbeats.recalled(len(earlier.leaves)))
        told = await asyncio.to_thread(self._told, earlier)
        seconds = round(time.monotonic() - started, 1)
        self._events.event(
            "recalled", records=len(told), unreadable=earlier.unreadable, seconds=seconds
        )
        return told

    def _told(self, earlier: Earlier) -> list[Seen]:
        pace = Pace(lambda: self._endpoint.draining)  # else senders wait for the interpreter
        told: list[Seen] = []
        for seen in earlier:
            told.append(seen)
            if len(told) % _STEP == 0:
                pace(len(told), len(earlier.leaves))
                if self._endpoint.draining:
                    raise _Stopping
        return told


class _Stopping(Exception):
    """Nobody needs what is read any more."""
