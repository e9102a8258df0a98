"""Traceloop / OpenLLMetry: gen_ai.prompt.N and gen_ai.completion.N (0.47), llm.* requests.

Since 0.62 content is gen_ai.input.messages, and only the odds and ends here are Traceloop's own.
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.chat_messages import hoist, message_of
from logstore.capture.decoders.otlp_bodies import answer, offer_asked
from logstore.capture.decoders.otlp_found import (
    Dialect,
    Found,
    Rule,
    Tree,
    branch,
    flag,
    in_order,
    integer,
    json_text,
    number,
    text,
    texts,
)
from logstore.capture.decoders.otlp_operations import operation
from logstore.capture.interaction import Message

_ASSOCIATION = "traceloop.association.properties."


def _message(node: Tree, role: str) -> Message:
    known = {key: value for key, value in node.items() if not isinstance(value, dict)}
    content = known.get("content")
    if isinstance(content, str) and content[:2] == "[{":  # parts, as JSON text
        known["content"] = jsonvalues.loaded(content)
    calls = [call for call in in_order(branch(node, "tool_calls")) if isinstance(call, dict)]
    if calls:
        known["tool_calls"] = calls
    return message_of(known, role)


def _messages(tree: Tree, role: str) -> list[Message]:
    return [_message(node, role) for node in in_order(tree) if isinstance(node, dict)]


def _finish(found: Found, rank: int) -> None:
    tree = branch(found.trees, "gen_ai")
    system, asked = hoist(_messages(branch(tree, "prompt"), "user"))
    answers = _messages(branch(tree, "completion"), "assistant")
    for place, content in (("system", system), ("input", asked), ("output", answers)):
        if content:
            found.offer_content(place, content, lambda read: read, rank, "")
    tools = list(in_order(branch(found.trees, "llm", "request", "functions")))
    found.offer("tool_definitions", json_text(tools) if tools else None, rank)
    _entity(found, rank)
    for key in [key for key in found.extra if key.startswith(_ASSOCIATION)]:
        found.metadata[key.removeprefix(_ASSOCIATION)] = found.take(key)


def _entity(found: Found, rank: int) -> None:
    """A workflow's or tool's own input and output, as JSON text."""
    asked, said = found.take("traceloop.entity.input"), found.take("traceloop.entity.output")
    if found.facts.get("operation") == "execute_tool":
        found.offer("tool_name", text(found.extra.get("traceloop.entity.name")), rank)
        found.offer("tool_arguments", json_text(asked), rank)
        found.offer("tool_result", json_text(said), rank)
        return
    if asked is not None:
        offer_asked(found, asked, rank + 1, "traceloop.entity.input")
    if said is not None:
        found.offer_content("output", said, answer, rank + 1, "traceloop.entity.output")


DIALECT = Dialect(
    name="traceloop",
    rules={
        "llm.request.type": Rule("operation", operation),
        "traceloop.span.kind": Rule("operation", operation),
        "llm.is_streaming": Rule("stream", flag),
        "gen_ai.is_streaming": Rule("stream", flag),
        "gen_ai.openai.system_fingerprint": Rule("system_fingerprint", text),
        "llm.request.model": Rule("request_model", text),
        "llm.response.model": Rule("response_model", text),
        "llm.response.id": Rule("response_id", text),
        "llm.top_k": Rule("params.top_k", number),
        "llm.frequency_penalty": Rule("params.frequency_penalty", number),
        "llm.presence_penalty": Rule("params.presence_penalty", number),
        "llm.chat.stop_sequences": Rule("params.stop_sequences", texts),
        "llm.usage.reasoning_tokens": Rule("usage.reasoning", integer),
        "gen_ai.usage.reasoning_tokens": Rule("usage.reasoning", integer),
        "gen_ai.usage.cache_read_input_tokens": Rule("usage.cache_read", integer),
        "gen_ai.usage.cache_creation_input_tokens": Rule("usage.cache_write", integer),
        "llm.usage.prompt_tokens": Rule("usage.input_tokens", integer),
        "llm.usage.completion_tokens": Rule("usage.output_tokens", integer),
        "traceloop.prompt.key": Rule("prompt_name", text),
        "traceloop.prompt.version": Rule("prompt_version", json_text),
    },
    indexed=("gen_ai.prompt.", "gen_ai.completion.", "llm.request.functions."),
    finish=_finish,
)
