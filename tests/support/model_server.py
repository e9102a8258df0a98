"""A small model server on loopback that speaks OpenAI's and Anthropic's API, and its own diary.

It answers as `model_answers` says, and remembers every call: the truth that is compared with what a
client's telemetry brought to the log.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support import model_anthropic, model_openai
from support.model_answers import STATUS, JsonObject, Reply

_SAYS = {
    "/v1/chat/completions": (
        model_openai.chat, model_openai.chat_whole, model_openai.chat_pieces,
    ),
    "/v1/responses": (
        model_openai.responses, model_openai.responses_whole, model_openai.responses_pieces,
    ),
    "/v1/messages": (model_anthropic.messages, model_anthropic.whole, model_anthropic.pieces),
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call as the server saw it.

    Attributes:
        body: the request.
        status: of the answer.
        answer: the whole answer, also where it went out in pieces; an error's body.
        said: what was said in it; None for embeddings and errors.
    """

    path: str
    body: JsonObject
    status: int
    answer: JsonObject
    said: Reply | None


@dataclass
class ModelServer:
    """A running server.

    Attributes:
        url: without `/v1`.
        calls: every call so far.
    """

    url: str
    calls: list[Call] = field(default_factory=list)


@contextlib.contextmanager
def model_server() -> Iterator[ModelServer]:
    """A server on a free port until the block ends."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.diary = ModelServer(f"http://127.0.0.1:{http.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield http.diary  # type: ignore[attr-defined]
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer one call."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        diary: ModelServer = self.server.diary  # type: ignore[attr-defined]
        mood = str(body.get("model", "")).partition("-")[0]
        number = len(diary.calls) + 1
        if (status := STATUS.get(mood, 200)) != 200:
            is_anthropic = self.path == "/v1/messages"
            answer = (model_anthropic if is_anthropic else model_openai).failure(status)
            diary.calls.append(Call(self.path, body, status, answer, None))
            self._whole(status, answer)
        elif self.path == "/v1/embeddings":
            answer = model_openai.embeddings(body)
            diary.calls.append(Call(self.path, body, 200, answer, None))
            self._whole(200, answer)
        elif self.path in _SAYS:
            say, whole, pieces = _SAYS[self.path]
            said = say(body)
            answer = whole(body, said, number)
            diary.calls.append(Call(self.path, body, 200, answer, said))
            if body.get("stream"):
                self._stream(pieces(body, said, number))
            else:
                self._whole(200, answer)
        else:
            self._whole(404, {"error": {"message": f"no {self.path} here"}})

    def _whole(self, status: int, answer: JsonObject) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("x-request-id", f"req_{status}")
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, pieces: list[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a client may go away in the middle
            for piece in pieces:
                data = piece.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
