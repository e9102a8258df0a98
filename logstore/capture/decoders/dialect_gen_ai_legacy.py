"""OpenTelemetry GenAI conventions up to 1.36: gen_ai.system, token counts, one event per message.

Events are log records (``gen_ai.user.message`` with a structured body) or, earlier still, span
events (``gen_ai.content.prompt`` with JSON text).
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.chat_messages import message_of
from logstore.capture.decoders.dialect_gen_ai import answers, said
from logstore.capture.decoders.otlp_found import Dialect, Found, Rule, integer, text
from logstore.capture.interaction import Message

ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
"""Event name to the role of the message it carries."""

_CONTENT_EVENTS = {
    "gen_ai.content.prompt": ("gen_ai.prompt", "input", said),
    "gen_ai.content.completion": ("gen_ai.completion", "output", answers),
}


def message(event: str, body: dict[str, object]) -> Message:
    """The message of one event, from its body or attributes."""
    role = ROLES[event]
    content = jsonvalues.loaded(body.get("content"))
    calls = jsonvalues.loaded(body.get("tool_calls"))
    inner = body.get("message")
    known = {**body, "content": content, "tool_calls": calls}
    if isinstance(inner := jsonvalues.loaded(inner), dict):
        known = {**inner, "role": inner.get("role", role)}
    known.setdefault("role", role)
    known.pop("message", None)
    read = message_of(known, role)
    read.finish_reason = text(body.get("finish_reason"))
    return read


def take_event(found: Found, event: str, body: dict[str, object], rank: int) -> bool:
    """Add a message event to input or output; False when it is none of these events."""
    if event in _CONTENT_EVENTS:
        key, place, read = _CONTENT_EVENTS[event]
        found.offer_content(place, body.get(key), read, rank, key)
        return True
    if event not in ROLES:
        return False
    read_message = message(event, body)
    place = "event_output" if event == "gen_ai.choice" else "event_input"
    found.facts.setdefault(place, []).append(read_message)
    return True


def _finish(found: Found, rank: int) -> None:
    for place in ("input", "output"):
        gathered = found.facts.pop(f"event_{place}", None)
        if gathered:
            found.offer_content(place, gathered, lambda messages: messages, rank, "")


DIALECT = Dialect(
    name="gen_ai_legacy",
    rules={
        "gen_ai.system": Rule("provider", text),
        "gen_ai.usage.prompt_tokens": Rule("usage.input_tokens", integer),
        "gen_ai.usage.completion_tokens": Rule("usage.output_tokens", integer),
        "gen_ai.openai.request.seed": Rule("params.seed", integer),
        "gen_ai.openai.response.system_fingerprint": Rule("system_fingerprint", text),
        "gen_ai.request.stop_sequence": Rule("params.stop_sequences", text),
    },
    finish=_finish,
)
