"""A model provider that answers at once: what remains of a call is the client's own work.

An ASGI application for uvicorn: ``python -m uvicorn bench.fakemodel:app``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

_TEXT = "the answer to everything that was asked " * 25  # 1 KB, as answers are
_ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795380415,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 250, "completion_tokens": 250, "total_tokens": 500},
    }
).encode()
_HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_ANSWER)).encode()),
    ],
}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read a request and give the same answer to everybody."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send(_HEAD)
    await send({"type": "http.response.body", "body": _ANSWER})
