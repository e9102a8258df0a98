"""Anthropic's wire format as the small model server speaks it: messages."""

from __future__ import annotations

import json

from support.model_answers import TOOL_ARGUMENTS, VERSION, JsonObject, Reply, reply


def messages(body: JsonObject) -> Reply:
    """The answer to a messages request."""
    return reply(body["messages"], has_tools=bool(body.get("tools")))


def whole(body: JsonObject, said: Reply, number: int) -> JsonObject:
    """A message in one piece."""
    block: JsonObject = {"type": "text", "text": said.text}
    if said.tool:
        name = f"toolu_{number:08}"
        block = {"type": "tool_use", "id": name, "name": said.tool, "input": TOOL_ARGUMENTS}
    return {
        "id": f"msg_{number:08}",
        "type": "message",
        "role": "assistant",
        "model": f"{body['model']}-{VERSION}",
        "content": [block],
        "stop_reason": "tool_use" if said.tool else "end_turn",
        "stop_sequence": None,
        "usage": _usage(said, said.output_tokens),
    }


def pieces(body: JsonObject, said: Reply, number: int) -> list[str]:
    """A message as the lines of its event stream."""
    done = whole(body, said, number)
    begun = {**done, "content": [], "stop_reason": None, "usage": _usage(said, 1)}
    if said.tool:
        block = {**done["content"][0], "input": {}}
        arguments = json.dumps(TOOL_ARGUMENTS, ensure_ascii=False)
        deltas: list[JsonObject] = [
            {"type": "input_json_delta", "partial_json": piece}
            for piece in (arguments[:9], arguments[9:])
        ]
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": word} for word in said.words]
    events: list[JsonObject] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": done["stop_reason"], "stop_sequence": None},
            "usage": _usage(said, said.output_tokens),
        },
        {"type": "message_stop"},
    ]
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events]


def failure(status: int) -> JsonObject:
    """The body of an error."""
    kind = "rate_limit_error" if status == 429 else "api_error"
    return {"type": "error", "error": {"type": kind, "message": f"no luck: {kind}"}}


def _usage(said: Reply, output_tokens: int) -> JsonObject:
    return {
        "input_tokens": said.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }
