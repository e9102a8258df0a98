"""Running `aircon` in tests, and text that tries everything against a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

HOSTILE = (
    "\x1b]0;PWNED\x07\x1b[2J\x9b31m\x00\u202e[@click=app.bell]x[/] \r\n=1+1\x7f"
    "\u200b\u2028\U000e0068\U000e0069\ud83d\ude00"
)
"""A text that tries everything."""


@dataclass(frozen=True)
class Answer:
    """What one run of `aircon` answered."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, object]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Aircon = Callable[..., Answer]


def line(text: str, answer: str, user: str, **more: object) -> str:
    """One interaction in aircon's own JSON lines."""
    return json.dumps(
        {
            "aircon": 1,
            "operation": "chat",
            "provider": "openai",
            "request_model": "gpt-5",
            "response_model": "gpt-5-2026-08-01",
            "start_us": 1_795_000_000_000_000,
            "end_us": 1_795_000_000_250_000,
            "application": "support",
            "session_id": f"session of {user}",
            "subjects": [{"id": user, "field": "user", "assurance": "sdk"}],
            "input": [{"role": "user", "parts": [{"type": "text", "text": text}]}],
            "output": [{"role": "assistant", "parts": [{"type": "text", "text": answer}]}],
            "usage": {"input_tokens": 3, "output_tokens": 5},
            **more,
        }
    )
