"""What a client's telemetry brought to the log, held against the model server's own diary.

Every fact of every call is either found again among the records of that call, or lost; a loss is
owned up to by a gap on each of those records, or by nothing.
"""

from __future__ import annotations

import json
from typing import Any

from support.model_answers import GREETING, TOOL, TOOL_ARGUMENTS, JsonObject, texts
from support.model_server import Call

Row = dict[str, Any]

COLUMNS = (
    "index, operation, provider, request_model, response_model, response_id, input_tokens, "
    "output_tokens, user_ids, session_id, error_type, stream, capture_gaps, system_text, "
    "input_text, output_text, interaction_id"
)
STATEMENT = f"SELECT {COLUMNS} FROM interactions ORDER BY index"
TOOLS = "SELECT index, name, arguments, call_id FROM tool_calls WHERE side = 'output'"

OWNED = {
    "asked": {"content-not-captured", "input-not-captured"},
    "system": {"content-not-captured"},
    "answered": {"content-not-captured", "output-not-captured"},
    "tool": {"content-not-captured", "output-not-captured"},
    "request model": {"no-request-model"},
    "response model": {"no-response-model", "response-model-by-gateway"},
    "response id": {"no-response-id", "response-id-by-gateway"},
    "usage": {"no-usage"},
    "user": {"no-user"},
}
"""Gaps that own up to a lost fact; what is not here no gap speaks of."""

UNOWNED = "no gap says so"
ABSENT = "no record at all"


def scene(call: Call) -> str:
    """The scenario of a call: its question's first word, and which call of a tool's two it is."""
    asked = _question(call)
    name = asked.partition(":")[0].removeprefix("needle-")
    if name == "tool":
        return "tool call" if call.said and call.said.tool else "tool result"
    return name


def losses(
    calls: list[Call], rows: list[Row], tools: list[Row], *, who: tuple[str, str], system: str
) -> dict[str, str]:
    """`scenario: fact` of everything that was not found again, and what owns up to it."""
    lost: dict[str, str] = {}
    for call in calls:
        copies = [row for row in rows if _is_of(row, call)]
        if not copies:
            lost[scene(call)] = ABSENT
            continue
        for fact, is_there in _facts(call, copies, tools, who, system).items():
            if not is_there:
                lost[f"{scene(call)}: {fact}"] = _owner(fact, copies)
    return lost


def _owner(fact: str, copies: list[Row]) -> str:
    owners = OWNED.get(fact, set())
    owning = [owners & set(row["capture_gaps"] or ()) for row in copies]
    return ", ".join(sorted(set.union(*owning))) if all(owning) else UNOWNED


def _question(call: Call) -> str:
    body = call.body
    if isinstance(body.get("input"), str):
        return str(body["input"])
    if isinstance(body.get("input"), list):
        return str(body["input"][0])
    asked = [texts(each["content"]) for each in body["messages"] if each["role"] == "user"]
    return next(text for text in asked if text.startswith("needle-"))


def _is_of(row: Row, call: Call) -> bool:
    """Whether a record is one of this call."""
    is_anthropic = call.path == "/v1/messages"
    if row["provider"] and (row["provider"] == "anthropic") != is_anthropic:
        return False
    if row["response_id"] == call.answer.get("id", ""):
        return True
    if call.path == "/v1/embeddings":
        return bool(row["operation"] == "embeddings")
    if call.status != 200:
        return bool(row["error_type"]) and row["request_model"] == call.body["model"]
    return not row["error_type"] and _is_like(row, call)


def _is_like(row: Row, call: Call) -> bool:
    """Whether a record without the response's id is of this call, by what was asked."""
    if _question(call) not in (row["input_text"] or ""):
        return False
    if scene(call).startswith("tool"):
        return bool(row["output_text"]) != bool(call.said and call.said.tool)
    return not row["response_id"] or "response-id-by-gateway" in (row["capture_gaps"] or ())


def _facts(
    call: Call, copies: list[Row], tools: list[Row], who: tuple[str, str], system: str
) -> dict[str, bool]:
    """Every fact that the server knows of a call, and whether a record has it."""
    user, session = who

    def some(column: str, wanted: object) -> bool:
        return any(row[column] == wanted for row in copies)

    def said(column: str, wanted: str) -> bool:
        return any(wanted in (row[column] or "") for row in copies)

    facts = {
        "asked": said("input_text", _question(call)),
        "request model": some("request_model", call.body["model"]),
        "user": any(user in (row["user_ids"] or ()) for row in copies),
        "session": some("session_id", session),
    }
    if call.path != "/v1/embeddings":
        facts["system"] = said("system_text", system)
    if call.status != 200:
        return facts | {"error": any(row["error_type"] not in (None, "_OTHER") for row in copies)}
    facts["response model"] = some("response_model", call.answer["model"])
    if call.path == "/v1/embeddings":
        return facts | {"usage": some("input_tokens", call.answer["usage"]["prompt_tokens"])}
    facts["response id"] = some("response_id", call.answer["id"])
    if call.body.get("stream"):
        facts["stream"] = any(row["stream"] for row in copies)
    return facts | _answer(call, copies, tools)


def _answer(call: Call, copies: list[Row], tools: list[Row]) -> dict[str, bool]:
    """What was answered, as far as the client listened."""
    assert call.said is not None
    answers = [row["output_text"] or "" for row in copies]
    if scene(call) == "aborted":
        aborted = any("stream-aborted" in (row["capture_gaps"] or ()) for row in copies)
        partly = any(GREETING.startswith(text[:10]) for text in answers if text)
        return {"answered": partly, "aborted": aborted}
    counts = (call.said.input_tokens, call.said.output_tokens)
    facts = {"usage": any((row["input_tokens"], row["output_tokens"]) == counts for row in copies)}
    if call.said.tool is None:
        return facts | {"answered": any(call.said.text in text for text in answers)}
    mine = {row["index"] for row in copies}
    wanted = (TOOL, TOOL_ARGUMENTS, _call_id(call.answer))
    seen = [
        (each["name"], json.loads(each["arguments"]), each["call_id"])
        for each in tools
        if each["index"] in mine
    ]
    return facts | {"tool": wanted in seen}


def _call_id(answer: JsonObject) -> str:
    if "content" in answer:
        return str(answer["content"][0]["id"])
    return str(answer["choices"][0]["message"]["tool_calls"][0]["id"])
