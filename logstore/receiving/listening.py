"""Listens: uvicorn's server, whose certificates can be renewed while it serves.

A context that is in use can be given a new certificate, but no authority for clients can be taken
out of it, and it would go on with sessions that it began. So a new context gets a new listener on
the same socket, and the old listener stops: no connection is dropped or refused in between, and
those that stand stay with what they were opened under.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from logstore.errors import AirconError, CannotJudge, UsageError
from logstore.receiving.interpreter import settle

_GOODBYE_S = 2.0  # TLS ends in a word of both sides; who keeps a connection idle never says it


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for HTTPS.

    Attributes:
        certificate: PEM chain.
        key: PEM private key.
        client_ca: PEM of who signs client certificates; None where clients need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """What the files say now.

        Raises:
            OSError: one can not be read, is no PEM, or the key is not the certificate's
                (`ssl.SSLError`).
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Server(uvicorn.Server):
    """uvicorn's server; signals are its caller's, so that the process can end well.

    Args:
        config: loaded.
        on_ready: told address and port once connections are taken.
    """

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str, int], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._renewing = asyncio.Lock()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen.

        Raises:
            OSError: the address can not be listened on, or the system has no more sockets.
        """
        try:
            await super().startup(sockets)
        except SystemExit as ended:  # uvicorn's way to say that it can not
            if isinstance(ended.__context__, OSError):
                raise ended.__context__ from None
            raise
        if self.started:
            if self.config.ssl is not None:
                await self._renew_first(self.config.ssl)
            settle()
            address = self.servers[0].sockets[0].getsockname()
            self._on_ready(str(address[0]), int(address[1]))

    async def _renew_first(self, context: ssl.SSLContext) -> None:
        """Replace uvicorn's own listener, which waits for goodbyes."""
        try:
            await self.renew(context)
        except OSError:
            _close(self.servers)
            raise

    async def renew(self, context: ssl.SSLContext) -> None:
        """Open every further connection under another context.

        Raises:
            OSError: the system has no more sockets; everything is as before.
        """
        async with self._renewing:
            before = self.servers
            after: list[asyncio.Server] = []
            sockets = [listening for old in before for listening in old.sockets]
            try:
                for listening in sockets:
                    server = await self._listen(listening.fileno(), context)
                    after.append(server)
            except OSError:
                _close(after)
                raise
            if self.should_exit:
                _close(after)
                return
            self.servers = after
            _close(before)

    async def _listen(self, fd: int, context: ssl.SSLContext) -> asyncio.Server:
        """One more listener on a socket that listens."""
        listening = socket.socket(fileno=os.dup(fd))
        try:
            return await asyncio.get_running_loop().create_server(
                self._connection,
                sock=listening,
                ssl=context,
                backlog=self.config.backlog,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except OSError:
            listening.close()
            raise

    def _connection(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn's own startup
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def not_listening(host: str, port: int, error: OSError) -> AirconError:
    """Why an address can not be listened on, in words of whoever chose it."""
    shown = f"[{host}]" if ":" in host else host
    what = f"{shown}:{port} can not be listened on"
    if error.errno in _NO_MORE:
        return CannotJudge(
            f"{what}: {os.strerror(error.errno or 0)}",
            todo="Raise the limit of open files (ulimit -n; LimitNOFILE= in a systemd unit).",
        )
    reason, todo = _REASONS.get(error.errno or 0, (error.strerror or type(error).__name__, ""))
    return UsageError(f"{what}: {reason}", todo=todo or "Choose another address with --listen.")


_NO_MORE = frozenset({errno.EMFILE, errno.ENFILE})
_REASONS = {
    errno.EADDRINUSE: (
        "another program listens there already",
        "Is another endpoint running there? Choose another port with --listen.",
    ),
    errno.EADDRNOTAVAIL: ("this machine has no such address", ""),
    errno.EACCES: (
        "this user may not",
        "Ports below 1024 are for the system's own; choose another one with --listen.",
    ),
}


def _close(servers: Iterable[asyncio.Server]) -> None:
    for each in servers:
        each.close()
