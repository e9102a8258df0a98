"""Messages as providers and their tracing tools write them, as our `Message` and `Part`.

One lenient reader for the JSON shapes that flow through traces: OpenAI chat and Responses,
Anthropic, Bedrock Converse, Gemini, LangChain, and OpenTelemetry GenAI parts. The input is already
parsed JSON (or an attribute value); unknown shapes are kept as JSON text, never dropped and never
an error. What is a request or a response, and which attribute carries it, dialects know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from logstore.capture.decoders.jsonvalues import as_text
from logstore.capture.interaction import Message, Part

ROLES = {
    "developer": "system",
    "function": "tool",
    "model": "assistant",
    "human": "user",
    "ai": "assistant",
}
"""Other words for our four roles."""


class _Shape(NamedTuple):
    """How to read one kind of part: our type, and the members that may hold each fact."""

    type: str
    text: tuple[str, ...]
    id: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    mime: tuple[str, ...] = ()


_TEXT = _Shape("text", ("text", "content"))
_REASONING = _Shape("reasoning", ("thinking", "content", "summary", "text", "data"), ("id",))
_CALL = _Shape(
    "tool_call", ("arguments", "input", "args", "action"), ("call_id", "id", "toolUseId"), ("name",)
)
_RESULT = _Shape(
    "tool_call_response",
    ("response", "result", "output", "content"),
    ("tool_use_id", "call_id", "tool_call_id", "toolUseId", "id"),
    ("name",),
)
_URI = _Shape(
    "uri",
    ("url", "uri", "image_url", "file_url", "fileUri"),
    ("file_id",),
    (),
    ("mime_type", "mimeType"),
)
_BLOB = _Shape(
    "blob",
    ("content", "data", "url"),
    ("file_id",),
    ("filename",),
    ("mime_type", "media_type", "mimeType", "format"),
)
_FILE = _Shape(
    "file", ("file_data", "content", "text"), ("file_id", "id"), ("filename",), ("mime_type",)
)

_SHAPES = {
    "text": _TEXT,
    "input_text": _TEXT,
    "output_text": _TEXT,
    "refusal": _Shape("refusal", ("refusal",)),
    "reasoning": _REASONING,
    "thinking": _REASONING,
    "redacted_thinking": _REASONING,
    "tool_call": _CALL,
    "tool_use": _CALL,
    "function": _CALL,
    "function_call": _CALL,
    "custom_tool_call": _CALL,
    "mcp_call": _CALL,
    "tool_call_response": _RESULT,
    "tool_result": _RESULT,
    "function_call_output": _RESULT,
    "custom_tool_call_output": _RESULT,
    "server_tool_call": _Shape("server_tool_call", ("server_tool_call",), ("id",), ("name",)),
    "server_tool_use": _Shape("server_tool_call", ("input",), ("id",), ("name",)),
    "server_tool_call_response": _Shape(
        "server_tool_call_response", ("server_tool_call_response",), ("id",), ("name",)
    ),
    "image_url": _URI,
    "input_image": _URI,
    "uri": _URI,
    "image": _BLOB,
    "document": _BLOB,
    "blob": _BLOB,
    "input_audio": _BLOB,
    "file": _FILE,
    "input_file": _FILE,
}
_NESTED = ("image_url", "source", "input_audio", "file", "function", "inlineData", "fileData")
# Bedrock Converse and Gemini parts name their kind by the one member they have.
_UNTYPED = {
    "toolUse": "tool_call",
    "functionCall": "tool_call",
    "toolResult": "tool_call_response",
    "functionResponse": "tool_call_response",
    "inlineData": "blob",
    "fileData": "uri",
}
_CONTENT = frozenset({"content", "parts"})
_CALL_ITEMS = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_RESULT_ITEMS = frozenset({"function_call_output", "custom_tool_call_output"})


def parts_of(content: object) -> list[Part]:
    """The parts of a message's content: a string, a part, or a list of them."""
    if content is None or content == "":
        return []
    if isinstance(content, list):
        return [part_of(item) for item in content if item is not None]
    return [part_of(content)]


