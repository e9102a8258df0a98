"""OpenTelemetry GenAI semantic conventions as they stand since 1.37 (semantic-conventions-genai).

The attribute names are pinned here as data: the conventions are in Development and their Python
constants are deprecated. Content arrives as JSON text on spans and structured on log events.
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.chat_messages import message_of, parts_of
from logstore.capture.decoders.otlp_found import (
    Dialect,
    Rule,
    flag,
    integer,
    json_text,
    number,
    seconds,
    text,
    texts,
)
from logstore.capture.decoders.otlp_operations import operation
from logstore.capture.interaction import Message, Part

REFERENCES = (
    "gen_ai.input.messages_ref",
    "gen_ai.output.messages_ref",
    "gen_ai.system_instructions_ref",
    "gen_ai.tool.definitions_ref",
)
"""Content that was uploaded elsewhere and is only pointed at."""

EVENT = "gen_ai.client.inference.operation.details"
"""Name of the log event that carries a call's content."""


def instructions(value: object) -> list[Part] | None:
    """gen_ai.system_instructions: a list of parts, structured or as JSON text."""
    value = jsonvalues.loaded(value)
    return parts_of(value) if isinstance(value, list | str) and value else None


def said(value: object) -> list[Message] | None:
    """gen_ai.input.messages: structured or as JSON text; None when it cannot be read."""
    return _messages(value, "user")


def answers(value: object) -> list[Message] | None:
    """gen_ai.output.messages, likewise."""
    return _messages(value, "assistant")


def documents(value: object) -> list[str] | None:
    """gen_ai.retrieval.documents: the ids of the documents."""
    ids = [jsonvalues.obj(item).get("id") for item in jsonvalues.array(jsonvalues.loaded(value))]
    return [name for item in ids if (name := jsonvalues.identifier(item))] or None


def query(value: object) -> list[Message] | None:
    """gen_ai.retrieval.query.text: what was looked for."""
    return [Message("user", [Part("text", value)])] if isinstance(value, str) and value else None


def _messages(value: object, role: str) -> list[Message] | None:
    value = jsonvalues.loaded(value)
    if not isinstance(value, list):
        return None
    return [message_of(item, role) for item in value]


_R = "gen_ai.request."
_U = "gen_ai.usage."

DIALECT = Dialect(
    name="gen_ai",
    rules={
        "gen_ai.operation.name": Rule("operation", operation),
        "gen_ai.provider.name": Rule("provider", text),
        _R + "model": Rule("request_model", text),
        "gen_ai.response.model": Rule("response_model", text),
        "gen_ai.response.id": Rule("response_id", text),
        "openai.response.system_fingerprint": Rule("system_fingerprint", text),
        "gen_ai.response.finish_reasons": Rule("finish_reasons", texts),
        "gen_ai.response.time_to_first_chunk": Rule("ttft_us", seconds),
        _R + "stream": Rule("stream", flag),
        _R + "temperature": Rule("params.temperature", number),
        _R + "top_p": Rule("params.top_p", number),
        _R + "top_k": Rule("params.top_k", number),
        _R + "max_tokens": Rule("params.max_tokens", integer),
        _R + "seed": Rule("params.seed", integer),
        _R + "frequency_penalty": Rule("params.frequency_penalty", number),
        _R + "presence_penalty": Rule("params.presence_penalty", number),
        _R + "choice.count": Rule("params.choice_count", integer),
        _R + "stop_sequences": Rule("params.stop_sequences", texts),
        _R + "reasoning.level": Rule("params.reasoning.level", text),
        _R + "previous_response.id": Rule("params.previous_response.id", text),
        _U + "input_tokens": Rule("usage.input_tokens", integer),
        _U + "output_tokens": Rule("usage.output_tokens", integer),
        _U + "cache_read.input_tokens": Rule("usage.cache_read", integer),
        _U + "cache_write.input_tokens": Rule("usage.cache_write", integer),
        _U + "cache_creation.input_tokens": Rule("usage.cache_write", integer),
        _U + "reasoning.output_tokens": Rule("usage.reasoning", integer),
        "gen_ai.prompt.name": Rule("prompt_name", text),
        "gen_ai.prompt.version": Rule("prompt_version", text),
        "gen_ai.agent.name": Rule("agent", text),
        "gen_ai.tool.definitions": Rule("tool_definitions", json_text),
        "gen_ai.tool.name": Rule("tool_name", text),
        "gen_ai.tool.call.id": Rule("tool_call_id", text),
        "gen_ai.tool.call.arguments": Rule("tool_arguments", json_text),
        "gen_ai.tool.call.result": Rule("tool_result", json_text),
        "gen_ai.data_source.id": Rule("dataset_ids", texts),
        "gen_ai.retrieval.documents": Rule("document_ids", documents),
        "gen_ai.guardrail.verdict.type": Rule("guardrail_verdicts", texts),
        "operation.cost": Rule("cost_usd", jsonvalues.number),
    },
    content={
        "gen_ai.system_instructions": Rule("system", instructions),
        "gen_ai.input.messages": Rule("input", said),
        "gen_ai.output.messages": Rule("output", answers),
        "gen_ai.retrieval.query.text": Rule("input", query),
    },
)
