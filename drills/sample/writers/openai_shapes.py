"""OpenAI's chat shapes: messages, answer, stream chunks. Gateways and batches speak them too."""

from __future__ import annotations

from typing import Any

from drills.sample.apps.support import fingerprint
from drills.sample.call import Call, Msg, ToolUse


def message(msg: Msg) -> dict[str, Any]:
    """One message of a request."""
    if msg.role == "tool":
        return {"role": "tool", "tool_call_id": msg.use_id, "content": msg.text}
    if msg.uses:
        calls = [_tool_call(use) for use in msg.uses]
        return {"role": "assistant", "content": msg.text or None, "tool_calls": calls}
    return {"role": msg.role, "content": msg.text}


def _tool_call(use: ToolUse) -> dict[str, Any]:
    return {
        "id": use.id,
        "type": "function",
        "function": {"name": use.name, "arguments": use.arguments},
    }


def tool_definition(name: str) -> dict[str, Any]:
    """A tool offered to the model."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": name.replace("_", " ").capitalize(),
            "parameters": {"type": "object", "properties": {}},
        },
    }


def usage(call: Call) -> dict[str, Any]:
    """Token counts of a chat completion."""
    return {
        "prompt_tokens": call.tokens_in,
        "completion_tokens": call.tokens_out,
        "total_tokens": call.tokens_in + call.tokens_out,
        "prompt_tokens_details": {"cached_tokens": call.tokens_cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion(call: Call) -> dict[str, Any]:
    """The body of an answer that was not streamed."""
    said: dict[str, Any] = {
        "role": "assistant",
        "content": call.output.text or None,
        "refusal": None,
        "annotations": [],
    }
    if call.output.uses:
        said["tool_calls"] = [_tool_call(use) for use in call.output.uses]
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": call.finish}
    return {
        "id": call.response_id,
        "object": "chat.completion",
        "created": call.start_us // 1_000_000,
        "model": call.served,
        "choices": [choice],
        "usage": usage(call),
        "service_tier": "default",
        "system_fingerprint": fingerprint(call.version),
    }


def chunks(call: Call) -> list[dict[str, Any]]:
    """The server-sent events of a streamed answer, as a recording proxy keeps them.

    A stream the client left has no last chunk, no usage and no ``[DONE]``.
    """
    first = {"role": "assistant", "content": "", "refusal": None}
    events = [_chunk(call, first, None)]
    text = call.output.text
    step = max(6, len(text) // 14)
    events += [
        _chunk(call, {"content": text[at : at + step]}, None) for at in range(0, len(text), step)
    ]
    if call.aborted:
        return events
    events.append(_chunk(call, {}, call.finish))
    last = _chunk(call, {}, None)
    last["data"]["choices"] = []
    last["data"]["usage"] = usage(call)
    return [*events, last, {"event": None, "data": "[DONE]"}]


def _chunk(call: Call, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    data = {
        "id": call.response_id,
        "object": "chat.completion.chunk",
        "created": call.start_us // 1_000_000,
        "model": call.served,
        "service_tier": "default",
        "system_fingerprint": fingerprint(call.version),
        "choices": [choice],
    }
    return {"event": None, "data": data}


def error_body(call: Call) -> dict[str, Any]:
    """The body of a refused request."""
    failure = call.failure
    assert failure is not None
    kind = "tokens" if failure.status == 429 else "invalid_request_error"
    return {
        "error": {"message": failure.message, "type": kind, "param": None, "code": failure.code}
    }
