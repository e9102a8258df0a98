"""From one opened body to one row of decrypted columns. Pure.

Every part of every message stands once: tool calls and tool results in `tool_text`, the rest in
the text of its side. Parts are joined by a line feed, and `parts` says where each one stands, so
`messages` and `tool_calls` are cut out of the texts and nothing is stored twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from logstore.capture.decoders.otlp_operations import MODEL_CALLS
from logstore.capture.interaction import Interaction, Part
from logstore.capture.references import with_beside
from logstore.errors import FormatError
from logstore.formats.body import Body
from logstore.query.callkeys import key, keys_of, model_name
from logstore.query.rows import ContentState

Decoders = Mapping[str, Callable[[bytes], Interaction]]

PREVIEW = 200
"""Longest preview in characters. Previews are columns of their own, because a page of rows from
all over the log would otherwise decompress whole texts: five times the work (measured)."""

MAX_PARTS = 20_000
"""Most message parts listed of one interaction; the text of all of them is kept."""

_TOOL_TYPES = frozenset({"tool_call", "tool_call_response"})
_EMPTY: dict[str, Any] = {}


def decode(body: Body, decoders: Decoders) -> Interaction | None:
    """The interaction in a body, or None when it holds none.

    Raises:
        FormatError: its decoder is not known or cannot read it.
    """
    if not body.format:
        return None
    decoder = decoders.get(body.format)
    if decoder is None:
        raise FormatError(f"this program has no decoder for {body.format!r}")
    try:
        found = decoder(body.raw)
        return with_beside(found, body.beside) if body.beside else found
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise FormatError(f"the {body.format} decoder failed: {type(error).__name__}") from None


def row_of(body: Body | None, state: ContentState, decoders: Decoders) -> dict[str, Any]:
    """Decrypted columns of one record by name; what is absent is left out."""
    if body is None:
        return {"content_state": state}
    row: dict[str, Any] = {"content_state": state}
    if not body.format:
        row["note"] = note = _json(body.note)
        row["input_preview"] = None if note is None else note[:PREVIEW]
    try:
        call = decode(body, decoders)
    except FormatError:
        text = body.raw.decode("utf-8", "replace")
        row |= {"content_state": "undecoded", "input_text": text, "input_preview": text[:PREVIEW]}
        call = None
    users = list(body.subjects)
    if call is not None:
        users += [subject.id for subject in call.subjects]
        row |= _facts(call)
        row |= _texts(call)
    row["session_id"] = body.session or row.get("session_id")
    row["conversation_id"] = body.conversation or row.get("conversation_id")
    if call is not None:
        row["said_key"] = _said_key(call, row)
    row["actor"] = body.actor or row.get("actor")
    users = list(dict.fromkeys(users))
    row["user_id"] = users[0] if users else None
    row["more_users"] = users[1:] or None
    return row


def overlay_of(body: Body | None) -> dict[str, Any]:
    """Clear facts that had to go into the body because of their shape, by leaf name."""
    refused = body.note.get("clear") if body is not None and body.note else None
    return refused if isinstance(refused, dict) else _EMPTY


def _facts(call: Interaction) -> dict[str, Any]:
    keys = keys_of(call)
    return {
        "session_id": call.session_id,
        "conversation_id": call.conversation_id,
        "actor": call.actor,
        "client_address": call.client_address,
        "response_id": call.response_id,
        "trace_id": call.trace_id,
        "span_id": call.span_id,
        "parent_span_id": call.parent_span_id,
        "error_message": call.error_message,
        "note": _json({**call.metadata, **call.extra}),
        "span_key": keys.span,
        "parent_key": keys.parent,
        "response_key": keys.response,
        "call_key": keys.call,
    }


def _said_key(call: Interaction, row: dict[str, Any]) -> int | None:
    """Key of who asked what and was told what, for sources that give a call no id in common."""
    where = row["conversation_id"] or row["session_id"]
    asked, told = row.get("input_text"), row.get("output_text")
    if call.operation not in MODEL_CALLS or not asked or not told:
        return None
    return key(where, model_name(call), asked[row["ask_at"] :], told)


class _Texts:
    """Texts being put together, with the place of each part."""

    def __init__(self) -> None:
        self.pieces: dict[str, list[str]] = {}
        self.lengths: dict[str, int] = {}
        self.parts: list[dict[str, Any]] = []

    def add(self, part: Part, side: str, role: str, position: int) -> None:
        column = "tool_text" if part.type in _TOOL_TYPES else f"{side}_text"
        at = self.lengths.get(column, 0)
        self.pieces.setdefault(column, []).append(part.text)
        self.lengths[column] = at + len(part.text) + 1
        if len(self.parts) < MAX_PARTS:
            self.parts.append(
                {
                    "side": side,
                    "position": position,
                    "role": role,
                    "type": part.type,
                    "name": part.name,
                    "call_id": part.id,
                    "col": column,
                    "at": at,
                    "len": len(part.text),
                }
            )


def _texts(call: Interaction) -> dict[str, Any]:
    texts = _Texts()
    ask_at = 0
    for part in call.system:
        texts.add(part, "system", "system", 0)
    for position, message in enumerate(call.input):
        side = "system" if message.role in {"system", "developer"} else "input"
        if message.role == "user":
            ask_at = texts.lengths.get("input_text", 0)
        for part in message.parts:
            texts.add(part, side, message.role, position)
    for position, message in enumerate(call.output):
        for part in message.parts:
            texts.add(part, "output", message.role, position)
    row: dict[str, Any] = {name: "\n".join(pieces) for name, pieces in texts.pieces.items()}
    if row.get("tool_text") is not None:
        row["tool_text"] = _named(row["tool_text"], texts.parts)
    if "input_text" in row:
        row["input_preview"] = row["input_text"][ask_at : ask_at + PREVIEW]
    if "output_text" in row:
        row["output_preview"] = row["output_text"][:PREVIEW]
    return row | {"parts": texts.parts, "ask_at": ask_at}


def _named(tool_text: str, parts: Iterable[dict[str, Any]]) -> str:
    """Tool names stand behind the texts, so that a search for a tool's name finds it."""
    names = dict.fromkeys(part["name"] for part in parts if part["name"])
    return "\n".join([tool_text, *names])


def _json(note: dict[str, object]) -> str | None:
    if not note:
        return None
    return msgspec.json.encode(note, enc_hook=repr).decode("utf-8", "replace")
