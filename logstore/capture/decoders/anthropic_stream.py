"""An Anthropic Messages stream put together into the message it carried.

Events: message_start, content_block_start/delta/stop, message_delta, message_stop, ping, error
(Anthropic Messages API, streaming). A stream without message_stop was aborted.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders.jsonvalues import integer, load, obj, text
from logstore.errors import FormatError

Event = dict[str, Any]

_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}


def message(events: list[Event]) -> tuple[Event, bool]:
    """(the whole message, or error object; whether the stream broke before its end)."""
    whole: Event = {}
    blocks: dict[int, Event] = {}
    pieces: dict[int, dict[str, list[str]]] = {}
    aborted = True
    for event in events:
        kind = event.get("type")
        index = integer(event.get("index")) or 0
        if kind == "message_start":
            whole = dict(obj(event.get("message")))
        elif kind == "content_block_start":
            blocks[index] = dict(obj(event.get("content_block")))
        elif kind == "content_block_delta":
            blocks.setdefault(index, {"type": "text"})
            _add_delta(pieces.setdefault(index, {}), obj(event.get("delta")))
        elif kind == "message_delta":
            whole.update({k: v for k, v in obj(event.get("delta")).items() if v is not None})
            whole["usage"] = {**obj(whole.get("usage")), **obj(event.get("usage"))}
        elif kind == "error":
            whole["error"] = event.get("error")
        if kind in ("message_stop", "error"):
            aborted = False
        if "amazon-bedrock-invocationMetrics" in event:
            whole["amazon-bedrock-invocationMetrics"] = event["amazon-bedrock-invocationMetrics"]
    if blocks:
        whole["content"] = [_joined(blocks[i], pieces.get(i, {})) for i in sorted(blocks)]
    whole.setdefault("role", "assistant")
    return whole, aborted


def _add_delta(pieces: dict[str, list[str]], delta: Event) -> None:
    source, target = _DELTAS.get(str(delta.get("type")), ("", ""))
    if (piece := text(delta.get(source))) is not None:
        pieces.setdefault(target, []).append(piece)


def _joined(block: Event, pieces: dict[str, list[str]]) -> Event:
    for target, said in pieces.items():
        joined = "".join(said)
        if target == "input":
            try:
                block["input"] = load(joined)
            except FormatError:  # the stream broke inside the arguments: keep what came
                block["input"] = joined
        else:
            block[target] = (text(block.get(target)) or "") + joined
    return block
