"""Bedrock answers put into one shape: streamed event arrays and per-model bodies.

``outputBodyJson`` of a streaming call is an array of the model's own stream events. Known models:
Anthropic Messages, Converse (and Nova), Titan, Llama, Mistral; others keep their JSON as text.
The result is a Messages-like object: role, content, stop_reason, usage, id, model, error.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders import anthropic_stream
from logstore.capture.decoders.jsonvalues import array, as_text, integer, load, obj, text
from logstore.errors import FormatError

Body = dict[str, Any]

METRICS = "amazon-bedrock-invocationMetrics"
"""Member with the platform's own measurements on a stream's last event."""

_CONVERSE = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata"}
)


def answer(body: object) -> tuple[Body, bool]:
    """(the answer as one Messages-like object, whether a stream broke before its end)."""
    if not isinstance(body, list):
        return _plain(obj(body)), False
    events = [obj(event) for event in array(body)]
    if any(_CONVERSE & event.keys() for event in events):
        return _converse(events)
    if any(
        str(event.get("type", "")).startswith(("message_", "content_block")) for event in events
    ):
        return anthropic_stream.message(events)
    return _texts(events)


def _plain(body: Body) -> Body:
    message = obj(obj(body.get("output")).get("message"))
    if message:  # Converse
        return {
            **message,
            "stop_reason": body.get("stopReason"),
            "usage": obj(body.get("usage")),
            "metrics": obj(body.get("metrics")),
        }
    if "content" in body or "error" in body or not body:  # Anthropic Messages
        return body
    return _texts([body])[0]


def _converse(events: list[Body]) -> tuple[Body, bool]:
    whole: Body = {"role": "assistant", "content": []}
    blocks: dict[int, Body] = {}
    aborted = True
    for event in events:
        start, delta = obj(event.get("contentBlockStart")), obj(event.get("contentBlockDelta"))
        if start:
            use = obj(obj(start.get("start")).get("toolUse"))
            blocks[_index(start)] = {"type": "tool_use", "id": use.get("toolUseId"),
                                     "name": use.get("name"), "said": []}  # fmt: skip
        if delta:
            _add_delta(blocks.setdefault(_index(delta), {"type": "text", "said": []}), delta)
        if stop := obj(event.get("messageStop")):
            whole["stop_reason"] = stop.get("stopReason")
            aborted = False
        if metadata := obj(event.get("metadata")):
            whole["usage"] = obj(metadata.get("usage"))
            whole["metrics"] = obj(metadata.get("metrics"))
    whole["content"] = [_joined(blocks[index]) for index in sorted(blocks)]
    return whole, aborted


def _index(event: Body) -> int:
    return integer(event.get("contentBlockIndex")) or 0


def _add_delta(block: Body, event: Body) -> None:
    delta = obj(event.get("delta"))
    reasoning = obj(delta.get("reasoningContent")).get("text")
    if reasoning is not None:
        block["type"] = "thinking"
    said = text(delta.get("text")) or text(obj(delta.get("toolUse")).get("input"))
    if (piece := said or text(reasoning)) is not None:
        block["said"].append(piece)


def _joined(block: Body) -> Body:
    said = "".join(block.pop("said"))
    if block["type"] != "tool_use":
        return {**block, "thinking" if block["type"] == "thinking" else "text": said}
    try:
        return {**block, "input": load(said)}
    except FormatError:
        return {**block, "input": said}


def _texts(events: list[Body]) -> tuple[Body, bool]:
    """Titan, Llama, Mistral, Claude 2 and the like: plain text with a reason at the end."""
    whole: Body = {"role": "assistant"}
    said: list[str] = []
    usage: dict[str, int] = {}
    for event in events:
        results = [event, *map(obj, array(event.get("results") or event.get("outputs")))]
        for result in results:
            piece = _piece(result)
            if piece is not None:
                said.append(piece)
            if (reason := _reason(result)) is not None:
                whole["stop_reason"] = reason
            _count(usage, result)
        if METRICS in event:
            whole[METRICS] = event[METRICS]
    known = said or "embedding" in obj(events[0] if events else None)
    whole["content"] = [{"type": "text", "text": "".join(said)}] if said else []
    if not known and any(events):
        whole["content"] = [{"type": "text", "text": as_text(events)}]
    whole["usage"] = usage
    return whole, len(events) > 1 and "stop_reason" not in whole


def _piece(result: Body) -> str | None:
    for key in ("outputText", "generation", "completion", "text"):
        if isinstance(result.get(key), str):
            return str(result[key])
    return None


def _reason(result: Body) -> str | None:
    return text(
        result.get("completionReason") or result.get("stop_reason") or result.get("finish_reason")
    )


def _count(usage: dict[str, int], result: Body) -> None:
    for theirs, ours in (
        ("inputTextTokenCount", "input_tokens"),
        ("prompt_token_count", "input_tokens"),
        ("totalOutputTextTokenCount", "output_tokens"),
        ("generation_token_count", "output_tokens"),
        ("tokenCount", "output_tokens"),
    ):
        if (count := integer(result.get(theirs))) is not None:
            usage[ours] = count
