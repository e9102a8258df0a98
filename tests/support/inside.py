"""The endpoint's application inside the test's own process, over a small real store."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from support.stores import OPTIONS, TestStore

from logstore.disk import Disk
from logstore.receiving.app import Doors
from logstore.receiving.endpoint import Endpoint
from logstore.receiving.eventlog import EventLog
from logstore.receiving.gate import Gate, OpenGate
from logstore.receiving.limits import Limits
from logstore.receiving.listening import Server
from logstore.receiving.metrics import Metrics
from logstore.receiving.serving import Settings, _config
from logstore.receiving.stopping import StopFile
from logstore.receiving.writing import Writer
from logstore.storage.log import Log


@dataclass
class Inside:
    """A running application.

    Attributes:
        store: what it writes to.
        endpoint: its working part.
        doors: its HTTP part.
        client: speaks with it.
        said: lines of its event log.
    """

    store: TestStore
    endpoint: Endpoint
    doors: Doors
    client: httpx.AsyncClient
    said: list[str] = field(default_factory=list)

    @property
    def faults(self) -> float:
        """How many requests met a fault of ours."""
        return self.endpoint.metrics.faults._value.get()

    def events(self, name: str) -> list[dict[str, object]]:
        """What its event log says of one kind."""
        return [line for line in map(json.loads, self.said) if line["event"] == name]

    async def until(self, good: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something, looking after the writer as the endpoint's upkeep does."""
        async with asyncio.timeout(seconds):
            while not good():
                await self.endpoint.writer.revive()
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def inside(
    base: Path,
    *,
    limits: Limits | None = None,
    disk: Disk | None = None,
    gate: Gate | None = None,
) -> AsyncIterator[Inside]:
    """An application over a new store, or the one that is there."""
    store = TestStore(base)
    if not store.path.exists():
        store.create().close()

    said: list[str] = []
    events = EventLog(said.append)
    options = replace(OPTIONS, on_sealed=events.sealed)

    def opening() -> Log:
        return store.open(disk, options)

    endpoint = Endpoint(
        Writer(opening, events.trouble),
        limits or Limits(min_free_bytes=0),
        Metrics(),
        on_lost=events.decoder_lost,
    )
    endpoint.watch_space(base)
    doors = Doors(endpoint, gate or OpenGate(), events, StopFile(None))
    transport = httpx.ASGITransport(app=doors.app(), client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://endpoint") as client:
        try:
            yield Inside(store, endpoint, doors, client, said)
        finally:
            await endpoint.close()


@contextlib.asynccontextmanager
async def listening(running: Inside) -> AsyncIterator[int]:
    """The application behind a real socket of this machine, as `aircon serve` opens it."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    settings = Settings("127.0.0.1", 0, running.store.path, limits=running.endpoint.limits)
    config = _config(settings, running.doors)
    server = Server(config, lambda _, number: port.set_result(number))
    task = asyncio.create_task(server.serve())
    try:
        yield await port
    finally:
        server.should_exit = True
        await task
