"""What every way of calling a model shares: ask before, record after, and keep the promises.

In closed mode whatever goes wrong with recording is raised as `NotRecorded` in place of the answer.
In open mode nothing that goes wrong here reaches the caller: it is logged and counted.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import msgspec

from logstore.capture.sending.delivery import Acknowledged, Delivery, Spooled, Status
from logstore.capture.sending.endpoint import Endpoint
from logstore.capture.sending.exchange import Exchange, evidence
from logstore.capture.sending.killswitch import KillSwitch
from logstore.capture.sending.refusals import NotRecorded
from logstore.capture.sending.settings import Settings, default_spool, new_source
from logstore.capture.sending.spool import Spool
from logstore.capture.sending.spoolkey import spool_key
from logstore.errors import AirconError, UsageError

_log = logging.getLogger("aircon.capture")


class Recorder:
    """One client's state. Thread-safe; a forked child begins anew under a name of its own.

    Raises:
        UsageError: a certificate, the spool or its key can not be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lost = 0
        self._open = True
        self._starting = threading.Lock()
        self._running: _Running | None = None
        self._ready()
        _recorders.add(self)

    @property
    def is_closed_mode(self) -> bool:
        """Whether calls fail that can not be recorded."""
        return self.settings.is_closed

    @property
    def facts(self) -> dict[str, object]:
        """What every record says of the program."""
        named = {
            "application": self.settings.application,
            "environment": self.settings.environment,
        }
        return {name: value for name, value in named.items() if value is not None}

    def before(self) -> None:
        """Return if a model may be called now.

        Raises:
            CallsStopped: the kill switch is set.
            EndpointAway: in closed mode, the endpoint does not answer.
            UsageError: the client is closed.
        """
        if (stop := self._switch()) is not None:
            stop.check()

    async def abefore(self) -> None:
        """`before`, without holding up the event loop."""
        stop = self._switch()
        if stop is not None and stop.is_due:
            await anyio.to_thread.run_sync(stop.check)
        elif stop is not None:
            stop.check()

    def keep(self, make: Callable[[], bytes]) -> int | None:
        """Record what `make` writes; gives its index where it is acknowledged.

        Raises:
            NotRecorded: in closed mode, it was not.
        """
        try:
            self._check_open()
            return self._ready().delivery.deliver(make())
        except NotRecorded:
            raise
        except Exception as error:
            if self.is_closed_mode:
                raise NotRecorded(type(error).__name__) from error
            self._lost += 1
            _log.error("a call to a model was not recorded: %s", _place(error))
            return None

    async def akeep(self, make: Callable[[], bytes]) -> int | None:
        """`keep`, without holding up the event loop, and to its end even in a cancelled task."""
        if not self.is_closed_mode:
            return self.keep(make)
        outcome: list[int | None] = []
        with anyio.CancelScope(shield=True):
            outcome.append(await anyio.to_thread.run_sync(self.keep, make))
        return outcome[0]

    def keep_exchange(self, seen: Exchange) -> int | None:
        """Record a call to a provider; as `keep`.

        Raises:
            NotRecorded: also, in closed mode, where its bodies are too long to be kept whole.
        """
        return self._whole(seen, self.keep(lambda: self.evidence(seen)))

    async def akeep_exchange(self, seen: Exchange) -> int | None:
        """Record a call to a provider; as `akeep`."""
        return self._whole(seen, await self.akeep(lambda: self.evidence(seen)))

    def keep_later(self, make: Callable[[], bytes]) -> None:
        """Record what nobody waits for any more, from a finaliser; never fails."""
        if not self.is_closed_mode:
            self.keep(make)
            return
        thread = threading.Thread(target=self._try, args=(make,), name="aircon-capture-late")
        try:
            thread.start()
        except RuntimeError:  # the interpreter is going down
            self._lost += 1

    def status(self) -> Status:
        """How the client fares."""
        found = self._ready().delivery.status()
        return msgspec.structs.replace(found, dropped=found.dropped + self._lost)

    def close(self) -> bool:
        """Finish within `close_s`; whether everything was sent. Closing twice is harmless."""
        if not self._open:
            return True
        self._open = False
        _recorders.discard(self)
        return True if self._running is None else self._running.delivery.close()

    def evidence(self, seen: Exchange) -> bytes:
        """The evidence of a call to a provider, with what every record says of the program."""
        seen.facts.update(self.facts)
        return evidence(seen)

    def _whole(self, seen: Exchange, index: int | None) -> int | None:
        if seen.over and self.is_closed_mode:
            raise NotRecorded("its bodies are too long; only their beginning was recorded")
        return index

    def _try(self, make: Callable[[], bytes]) -> None:
        try:
            self.keep(make)
        except AirconError as error:
            self._lost += 1
            _log.error("a stream that was dropped unread was not recorded: %s", error)

    def _switch(self) -> KillSwitch | None:
        """The kill switch; None where a forked child could not begin anew in open mode."""
        self._check_open()
        try:
            return self._ready().stop
        except AirconError as error:
            if self.is_closed_mode:
                raise
            _log.error("calls to models are not recorded in this process: %s", error)
            return None

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("This client is closed.", kept="Nothing was called or recorded.")

    def _ready(self) -> _Running:
        running = self._running
        if running is None:
            with self._starting:
                running = self._running = self._running or _started(self.settings)
        return running

    def after_fork(self) -> None:
        """In a forked child, begin anew: connections, locks and the lane are the parent's."""
        if self._running is not None:
            _inherited.append(self._running)  # never collected: its sockets are not ours to close
            self._running.delivery.abandon()
        self._starting = threading.Lock()
        self._running = None


@dataclass(frozen=True, slots=True)
class _Running:
    """What a process has running for a client."""

    stop: KillSwitch
    delivery: Delivery


def _started(settings: Settings) -> _Running:
    endpoint = Endpoint(settings)
    stop = KillSwitch(settings, endpoint.stop_state)
    source = new_source(settings.application)
    if settings.is_closed:
        return _Running(stop, Acknowledged(settings, source, endpoint, stop))
    where = settings.spool or default_spool()
    spool = Spool(where, spool_key(where, settings.spool_key), settings.spool_bytes)
    return _Running(stop, Spooled(settings, source, endpoint, stop, spool))


def _place(error: BaseException) -> str:
    """The kind of an error and where it came from, without its words: they may hold content."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + where


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()
_inherited: list[object] = []


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.after_fork()


os.register_at_fork(after_in_child=_after_fork)
