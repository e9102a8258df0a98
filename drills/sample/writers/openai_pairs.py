"""Raw OpenAI pairs, as a recording proxy in front of campaign-studio keeps them."""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Call, Turn
from drills.sample.writers import openai_shapes as shapes
from drills.sample.writers.clock import iso_ms
from drills.sample.writers.files import Files

FORMAT = "openai.pair"
_PATH = "campaign-studio/openai-pairs.jsonl"


class OpenaiWriter:
    """Writes one pair per line."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, turn: Turn) -> str:
        """Write every call of the turn as a pair."""
        sink = self._files.sink(_PATH, FORMAT)
        for call in turn.calls:
            sink.line(msgspec.json.encode(_pair(turn, call)))
        return _PATH

    def close(self) -> None:
        """Nothing is held back."""


def _pair(turn: Turn, call: Call) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": call.model,
        "messages": [shapes.message(msg) for msg in call.messages],
        "temperature": 0.9,
        "user": turn.who.user,
        "metadata": {"session_id": turn.who.session, "team": turn.who.team},
    }
    if call.stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    streamed = call.stream and call.failure is None
    response: Any = shapes.chunks(call) if streamed else None
    if response is None:
        response = shapes.error_body(call) if call.failure else shapes.completion(call)
    return {
        "timestamp": iso_ms(call.start_us),
        "duration_ms": (call.end_us - call.start_us) // 1000,
        "application": turn.app.name,
        "environment": "prod",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": {
            "host": "llm.larkmoor.example",
            "authorization": "REDACTED",
            "content-type": "application/json",
            "user-agent": "OpenAI/Python 3.54.0",
            "x-forwarded-for": turn.who.address,
            "x-stainless-retry-count": "0",
        },
        "request": request,
        "status": call.failure.status if call.failure else 200,
        "stream": streamed,
        "response": response,
        **({"aborted": True} if call.aborted else {}),
    }
