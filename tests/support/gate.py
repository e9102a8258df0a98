"""A gate before an S3 server: it can be shut, and turn keys down whose time is over.

It passes on what it hears unchanged, `Host` included, so signatures hold.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>"
_NOT_PASSED_ON = {"expect", "connection"}
_LENGTHS = {"connection", "transfer-encoding", "content-length"}


@dataclass
class Gate:
    """What happens at the gate.

    Attributes:
        url: where it is.
        shut: nobody gets through, and nobody is told why.
        expired: access keys that are turned down, as AWS does with temporary ones.
        turned_down: how often that was.
        knocks: how often somebody came while it was shut.
    """

    url: str = ""
    shut: bool = False
    expired: set[str] = field(default_factory=set)
    turned_down: int = 0
    knocks: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def _answer(self) -> None:
        state = self.server.state
        if state.shut:
            state.knocks += 1
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        signed = self.headers.get("Authorization", "").partition("Credential=")[2]
        if signed.partition("/")[0] in state.expired:
            state.turned_down += 1
            self._say(400, [("Content-Length", str(len(_EXPIRED)))], _EXPIRED)
            return
        self._say(*self._passed_on(body))

    def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with contextlib.closing(http.client.HTTPConnection(self.server.upstream)) as line:
            line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _NOT_PASSED_ON:
                    line.putheader(name, value)
            line.endheaders(body or None)
            answer = line.getresponse()
            data = answer.read()
            said = [each for each in answer.getheaders() if each[0].lower() not in _LENGTHS]
            length = answer.getheader("Content-Length") or str(len(data))
            return answer.status, [*said, ("Content-Length", length)], data

    def _say(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        return


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: str, state: Gate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.state = state

    def handle_error(self, *_: object) -> None:
        return  # the client hung up


@contextlib.contextmanager
def gate(upstream: str) -> Iterator[Gate]:
    """A gate before the server at a URL, until the block ends."""
    state = Gate()
    with _Listener(urlsplit(upstream).netloc, state) as listener:
        state.url = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            listener.shutdown()
            thread.join()
