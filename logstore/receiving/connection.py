"""One HTTP connection, with the limits that uvicorn's own has not: on the time and size of headers.

A connection that dribbles its headers, or sends ever more of them, is closed without an answer; so
is one that never says anything at all.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from logstore.receiving.limits import Limits


class LimitedConnection(HttpToolsProtocol):
    """uvicorn's connection with a clock and a scale for headers.

    Attributes:
        limits: its bounds.
    """

    limits = Limits()
    _clock: asyncio.TimerHandle | None = None
    _heading = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it the same way
        """Start the clock: something must be said."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Weigh what arrives before the headers are whole."""
        if self._clock is not None:
            self._heading += len(data)
        super().data_received(data)
        if self._clock is not None and self._heading > self.limits.header_bytes:
            self._give_up()

    def on_message_begin(self) -> None:
        """Start the clock for one more request."""
        super().on_message_begin()
        self._start_clock()

    def on_headers_complete(self) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().on_headers_complete()

    def _start_clock(self) -> None:
        if self._clock is None:
            self._heading = 0
            self._clock = self.loop.call_later(self.limits.header_s, self._give_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _give_up(self) -> None:
        self._stop_clock()
        transport: Any = self.transport
        transport.abort()


def limited(limits: Limits) -> type[LimitedConnection]:
    """A connection class for `uvicorn.Config(http=...)` that keeps these limits."""
    return type("LimitedConnection", (LimitedConnection,), {"limits": limits})
