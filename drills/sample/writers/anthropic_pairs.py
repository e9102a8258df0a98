"""Raw Anthropic pairs, as a recording proxy in front of people-desk keeps them."""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Call, Msg, Turn
from drills.sample.writers.clock import iso_ms
from drills.sample.writers.files import Files

FORMAT = "anthropic.pair"
_PATH = "people-desk/anthropic-pairs.jsonl"
_STOP = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


class AnthropicWriter:
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


def request_body(call: Call) -> dict[str, Any]:
    """System text and messages of the Messages API."""
    system = "\n".join(msg.text for msg in call.messages if msg.role == "system")
    said = [_message(msg) for msg in call.messages if msg.role != "system"]
    return {"max_tokens": 2048, "system": system, "messages": said}


def _message(msg: Msg) -> dict[str, Any]:
    if msg.role == "tool":
        block = {"type": "tool_result", "tool_use_id": msg.use_id, "content": msg.text}
        return {"role": "user", "content": [block]}
    return {"role": msg.role, "content": content(msg)}


def content(msg: Msg) -> list[dict[str, Any]]:
    """Content blocks of a message."""
    blocks: list[dict[str, Any]] = [{"type": "text", "text": msg.text}] if msg.text else []
    blocks += [
        {"type": "tool_use", "id": use.id, "name": use.name, "input": msgspec.Raw(use.arguments)}
        for use in msg.uses
    ]
    return blocks


def response_body(call: Call) -> dict[str, Any]:
    """A whole answer of the Messages API."""
    return {
        "id": call.response_id,
        "type": "message",
        "role": "assistant",
        "model": call.served,
        "stop_sequence": None,
        "content": content(call.output),
        "stop_reason": _STOP.get(call.finish),
        "usage": usage(call),
    }


def usage(call: Call) -> dict[str, Any]:
    """Token counts; ``input_tokens`` leaves cached tokens out."""
    return {
        "input_tokens": call.tokens_in - call.tokens_cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": call.tokens_cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": call.tokens_out,
        "service_tier": "standard",
    }


def events(call: Call) -> list[dict[str, Any]]:
    """The stream events of an answer; a stream that was left has no end."""
    start = response_body(call) | {"content": [], "stop_reason": None}
    start["usage"] = usage(call) | {"output_tokens": 1}
    out: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(content(call.output)):
        out += _block(index, block)
    if call.aborted:
        return out[:-1]
    stop = {"stop_reason": _STOP.get(call.finish), "stop_sequence": None}
    out.append(
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": call.tokens_out}}
    )
    return [*out, {"type": "message_stop"}]


def _block(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    if block["type"] == "text":
        empty: dict[str, Any] = {"type": "text", "text": ""}
        text = block["text"]
        step = max(8, len(text) // 8)
        deltas = [
            {"type": "text_delta", "text": text[at : at + step]} for at in range(0, len(text), step)
        ]
    else:
        empty = block | {"input": {}}
        text = bytes(block["input"]).decode()
        half = len(text) // 2
        deltas = [
            {"type": "input_json_delta", "partial_json": part}
            for part in (text[:half], text[half:])
        ]
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _pair(turn: Turn, call: Call) -> dict[str, Any]:
    streamed = call.stream and call.failure is None
    if call.failure:
        error = {"type": call.failure.code, "message": call.failure.message}
        response: Any = {"type": "error", "error": error, "request_id": f"req_01{call.span}"}
    elif streamed:
        response = [{"event": event["type"], "data": event} for event in events(call)]
    else:
        response = response_body(call)
    request = {"model": call.model, **request_body(call), "metadata": {"user_id": turn.who.user}}
    if call.stream:
        request["stream"] = True
    return {
        "timestamp": iso_ms(call.start_us),
        "duration_ms": (call.end_us - call.start_us) // 1000,
        "application": turn.app.name,
        "environment": "prod",
        "session_id": turn.who.session,
        "method": "POST",
        "path": "/v1/messages",
        "headers": {
            "host": "llm.larkmoor.example",
            "authorization": "REDACTED",
            "anthropic-version": "2026-10-21",
            "user-agent": "Anthropic/Python 2.12.0",
            "x-forwarded-for": turn.who.address,
            "traceparent": f"00-{turn.trace}-{call.span}-01",
        },
        "request": request,
        "status": call.failure.status if call.failure else 200,
        "stream": streamed,
        "response": response,
        **({"aborted": True} if call.aborted else {}),
    }