def part_of(item: object) -> Part:
    """One part; an unknown kind keeps its own name and its JSON as text."""
    if not isinstance(item, dict):
        return Part("text", as_text(item))
    kind = item.get("type")
    if not isinstance(kind, str):
        kind, item = _name_untyped(item)
    shape = _SHAPES.get(kind)
    if shape is None:
        return Part(kind, _said(item), id=_word(item, ("id",)), name=_word(item, ("name",)))
    if shape.type not in ("text", "reasoning"):
        item = _flattened(item)
    if shape is _TEXT:  # nearly all parts
        said = item.get("text")
        return Part("text", as_text(item.get("content") if said is None else said))
    text = next((item[key] for key in shape.text if item.get(key) is not None), None)
    return Part(
        shape.type,
        _joined(text) if shape.type in ("tool_call_response", "reasoning") else as_text(text),
        id=_word(item, shape.id),
        name=_word(item, shape.name),
        mime_type=_word(item, shape.mime),
    )


def message_of(item: object, role: str = "user") -> Message:
    """One message, choice or Responses item; `role` where it names none."""
    if not isinstance(item, dict):
        return Message(role, parts_of(item))
    said = item.get("role")
    if len(item) == 2 and isinstance(said, str) and said and _CONTENT & item.keys():
        content = item.get("content", item.get("parts"))  # no other member: nearly all messages
        return Message(ROLES.get(said, said), parts_of(content))
    inner = item.get("message")
    if isinstance(inner, dict):
        message = message_of(inner, role)
        message.finish_reason = _word(item, ("finish_reason", "done_reason", "finishReason"))
        return message
    kind = _word(item, ("type",))
    if kind in _CALL_ITEMS or kind in _RESULT_ITEMS or kind == "reasoning":
        return Message("tool" if kind in _RESULT_ITEMS else "assistant", [part_of(item)])
    said = said or (kind if kind in ROLES or kind in ("system", "tool") else None)
    named = ROLES.get(said, said) if isinstance(said, str) else role
    return Message(
        named,
        _message_parts(item, named),
        finish_reason=_word(item, ("finish_reason", "stop_reason", "stopReason", "finishReason")),
    )


def speakers(messages: object) -> list[str]:
    """Names that participants other than tools bear (`name` of a message), which we do not map."""
    if not isinstance(messages, list):
        return []
    named = (item for item in messages if isinstance(item, dict) and item.get("role") != "tool")
    return [name for item in named if (name := _word(item, ("name",)))]


def hoist(messages: Iterable[Message]) -> tuple[list[Part], list[Message]]:
    """Part leading system messages from the rest; a later one stays where it was said."""
    system: list[Part] = []
    rest: list[Message] = []
    for message in messages:
        if message.role in ("system", "developer") and not rest:
            system.extend(message.parts)
        else:
            rest.append(message)
    return system, rest


def asked(value: object) -> tuple[list[Part], list[Message]] | None:
    """(system parts, messages) of a request in any known shape; None when it is not one."""
    if isinstance(value, str):
        return [], [Message("user", [Part("text", value)])]
    if isinstance(value, list):
        return hoist(message_of(item) for item in value)
    if not isinstance(value, dict):
        return None
    for key in ("messages", "input", "contents", "prompt"):
        if value.get(key) is not None:
            system, messages = asked(value[key]) or ([], [])
            return _instructions(value) + system, messages
    if "role" in value:
        return hoist([message_of(value)])
    return None


def answered(value: object) -> list[Message] | None:
    """The answer's messages in any known response shape; None when it is not one."""
    if isinstance(value, str):
        return [Message("assistant", [Part("text", value)])]
    if isinstance(value, list):
        return [message_of(item, "assistant") for item in value] if value else None
    if not isinstance(value, dict):
        return None
    for key, read in _ANSWERS:
        inner = value.get(key)
        if inner is not None and (found := read(inner)):
            found[0].finish_reason = found[0].finish_reason or _word(
                value, ("stop_reason", "stopReason", "status", "done_reason")
            )
            return found
    if any(key in value for key in ("role", "content", "tool_calls")):
        return [message_of(value, "assistant")]
    return None


