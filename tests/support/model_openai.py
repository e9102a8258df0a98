"""OpenAI's wire formats as the small model server speaks them: chat, responses, embeddings."""

from __future__ import annotations

import json
from typing import Any

from support.model_answers import FINGERPRINT, TOOL_ARGUMENTS, VERSION, JsonObject, Reply, reply

CREATED = 1_795_000_000


def chat(body: JsonObject) -> Reply:
    """The answer to a chat completion request."""
    return reply(body["messages"], has_tools=bool(body.get("tools")))


def chat_whole(body: JsonObject, said: Reply, number: int) -> JsonObject:
    """A chat completion in one piece."""
    message: JsonObject = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.tool:
        message["tool_calls"] = [_tool_call(said.tool, number)]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "tool_calls" if said.tool else "stop",
    }
    head = _head(body, number, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(said)}


def chat_pieces(body: JsonObject, said: Reply, number: int) -> list[str]:
    """A chat completion as the lines of its event stream."""
    head = _head(body, number, "chat.completion.chunk")
    deltas: list[JsonObject] = [{"role": "assistant", "content": ""}]
    if said.tool:
        call = _tool_call(said.tool, number)
        arguments = call["function"]["arguments"]
        call["function"]["arguments"] = ""
        deltas.append({"tool_calls": [{"index": 0, **call}]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in (arguments[:9], arguments[9:])
        ]
    else:
        deltas += [{"content": word} for word in said.words]
    chunks = [{**head, "choices": [_choice(delta, None)]} for delta in deltas]
    chunks.append({**head, "choices": [_choice({}, "tool_calls" if said.tool else "stop")]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": _usage(said)})
    return [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]


def responses(body: JsonObject) -> Reply:
    """The answer to a Responses API request."""
    asked = body["input"]
    turns = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    return reply(turns, has_tools=bool(body.get("tools")))


def responses_whole(body: JsonObject, said: Reply, number: int) -> JsonObject:
    """A response in one piece."""
    text = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
    item: JsonObject = {
        "id": f"msg_{number:08}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    if said.tool:
        item = {
            "id": f"fc_{number:08}",
            "type": "function_call",
            "call_id": f"call_{number:08}",
            "name": said.tool,
            "arguments": json.dumps(TOOL_ARGUMENTS, ensure_ascii=False),
            "status": "completed",
        }
    return {
        "id": f"resp_{number:08}",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "model": f"{body['model']}-{VERSION}",
        "instructions": body.get("instructions"),
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "error": None,
        "incomplete_details": None,
        "metadata": body.get("metadata") or {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": {
            "input_tokens": said.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.input_tokens + said.output_tokens,
        },
    }


def responses_pieces(body: JsonObject, said: Reply, number: int) -> list[str]:
    """A response as the lines of its event stream."""
    whole = responses_whole(body, said, number)
    empty = {**whole, "status": "in_progress", "output": [], "usage": None}
    item = whole["output"][0]
    where = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events: list[tuple[str, JsonObject]] = [
        ("response.created", {"response": empty}),
        ("response.output_item.added", {"output_index": 0, "item": {**item, "content": []}}),
        *(
            ("response.output_text.delta", {**where, "delta": word, "logprobs": []})
            for word in said.words
        ),
        ("response.output_text.done", {**where, "text": said.text, "logprobs": []}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": whole}),
    ]
    return [
        f"event: {name}\ndata: {json.dumps({'type': name, 'sequence_number': at, **event})}\n\n"
        for at, (name, event) in enumerate(events)
    ]


def embeddings(body: JsonObject) -> JsonObject:
    """One small vector for each text."""
    asked = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return {
        "object": "list",
        "model": f"{body['model']}-{VERSION}",
        "data": [
            {"object": "embedding", "index": at, "embedding": [0.5, -0.25, float(at)]}
            for at, _ in enumerate(asked)
        ],
        "usage": {"prompt_tokens": len(asked), "total_tokens": len(asked)},
    }


def failure(status: int) -> JsonObject:
    """The body of an error."""
    kind = "rate_limit_exceeded" if status == 429 else "server_error"
    return {"error": {"message": f"no luck: {kind}", "type": kind, "param": None, "code": kind}}


def _head(body: JsonObject, number: int, kind: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{number:08}",
        "object": kind,
        "created": CREATED,
        "model": f"{body['model']}-{VERSION}",
        "system_fingerprint": FINGERPRINT,
        "service_tier": "default",
    }


def _choice(delta: JsonObject, reason: str | None) -> JsonObject:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _tool_call(name: str, number: int) -> dict[str, Any]:
    arguments = json.dumps(TOOL_ARGUMENTS, ensure_ascii=False)
    return {
        "id": f"call_{number:08}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _usage(said: Reply) -> JsonObject:
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
    }
