"""What the small model server answers: a pure function of what it was asked.

The answer to a question is the question itself behind a greeting, so a test that knows the question
knows the answer. A model's name chooses its mood: see `STATUS`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]

STATUS = {"busy": 429, "broken": 500}
"""Names that a model's name may begin with, and what such a model always answers with."""

GREETING = "Gerne 🙂 — you asked: "
VERSION = "2026-08-01"
FINGERPRINT = "fp_loopback_7"
TOOL = "lookup_order"
TOOL_ARGUMENTS = {"order": "A-4711", "country": "Österreich"}


@dataclass(frozen=True)
class Reply:
    """One answer: text, or a wish to call a tool.

    Attributes:
        text: what is said; empty for a tool call.
        tool: name of the tool that is wanted, or None.
    """

    text: str
    tool: str | None
    input_tokens: int
    output_tokens: int

    @property
    def words(self) -> list[str]:
        """The text in the pieces that a stream brings; together they are the text."""
        return [f"{word} " for word in self.text.split(" ")[:-1]] + [self.text.split(" ")[-1]]


def texts(content: object) -> str:
    """The text of a message's content in any of the providers' forms."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(
            part.get("text") or "" for part in content if isinstance(part, dict)
        ).strip()
    return ""


def reply(messages: list[JsonObject], *, has_tools: bool) -> Reply:
    """The answer to a conversation; a tool is asked for once, before its result is there."""
    asked = [texts(each.get("content")) for each in messages if each.get("role") == "user"]
    question = next((text for text in reversed(asked) if text), "")
    tokens = len(json.dumps(messages, ensure_ascii=False).split())
    if has_tools and not any(_is_tool_result(each) for each in messages):
        return Reply("", TOOL, tokens, 7)
    text = GREETING + question
    return Reply(text, None, tokens, len(text.split()))


def _is_tool_result(message: JsonObject) -> bool:
    if message.get("role") == "tool" or message.get("type") == "function_call_output":
        return True
    parts = message.get("content")
    return isinstance(parts, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in parts
    )