def _choices(choices: object) -> list[Message]:
    if not isinstance(choices, list):
        return []
    return [_choice(choice) for choice in choices]


def _choice(choice: object) -> Message:
    if isinstance(choice, dict) and "message" not in choice:
        said = choice.get("delta") or choice.get("content") or choice.get("text")
        message = message_of(said, "assistant")
        message.finish_reason = _word(choice, ("finish_reason", "finishReason"))
        return message
    return message_of(choice, "assistant")


def _turn(items: object) -> list[Message]:
    """Responses output: its items are one turn of the assistant."""
    if isinstance(items, dict):  # Bedrock Converse: {"output": {"message": {...}}}
        return [message_of(items, "assistant")]
    if not isinstance(items, list):
        return []
    turn = Message("assistant")
    for item in items:
        turn.parts.extend(message_of(item, "assistant").parts)
    return [turn] if turn.parts else []


def _one(message: object) -> list[Message]:
    return [message_of(message, "assistant")] if isinstance(message, dict) else []


_ANSWERS: tuple[tuple[str, Callable[[object], list[Message]]], ...] = (
    ("choices", _choices),
    ("candidates", _choices),
    ("output", _turn),
    ("message", _one),
)


def _message_parts(item: dict[str, object], role: str) -> list[Part]:
    content = item.get("content", item.get("parts"))
    if role == "tool" and (called := _word(item, ("tool_call_id", "id"))) is not None:
        parts = parts_of(content)
        if not (parts and parts[0].type == "tool_call_response"):
            name = _word(item, ("name",))
            return [Part("tool_call_response", _joined(content), id=called, name=name)]
        return parts
    parts = []
    if isinstance(thought := item.get("reasoning_content"), str) and thought:
        parts.append(Part("reasoning", thought))
    parts.extend(parts_of(content))
    if isinstance(refusal := item.get("refusal"), str) and refusal:
        parts.append(Part("refusal", refusal))
    calls = item.get("tool_calls")
    if isinstance(calls, list):
        parts.extend(_call(call) for call in calls)
    if isinstance(call := item.get("function_call"), dict):
        parts.append(_call(call))
    return parts


def _call(call: object) -> Part:
    return part_of({**call, "type": "function"} if isinstance(call, dict) else call)


def _instructions(request: dict[str, object]) -> list[Part]:
    for key in ("system", "instructions", "system_instruction", "systemInstruction"):
        if request.get(key):
            said = request[key]
            if isinstance(said, dict) and "parts" in said:
                said = said["parts"]
            return parts_of(said)
    return []


def _name_untyped(item: dict[str, object]) -> tuple[str, dict[str, object]]:
    for key, kind in _UNTYPED.items():
        inner = item.get(key)
        if isinstance(inner, dict):
            return kind, inner
    if item.keys() & {"text", "content"}:
        return "text", item
    return "json", item


def _flattened(item: dict[str, object]) -> dict[str, object]:
    for key in _NESTED:
        inner = item.get(key)
        if isinstance(inner, dict):
            rest = {name: value for name, value in item.items() if name != key}
            return {**rest, **inner}
    return item


def _joined(content: object) -> str:
    """Text of a tool result or of reasoning, whose content may be a list of text parts."""
    if isinstance(content, list) and content and all(_is_text(item) for item in content):
        return "\n".join(str(item["text"]) for item in content)
    return as_text(content)


def _is_text(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("text"), str)


def _said(item: dict[str, object]) -> str:
    for key in ("content", "text"):
        if isinstance(item.get(key), str):
            return str(item[key])
    return as_text({key: value for key, value in item.items() if key != "type"})


def _word(item: dict[str, object], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = item.get(key)
        if isinstance(value, str) and value:
            return value
    return None
