"""OpenAI streams put together into the answer a caller without streaming would have got.

Chat: chunks ``chat.completion.chunk`` (also legacy ``text_completion`` chunks). Responses: typed
events ``response.*``. A stream that ends without a finish reason, or without its final
``response.completed``, ``.incomplete`` or ``.failed``, was aborted.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders.jsonvalues import array, integer, obj, text

Event = dict[str, Any]

_FINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
_WHOLE = (
    "id", "model", "created", "system_fingerprint", "service_tier", "usage", "error",
    "prompt_filter_results",
)  # fmt: skip
_TEXT_DELTA = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
}


def chat(events: list[Event]) -> tuple[Event, bool]:
    """(the whole chat completion, whether the stream broke before its end)."""
    whole: Event = {}
    choices: dict[int, Event] = {}
    for event in events:
        for key in _WHOLE:
            if event.get(key):
                whole[key] = event[key]
        for choice in map(obj, array(event.get("choices"))):
            index = integer(choice.get("index")) or 0
            _add_choice(choices.setdefault(index, {"index": index, "message": {}}), choice)
    whole["choices"] = [_joined_choice(choices[index]) for index in sorted(choices)]
    ended = choices and all(choice.get("finish_reason") for choice in choices.values())
    return whole, not ended and "error" not in whole


def responses(events: list[Event]) -> tuple[Event, bool]:
    """(the whole Responses object, whether the stream broke before its end)."""
    whole: Event = {}
    items: dict[int, Event] = {}
    for event in events:
        kind = event.get("type")
        stated = obj(event.get("response"))
        if stated:
            whole = stated
        if kind in _FINAL:
            return whole, False
        if kind == "error":
            whole = {**whole, "error": {k: v for k, v in event.items() if k != "type"}}
        index = integer(event.get("output_index")) or 0
        if kind in ("response.output_item.added", "response.output_item.done"):
            items[index] = {**obj(event.get("item")), **_deltas(items.get(index), kind)}
        elif isinstance(kind, str):
            _add_delta(items.setdefault(index, {}), kind, event)
    if not array(whole.get("output")):
        whole = {**whole, "output": [_joined_item(items[index]) for index in sorted(items)]}
    return whole, "error" not in whole or not whole["error"]


def _add_choice(whole: Event, chunk: Event) -> None:
    if chunk.get("finish_reason"):
        whole["finish_reason"] = chunk["finish_reason"]
    if chunk.get("content_filter_results"):
        whole["content_filter_results"] = chunk["content_filter_results"]
    delta = obj(chunk.get("delta"))
    message = whole["message"]
    if text(chunk.get("text")) is not None:  # legacy completions
        message.setdefault("content", []).append(chunk["text"])
    if text(delta.get("role")) is not None:
        message["role"] = delta["role"]
    for key in ("content", "refusal", "reasoning_content", "reasoning"):
        if text(delta.get(key)) is not None:
            message.setdefault(key, []).append(delta[key])
    for call in map(obj, array(delta.get("tool_calls"))):
        _add_call(message.setdefault("tool_calls", {}), call)
    if isinstance(delta.get("function_call"), dict):
        _add_call(message.setdefault("tool_calls", {}), {"function": delta["function_call"]})


def _add_call(calls: dict[int, Event], chunk: Event) -> None:
    index = integer(chunk.get("index")) or 0
    call = calls.setdefault(index, {"type": "function", "arguments": []})
    function = obj(chunk.get("function"))
    if text(chunk.get("id")) is not None:
        call["id"] = chunk["id"]
    if text(function.get("name")) is not None:
        call["name"] = function["name"]
    if text(function.get("arguments")) is not None:
        call["arguments"].append(function["arguments"])


def _joined_choice(choice: Event) -> Event:
    message = choice["message"]
    message.setdefault("role", "assistant")
    for key in ("content", "refusal", "reasoning_content", "reasoning"):
        if key in message:
            message[key] = "".join(message[key])
    if "reasoning" in message:
        message.setdefault("reasoning_content", message.pop("reasoning"))
    calls = message.get("tool_calls", {})
    if calls:
        message["tool_calls"] = [
            {
                "id": call.get("id"),
                "type": "function",
                "function": {"name": call.get("name"), "arguments": "".join(call["arguments"])},
            }
            for _, call in sorted(calls.items())
        ]
    return choice


def _add_delta(item: Event, kind: str, event: Event) -> None:
    delta = text(event.get("delta"))
    if delta is None:
        return
    if kind in _TEXT_DELTA:
        item.setdefault("deltas", {}).setdefault(_TEXT_DELTA[kind], []).append(delta)
    elif kind in (
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    ):
        item.setdefault("deltas", {}).setdefault("arguments", []).append(delta)


def _deltas(item: Event | None, kind: str) -> Event:
    """An item that is done is whole; one only announced keeps what it had."""
    if item is None or kind.endswith("done") or "deltas" not in item:
        return {}
    return {"deltas": item["deltas"]}


def _joined_item(item: Event) -> Event:
    deltas = {key: "".join(said) for key, said in item.pop("deltas", {}).items()}
    if not deltas:
        return item
    if "arguments" in deltas:
        return {"type": "function_call", **item, "arguments": deltas["arguments"]}
    content = [
        {"type": kind, "refusal" if kind == "refusal" else "text": said}
        for kind, said in deltas.items()
    ]
    return {"type": "message", "role": "assistant", **item, "content": content}
