"""OpenInference (Arize Phoenix): flattened messages, and whole bodies in input.value/output.value.

Message indexes may start at 1 (Responses API without instructions). The response id and the system
fingerprint stand only in the JSON of output.value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.chat_messages import hoist, message_of, speakers
from logstore.capture.decoders.langchain_result import read_result
from logstore.capture.decoders.otlp_bodies import (
    answer,
    offer_asked,
    read_metadata,
    read_request,
    read_response,
)
from logstore.capture.decoders.otlp_found import (
    Dialect,
    Found,
    Rule,
    Tree,
    branch,
    in_order,
    integer,
    json_text,
    text,
    texts,
)
from logstore.capture.decoders.otlp_operations import operation
from logstore.capture.interaction import Message, Part

_COUNT = "llm.token_count."


def _message(node: Tree) -> Message:
    """One flattened message, put back into the shape chat messages have."""
    flat = branch(node, "message")
    known: dict[str, object] = {
        key: value for key, value in flat.items() if not isinstance(value, dict)
    }
    pieces = list(in_order(branch(flat, "contents")))
    contents = [
        _content(branch(item, "message_content"))
        for item in pieces
        if not branch(item, "tool_call")
    ]
    if contents:
        known["content"] = contents
    # Anthropic's calls stand in the contents too, or only there.
    calls = [
        _call(call)
        for item in in_order(branch(flat, "tool_calls"))
        if (call := branch(item, "tool_call"))
    ]
    calls = calls or [_call(call) for item in pieces if (call := branch(item, "tool_call"))]
    if calls:
        known["tool_calls"] = calls
    return message_of(known)


def _content(node: Tree) -> dict[str, object]:
    image = branch(node, "image", "image")
    kind = node.get("type")
    if image:
        return {"type": "image_url", "url": image.get("url")}
    return {**node, "type": kind if isinstance(kind, str) else "text"}


def _call(node: Tree) -> dict[str, object]:
    return {"id": node.get("id"), **branch(node, "function")}


def _messages(tree: Tree) -> list[Message]:
    return [_message(node) for node in in_order(tree) if isinstance(node, dict)]


def _finish(found: Found, rank: int) -> None:
    llm = branch(found.trees, "llm")
    system, asked = hoist(_messages(branch(llm, "input_messages")))
    flat = [
        branch(node, "message")
        for node in in_order(branch(llm, "input_messages"))
        if isinstance(node, dict)
    ]
    found.keep("message.names", speakers(flat))
    _offer(found, "system", system, rank)
    _offer(found, "input", asked, rank)
    _offer(found, "output", _messages(branch(llm, "output_messages")), rank)
    _offer(found, "input", _embedded(found.trees), rank)
    _documents(found, rank)
    tools = [
        jsonvalues.loaded(branch(tool, "tool").get("json_schema"))
        for tool in in_order(branch(llm, "tools"))
    ]
    found.offer("tool_definitions", json_text(tools) if tools else None, rank)
    for key in ("llm.invocation_parameters", "embedding.invocation_parameters"):
        _body(found, key, read_request, rank)
    metadata = jsonvalues.loaded(found.take("metadata"))
    if isinstance(metadata, dict):
        read_metadata(found, metadata)
    _values(found, rank)


def _offer(found: Found, place: str, content: list[Message] | list[Part], rank: int) -> None:
    if content:
        found.offer_content(place, content, lambda read: read, rank, "")


def _embedded(trees: Tree) -> list[Message]:
    embeddings = branch(trees, "embedding", "embeddings")
    parts = [
        Part("text", said)
        for item in in_order(embeddings)
        if isinstance(item, dict) and (said := text(branch(item, "embedding").get("text")))
    ]
    return [Message("user", parts)] if parts else []


def _documents(found: Found, rank: int) -> None:
    retrieved = [
        branch(item, "document")
        for item in in_order(branch(found.trees, "retrieval", "documents"))
        if isinstance(item, dict)
    ]
    ids = [name for item in retrieved if (name := jsonvalues.identifier(item.get("id")))]
    found.offer("document_ids", ids or None, rank)
    parts = [
        Part(
            "document",
            jsonvalues.as_text(item.get("content")),
            id=jsonvalues.identifier(item.get("id")),
        )
        for item in retrieved
    ]
    _offer(found, "output", [Message("tool", parts)] if parts else [], rank)


def _values(found: Found, rank: int) -> None:
    """input.value and output.value: the provider's bodies on model spans, else any text."""
    if found.facts.get("operation") == "execute_tool":
        _tool(found, rank)
        return
    asked = found.extra.get("input.value")
    if not _body(found, "input.value", read_request, rank + 1) and text(asked):
        offer_asked(found, found.take("input.value"), rank + 1, "input.value")
    said = found.extra.get("output.value")
    read_result(found, said, rank - 1)
    if not _body(found, "output.value", read_response, rank + 1) and text(said):
        found.offer_content("output", found.take("output.value"), answer, rank + 1, "output.value")


def _tool(found: Found, rank: int) -> None:
    name = text(found.take("tool.name")) or found.name
    arguments = found.take("input.value") or found.take("tool.parameters")
    result = found.take("output.value")
    found.offer("tool_name", name, rank)
    found.offer("tool_arguments", json_text(arguments), rank)
    found.offer("tool_result", json_text(result), rank)


def _body(
    found: Found, key: str, read: Callable[[Found, dict[str, Any], int, str], object], rank: int
) -> bool:
    body = jsonvalues.loaded(found.extra.get(key))
    if not isinstance(body, dict):
        return False
    found.take(key)
    read(found, body, rank, key)
    return True


DIALECT = Dialect(
    name="openinference",
    rules={
        "openinference.span.kind": Rule("operation", operation),
        "llm.provider": Rule("provider", text),
        "llm.system": Rule("provider", text),
        "llm.model_name": Rule("response_model", text),
        "llm.response.model_name": Rule("response_model", text),
        "llm.request.model_name": Rule("request_model", text),
        "embedding.model_name": Rule("response_model", text),
        "llm.finish_reason": Rule("finish_reasons", texts),
        "llm.prompt_template.version": Rule("prompt_version", text),
        "llm.cost.total": Rule("cost_usd", jsonvalues.number),
        "agent.name": Rule("agent", text),
        _COUNT + "prompt": Rule("usage.input_tokens", integer),
        _COUNT + "completion": Rule("usage.output_tokens", integer),
        _COUNT + "prompt_details.cache_read": Rule("usage.cache_read", integer),
        _COUNT + "prompt_details.cache_write": Rule("usage.cache_write", integer),
        _COUNT + "completion_details.reasoning": Rule("usage.reasoning", integer),
    },
    indexed=(
        "llm.input_messages.",
        "llm.output_messages.",
        "llm.tools.",
        "embedding.embeddings.",
        "retrieval.documents.",
    ),
    finish=_finish,
)
