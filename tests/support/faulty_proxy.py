"""A wire that fails: between a client and a server on loopback, below HTTP and below TLS.

It knows no protocol. What it does starts when the client has sent enough on one connection, more
than any handshake or listing needs, so it hits the put of a large object.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["lose the answer", "never answer", "flip a byte"]

ENOUGH = 64 * 1024
"""Bytes sent by the client on one connection from which on faults happen."""


@dataclass
class Wire:
    """What happens on it.

    Attributes:
        fault: what goes wrong.
        times: on how many connections still.
        struck: how often it went wrong.
    """

    fault: Fault
    times: int
    struck: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self) -> bool:
        """Whether this connection is one of those that fail."""
        with self._lock:
            if self.times <= 0:
                return False
            self.times -= 1
            self.struck += 1
            return True


@contextlib.contextmanager
def faulty(upstream: tuple[str, int], wire: Wire) -> Iterator[int]:
    """A port in front of a server, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running: list[tuple[_Connection, threading.Thread]] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    each = _Connection(client, upstream, wire)
                    thread = threading.Thread(target=each.run)
                    thread.start()
                    running.append((each, thread))

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for each, thread in running:
                each.cut()
                thread.join()


class _Connection:
    def __init__(self, client: socket.socket, upstream: tuple[str, int], wire: Wire) -> None:
        self._client = client
        self._upstream = upstream
        self._wire = wire
        self._sent = 0
        self._struck: bool | None = None

    def cut(self) -> None:
        """End it; clients keep connections for later."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Carry bytes both ways until one side ends."""
        with self._client, socket.create_connection(self._upstream) as server:
            back = threading.Thread(target=self._back, args=(server,))
            back.start()
            self._forth(server)
            back.join()

    def _forth(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := self._client.recv(16 * 1024):
                self._sent += len(piece)
                if self._wire.fault == "flip a byte" and self._strikes():
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                    self._struck = None
                server.sendall(piece)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _back(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(16 * 1024):
                if self._wire.fault != "flip a byte" and self._strikes():
                    if self._wire.fault == "lose the answer":
                        self._client.shutdown(socket.SHUT_RDWR)
                        return
                    continue
                self._client.sendall(piece)
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _strikes(self) -> bool:
        if self._sent < ENOUGH:
            return False
        if self._struck is None:
            self._struck = self._wire.strikes()
        return self._struck
