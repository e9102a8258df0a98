"""Runs the endpoint: uvicorn in this process, its signals, its draining, its end.

    SIGTERM, SIGINT   refuse new requests, finish those under way, record the end, seal if asked
    SIGHUP            read tokens and certificates again, open the event log's file anew

The process ends only after everything acknowledged is on disk; a second SIGTERM does not change
that, since acknowledged records are on disk before they are acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from logstore.capture.fetching import Fetcher
from logstore.capture.references import AllowList
from logstore.errors import AirconError, UsageError
from logstore.receiving.app import Doors
from logstore.receiving.connection import limited
from logstore.receiving.endpoint import Endpoint
from logstore.receiving.eventlog import EventLog
from logstore.receiving.gate import Gate
from logstore.receiving.heartbeats import Heartbeats
from logstore.receiving.interpreter import responsive
from logstore.receiving.limits import Limits
from logstore.receiving.listening import Server, Tls, not_listening
from logstore.receiving.metrics import Metrics
from logstore.receiving.recall import Reading, Recall
from logstore.receiving.stopping import StopFile
from logstore.receiving.upkeep import Upkeep
from logstore.receiving.writing import Opening, Writer

_TURN_AWAY_S = 0.2  # load balancers and kept-alive senders see 503 before the doors close


@dataclass(frozen=True, slots=True)
class Settings:
    """How the endpoint serves.

    Attributes:
        host: address to listen on.
        port: port; 0 for any free one.
        store: the store's directory, whose free space is watched.
        by: the service's identity in its own records.
        tls: files for HTTPS; None for plain HTTP.
        limits: bounds.
        heartbeat_s: seconds between heartbeats.
        seal_age_s: seconds after which captured records are sealed.
        seal_on_stop: seal everything in the end.
        drain_s: seconds that requests under way are given in the end.
        stop_file: the clients' kill switch.
        fetch_from: locations that content may be fetched from which records only point at.
    """

    host: str
    port: int
    store: Path
    by: str = "aircon"
    tls: Tls | None = None
    limits: Limits = field(default_factory=Limits)
    heartbeat_s: float = 60
    seal_age_s: float = 3600
    seal_on_stop: bool = False
    drain_s: float = 30
    stop_file: Path | None = None
    fetch_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the caller wants to know and do.

    Attributes:
        on_ready: told address and port once requests are taken.
        on_hangup: called on SIGHUP, beside reading certificates anew.
        on_tick: called once a second, and on SIGHUP.
    """

    on_ready: Callable[[str, int], None]
    on_hangup: Callable[[], None]
    on_tick: Callable[[], None]


async def serve(
    settings: Settings,
    opening: Opening,
    gate: Gate,
    events: EventLog,
    hooks: Hooks,
) -> None:
    """Serve until told to stop by a signal.

    Args:
        settings: how.
        opening: opens the log.
        gate: knows the senders.
        events: the endpoint's own log.
        hooks: what the caller wants to know and do.

    Raises:
        UsageError: the address can not be listened on, or a certificate not be used.
        CannotJudge: the system has no more sockets.
        AirconError: the log can not be opened.
    """
    fetcher = Fetcher(AllowList(settings.fetch_from)) if settings.fetch_from else None
    endpoint = Endpoint(
        Writer(opening, events.trouble), settings.limits, Metrics(), fetcher, events.decoder_lost
    )
    endpoint.watch_space(settings.store)
    try:
        config = _config(settings, Doors(endpoint, gate, events, StopFile(settings.stop_file)))
    except UsageError:
        await endpoint.close()
        raise
    heartbeats = Heartbeats(settings.by)
    recall = Recall(endpoint, heartbeats, events, Reading(endpoint.writer, settings.store))
    recalling: list[asyncio.Task[None]] = []

    def ready(host: str, port: int) -> None:
        hooks.on_ready(host, port)
        recalling.append(asyncio.create_task(recall.run()))  # not sooner: senders wait

    server = Server(config, ready)
    upkeep = Upkeep(
        endpoint,
        heartbeats,
        events,
        heartbeat_s=settings.heartbeat_s,
        seal_age_s=settings.seal_age_s,
        on_tick=hooks.on_tick,
    )
    loop = asyncio.get_running_loop()
    end = _ender(endpoint, server, loop)
    reload = _reloader(server, settings, events, (hooks.on_hangup, hooks.on_tick))
    with responsive(), _signals(loop, end, reload):
        await endpoint.note(heartbeats.started({"tls": settings.tls is not None}))
        beside = asyncio.create_task(upkeep.run())
        try:
            await server.serve()
        except OSError as error:
            raise not_listening(settings.host, settings.port, error) from None
        finally:
            beside.cancel()
            await asyncio.gather(*recalling)
            await _end(endpoint, heartbeats, upkeep, seal=settings.seal_on_stop)
    events.event("stopped")


async def _end(endpoint: Endpoint, heartbeats: Heartbeats, upkeep: Upkeep, *, seal: bool) -> None:
    with contextlib.suppress(AirconError):
        await endpoint.note(heartbeats.stopped(endpoint.metrics.tally))
    await upkeep.settle()
    if seal:
        await upkeep.seal()
    await endpoint.close()


def _ender(
    endpoint: Endpoint, server: uvicorn.Server, loop: asyncio.AbstractEventLoop
) -> Callable[[], None]:
    def end() -> None:
        server.should_exit = True

    def drain() -> None:
        endpoint.draining = True
        loop.call_later(_TURN_AWAY_S, end)

    return drain


def _reloader(
    server: Server,
    settings: Settings,
    events: EventLog,
    hooks: Sequence[Callable[[], None]],
) -> Callable[[], None]:
    under_way: set[asyncio.Task[None]] = set()

    async def renew(tls: Tls) -> None:
        files = [str(each) for each in (tls.certificate, tls.key, tls.client_ca) if each]
        try:
            await server.renew(tls.context())
        except OSError as error:  # of which ssl.SSLError is one
            what = error.strerror or type(error).__name__
            events.event("certificates-not-reloaded", files=files, what=what)
        else:
            events.event("certificates-reloaded", files=files)

    def reload() -> None:
        for hook in hooks:
            hook()
        if settings.tls is not None:
            task = asyncio.ensure_future(renew(settings.tls))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    return reload


@contextlib.contextmanager
def _signals(
    loop: asyncio.AbstractEventLoop, end: Callable[[], None], reload: Callable[[], None]
) -> Iterator[None]:
    handled = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    for number, handler in handled.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _config(settings: Settings, doors: Doors) -> uvicorn.Config:
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    config = uvicorn.Config(
        doors.app(),
        host=settings.host,
        port=settings.port,
        http=limited(settings.limits),
        ws="none",
        loop="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(settings.drain_s),
    )
    config.load()
    try:
        config.ssl = settings.tls.context() if settings.tls else None
    except OSError as error:  # of which ssl.SSLError is one
        raise UsageError(
            "the certificate, its key or the clients' authority can not be used:"
            f" {error.strerror or error}",
            todo="All must be PEM files, and the key the certificate's own.",
        ) from None
    return config
