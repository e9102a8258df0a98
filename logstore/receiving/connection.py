"""One HTTP connection, with limits that uvicorn's own has not: on time, and on saying nothing.

Rules of this file:

1. Headers arrive in `header_s` seconds, a body in `body_s` and a little: also one that nobody wants
   to read any more. Whoever is slower is cut off; so is a connection that says nothing at all.
2. At most `header_bytes` and one read more may arrive without bringing a body further: headers,
   trailers, chunk extensions, empty lines. Too large headers are answered with 431.
3. Beyond `connections` of them, requests are answered with 503 and Retry-After, unread.
4. Who says that it has nothing more to send gets its answer before the connection ends.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from logstore.receiving import answers
from logstore.receiving.limits import Limits
from logstore.receiving.refusals import later

_GRACE_S = 5  # the body reader's own clock answers 408 before this one cuts off
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)
_CROWDED = later("too-many-connections", "too many connections are open", 1)
_COME_BACK = Response(
    answers.failure(_CROWDED),
    _CROWDED.status,
    {"retry-after": str(_CROWDED.retry_after), "connection": "close"},
    answers.JSON,
)


class LimitedConnection(HttpToolsProtocol):
    """uvicorn's connection with a clock and a scale.

    Attributes:
        limits: its bounds.
    """

    limits = Limits()
    _clock: asyncio.TimerHandle | None = None
    _idle_bytes = 0  # since something was brought further
    _heading = True  # headers are due, not a body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it the same way
        """Start the clock: something must be said."""
        super().connection_made(transport)
        self._start_clock(self.limits.header_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio's protocol lets it answer
        """Keep the connection for an answer that is under way to a request that is whole."""
        cycle = self.cycle
        if self.scheme == "https" or cycle is None or cycle.more_body or cycle.response_complete:
            return False
        cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Weigh what arrives."""
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > self.limits.header_bytes:
            self._refuse()
        elif self._clock is None and self._is_idle():
            self._start_clock(self.limits.header_s)  # an empty line ended uvicorn's own clock

    def on_message_begin(self) -> None:
        """Start the clock for one more request."""
        super().on_message_begin()
        self._heading = True
        self._start_clock(self.limits.header_s)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers after the body mean nothing here."""
        if self._heading:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the clock for the body; choose who answers."""
        self._heading = False
        self._idle_bytes = 0
        self._start_clock(self.limits.body_s + _GRACE_S)
        crowded = len(self.connections) > self.limits.connections
        self.app = _COME_BACK if crowded else self.config.loaded_app
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock."""
        self._idle_bytes = 0
        self._stop_clock()
        super().on_message_complete()

    def _is_idle(self) -> bool:
        return self.timeout_keep_alive_task is None and (
            self.cycle is None or self.cycle.response_complete
        )

    def _start_clock(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self._give_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _refuse(self) -> None:
        """Say that headers are too large, where that can not be taken for another answer."""
        self._stop_clock()
        if self._heading and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:
            self._give_up()

    def _give_up(self) -> None:
        self._stop_clock()
        transport: Any = self.transport
        transport.abort()


def limited(limits: Limits) -> type[LimitedConnection]:
    """A connection class for `uvicorn.Config(http=...)` that keeps these limits."""
    return type("LimitedConnection", (LimitedConnection,), {"limits": limits})
