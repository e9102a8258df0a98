"""An endpoint on loopback that keeps the contract of `aircon serve`, and breaks it when told to."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from logstore.capture.interaction import Interaction
from logstore.capture.items import Item
from logstore.capture.registry import decode
from logstore.capture.splitting import HEAD, split
from logstore.errors import FormatError


class FakeEndpoint:
    """What arrived, and how to answer next.

    Attributes:
        raws: evidence of every record stored, in order.
        found: what their decoders read.
        arrivals: (source, first number, records) of every request stored.
        tokens: Authorization of every request.
        answers: answers to give before the usual one: status, headers, body.
        away: refuse every connection's request with 503.
        delay_s: wait before each answer.
        stop: what `/v1/stop` says; None answers 404.
        stop_asked: how often it was asked.
    """

    def __init__(self) -> None:
        self.raws: list[bytes] = []
        self.found: list[Interaction] = []
        self.arrivals: list[tuple[str, int, int]] = []
        self.tokens: list[str | None] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.away = False
        self.delay_s = 0.0
        self.stop: dict[str, Any] | None = {"stopped": False}
        self.stop_asked = 0
        self.lock = threading.Lock()
        self.url = ""

    def take(self, body: bytes) -> dict[str, object]:
        """Store what is readable, as the intake does."""
        indexes: list[int | None] = []
        for piece in split(io.BufferedReader(io.BytesIO(body), HEAD)):
            try:
                assert isinstance(piece, Item), piece
                self.found.append(decode(piece.raw, piece.format))
                self.raws.append(piece.raw)
                indexes.append(len(self.raws) - 1)
            except (FormatError, AssertionError):
                indexes.append(None)
        return {"stored": len(indexes), "rejected": indexes.count(None), "indexes": indexes}

    @property
    def numbers(self) -> list[int]:
        """The number of every record stored, in the order of arrival."""
        return [first + place for _, first, count in self.arrivals for place in range(count)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 2**16  # head and body in one packet, or each answer waits for an acknowledgement
    endpoint: FakeEndpoint

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        endpoint = self.endpoint
        endpoint.stop_asked += 1
        if endpoint.away:
            self._say(503, {"Retry-After": "0"}, b'{"error":"draining"}')
        elif endpoint.stop is None:
            self._say(404, {}, b'{"error":"not-found"}')
        else:
            self._say(200, {}, json.dumps(endpoint.stop).encode())

    def do_POST(self) -> None:
        endpoint = self.endpoint
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(endpoint.delay_s)
        endpoint.tokens.append(self.headers.get("Authorization"))
        if endpoint.away:
            self._say(503, {"Retry-After": "0"}, b'{"error":"draining"}')
            return
        with endpoint.lock:
            if endpoint.answers:
                self._say(*endpoint.answers.pop(0))
                return
            answer = endpoint.take(body)
            source, first = self.headers["Aircon-Source"], int(self.headers["Aircon-Sequence"])
            endpoint.arrivals.append((source, first, len(answer["indexes"])))  # type: ignore[arg-type]
        self._say(200, {}, json.dumps(answer).encode())

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)


class QuietServer(ThreadingHTTPServer):
    """Threads that end with the server, and no traceback where a client went away."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of these tests go away on purpose."""


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """An HTTP server in threads of this process; gives its address."""
    with QuietServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def fake_endpoint(port: int = 0) -> Iterator[FakeEndpoint]:
    """A fake endpoint until the block ends."""
    endpoint = FakeEndpoint()
    with served(type("Handler", (_Handler,), {"endpoint": endpoint}), port) as url:
        endpoint.url = url
        yield endpoint
