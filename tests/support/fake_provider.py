"""A model provider on loopback: OpenAI's and Anthropic's answers, streams, and their accidents."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.fake_endpoint import served

SECRET = "sk-live-0123456789abcdef"
"""The API key that applications of these tests use, and that nobody may find again."""


def chat_answer(text: str = "Hello Maria", **more: object) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795380415,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        **more,
    }


def chat_chunks(*words: str) -> list[dict[str, Any]]:
    base = {
        "id": "chatcmpl-2",
        "object": "chat.completion.chunk",
        "created": 1795380415,
        "model": "gpt-4o-mini-2024-07-18",
    }
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word}, None) for word in words]
    deltas += [({}, "stop")]
    return [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in deltas
    ]


def message_answer(text: str = "Hello Maria") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }


def message_events(*words: str) -> list[dict[str, Any]]:
    start = {**message_answer(), "content": [], "stop_reason": None}
    block = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    said = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": word},
        }
        for word in words
    ]
    return [
        {"type": "message_start", "message": start},
        block,
        *said,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]


def response_answer(text: str = "Hello Maria") -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed"}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1795380415,
        "model": "gpt-4o-mini-2024-07-18",
        "status": "completed",
        "output": [{**item, "content": content}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 5,
            "output_tokens": 2,
            "total_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


class FakeProvider:
    """What it is asked, and how it answers.

    Attributes:
        asked: (path, body) of every request.
        words: of the streams.
        break_after: events of a stream after which the connection is cut; None for never.
        body: answer with these bytes instead.
        status: and this status.
        content_type: and this type.
        packed: gzip the answers.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.words = ("Hello", " Maria", "\u2028!")
        self.break_after: int | None = None
        self.body: bytes | None = None
        self.status = 200
        self.content_type = "application/json"
        self.packed = False
        self.url = ""

    def events(self, path: str) -> list[bytes]:
        if path.endswith("/messages"):
            return [
                f"event: {event['type']}\ndata: {_json(event)}\n\n".encode()
                for event in message_events(*self.words)
            ]
        lines = [f"data: {_json(chunk)}\n\n".encode() for chunk in chat_chunks(*self.words)]
        return [*lines, b"data: [DONE]\n\n"]

    def answer(self, path: str) -> bytes:
        if self.body is not None:
            return self.body
        if path.endswith("/messages"):
            return _json(message_answer()).encode()
        made = response_answer() if path.endswith("/responses") else chat_answer()
        return json.dumps(made, indent=1).encode()  # with line feeds, as some gateways do


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 2**16  # as in the fake endpoint
    provider: FakeProvider

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._whole(b'{"object":"list","data":[]}')

    def do_POST(self) -> None:
        provider = self.provider
        body = self.rfile.read(int(self.headers["Content-Length"]))
        provider.asked.append((self.path, body))
        try:
            streams = json.loads(body).get("stream") is True
        except (ValueError, AttributeError):
            streams = False
        if streams and provider.body is None and provider.status == 200:
            self._stream(provider.events(self.path.split("?")[0]))
        else:
            self._whole(provider.answer(self.path.split("?")[0]))

    def _head(self, content_type: str, *more: tuple[str, str]) -> None:
        self.send_response(self.provider.status)
        self.send_header("Content-Type", content_type)
        self.send_header("X-Request-Id", "req-17")
        if self.provider.packed:
            self.send_header("Content-Encoding", "gzip")
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()

    def _whole(self, body: bytes) -> None:
        body = gzip.compress(body) if self.provider.packed else body
        self._head(self.provider.content_type, ("Content-Length", str(len(body))))
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def _stream(self, events: list[bytes]) -> None:
        self._head("text/event-stream", ("Transfer-Encoding", "chunked"))
        if self.provider.packed:
            events = [gzip.compress(b"".join(events))]
        for place, event in enumerate(events):
            if place == self.provider.break_after:
                self.close_connection = True
                break
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.wfile.flush()
        else:
            self.wfile.write(b"0\r\n\r\n")


@contextlib.contextmanager
def fake_provider() -> Iterator[FakeProvider]:
    """A fake provider until the block ends."""
    provider = FakeProvider()
    with served(type("Handler", (_Handler,), {"provider": provider})) as url:
        provider.url = url
        yield provider
