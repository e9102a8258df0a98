"""Interactions that no provider's format describes, as aircon's own lines. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from logstore.capture.decoders import aircon_jsonl
from logstore.capture.interaction import Interaction, Message, Part, Subject
from logstore.capture.sending.caller import Caller
from logstore.capture.sending.exchange import MAX_CUT, MAX_EVIDENCE
from logstore.capture.sending.plain import plain_json, plain_text
from logstore.errors import UsageError

_ALIASES = {"model": "request_model", "tools_called": "tool_names"}
_NOT_THEIRS = frozenset({"format", "grade", "dialect", "subjects", "gaps"})
_MEMBERS = frozenset(Interaction.__struct_fields__) - _NOT_THEIRS


def interaction(
    given: object, said: object, caller: Caller, facts: dict[str, object]
) -> Interaction:
    """An interaction of what went in, what came out, and further facts.

    Args:
        given: text, a list of messages (``{"role": ..., "content": ...}``), or any value.
        said: likewise.
        caller: whom it concerns.
        facts: members of `Interaction`; ``model`` is short for ``request_model``.

    Raises:
        UsageError: a fact with a name or value that no interaction has.
    """
    members = {
        _ALIASES.get(name, name): value for name, value in facts.items() if value is not None
    }
    unknown = members.keys() - _MEMBERS
    if unknown:
        raise UsageError(f"An interaction has no member {', '.join(sorted(unknown))}.")
    subjects = [] if caller.user is None else [Subject(caller.user, "user", "caller")]
    whole = {
        "input": messages(given, "user"),
        "output": messages(said, "assistant"),
        "session_id": caller.session,
        "conversation_id": caller.conversation,
        **members,
        "format": "aircon",
        "subjects": subjects,
    }
    try:
        return msgspec.convert(whole, Interaction, from_attributes=True)
    except (msgspec.MsgspecError, RecursionError, OverflowError) as error:
        raise UsageError(f"This is no interaction: {error}.") from None


def line(found: Interaction) -> bytes:
    """The evidence of an interaction; text that is too long is cut, and the gap said."""
    try:
        made = aircon_jsonl.encode(found)
    except (TypeError, ValueError, OverflowError, RecursionError):
        made = _plainly(found)
    if len(made) <= MAX_EVIDENCE:
        return made
    for message in (*found.input, *found.output):
        for part in message.parts:
            part.text = part.text[: MAX_CUT // 4]
        del message.parts[8:]
    del found.input[8:], found.output[8:]
    found.gaps = [*found.gaps, "truncated"]
    found.extra, found.metadata, found.tool_definitions = {}, {}, None
    return aircon_jsonl.encode(found)


def _plainly(found: Interaction) -> bytes:
    """The line of an interaction that holds what JSON has no word for: objects, half characters."""
    found.extra = json.loads(plain_json(found.extra))
    found.metadata = json.loads(plain_json(found.metadata))
    return b'{"aircon":1,' + plain_json(found)[1:]


def messages(value: object, role: str) -> list[Message]:
    """Messages of a value: a list of messages as it is, anything else as one text."""
    if value is None:
        return []
    if isinstance(value, list) and value and all(_is_message(item) for item in value):
        return [_message(item, role) for item in value]
    return [Message(role, [Part("text", plain_text(value))])]


def _is_message(item: object) -> bool:
    return isinstance(item, Message) or (
        isinstance(item, dict) and isinstance(item.get("role"), str) and "content" in item
    )


def _message(item: Any, role: str) -> Message:
    if isinstance(item, Message):
        return item
    return Message(item.get("role", role), [Part("text", plain_text(item["content"]))])
