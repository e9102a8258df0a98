"""Langfuse export JSON: one observation with its trace, ``{"trace": {...}, "observation": {...}}``.

The splitter cuts ``{"trace", "observations": [...]}`` into these; the first item of a trace holds
the whole trace, the others its scalar members. Langfuse keeps no fingerprint, and loses response
id and requested model unless the instrumentation's own attributes came along in ``metadata``.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders.chat_messages import answered, asked
from logstore.capture.decoders.facts import first_text, note_gaps, params_of, tools_called
from logstore.capture.decoders.identity import (
    CONVERSATION_KEYS,
    SESSION_KEYS,
    first,
    people,
    subject,
)
from logstore.capture.decoders.jsonvalues import (
    as_text,
    identifier,
    integer,
    iso_us,
    load_object,
    loaded,
    number,
    obj,
    strings,
    text,
    without,
)
from logstore.capture.interaction import Interaction, Message, Part
from logstore.errors import FormatError

Fields = dict[str, Any]

_OPERATIONS = {
    "GENERATION": "chat",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
}
_USED = (
    "id", "traceId", "type", "environment", "parentObservationId", "startTime", "endTime", "level",
    "statusMessage", "modelParameters", "completionStartTime", "usageDetails", "costDetails",
    "model", "promptName", "promptVersion", "metadata", "input", "output", "inputUsage",
    "outputUsage", "totalUsage", "inputCost", "outputCost", "totalCost", "latency",
)  # fmt: skip


def decode(raw: bytes) -> Interaction:
    """Read one observation with its trace.

    Raises:
        FormatError: not JSON, or neither trace nor observation.
    """
    outer = load_object(raw)
    trace, seen = obj(outer.get("trace")), obj(outer.get("observation"))
    if not trace and not seen:
        raise FormatError("neither a trace nor an observation")
    metadata = obj(loaded(seen.get("metadata"))) or obj(loaded(trace.get("metadata")))
    attributes = obj(loaded(metadata.get("attributes")))
    resource = obj(loaded(metadata.get("resourceAttributes")))
    kind = text(seen.get("type")) or "TRACE"
    found = Interaction(
        format="langfuse",
        dialect=kind.lower(),
        grade="export",
        operation=_OPERATIONS.get(kind, "span"),
        provider=_provider(attributes, metadata),
        request_model=first_text(
            attributes.get("gen_ai.request.model"), metadata.get("ls_model_name")
        ),
        response_model=first_text(seen.get("model"), attributes.get("gen_ai.response.model")),
        response_id=text(attributes.get("gen_ai.response.id")),
        start_us=iso_us(seen.get("startTime")) or iso_us(trace.get("timestamp")),
        end_us=iso_us(seen.get("endTime")),
        trace_id=identifier(seen.get("traceId")) or identifier(trace.get("id")),
        span_id=identifier(seen.get("id")),
        parent_span_id=identifier(seen.get("parentObservationId")),
        params=params_of(obj(loaded(seen.get("modelParameters")))),
        tool_definitions=as_text(attributes.get("gen_ai.tool.definitions")) or None,
        cost_usd=number(obj(seen.get("costDetails")).get("total")) or number(seen.get("totalCost")),
        application=text(resource.get("service.name")),
        application_version=first_text(trace.get("release"), seen.get("version")),
        environment=first_text(seen.get("environment"), trace.get("environment")),
        agent=first_text(attributes.get("gen_ai.agent.name")),
        prompt_name=text(seen.get("promptName")),
        prompt_version=identifier(seen.get("promptVersion")),
        metadata=metadata,
        extra={**without(seen, *_USED), "trace": without(trace, "input", "output", "metadata")},
    )
    _read_people(found, trace, metadata, attributes)
    _read_content(found, seen or trace, kind)
    _read_outcome(found, seen, attributes)
    return note_gaps(found)


def _provider(attributes: Fields, metadata: Fields) -> str | None:
    return first_text(
        attributes.get("gen_ai.provider.name"),
        attributes.get("gen_ai.system"),
        attributes.get("llm.provider"),
        attributes.get("llm.system"),
        metadata.get("ls_provider"),
    )


def _read_people(found: Interaction, trace: Fields, metadata: Fields, attributes: Fields) -> None:
    found.subjects = [
        *subject(trace.get("userId"), "trace.userId", "sdk"),
        *people(attributes, "metadata.attributes", "sdk"),
        *people(metadata, "metadata"),
    ]
    found.session_id = (
        identifier(trace.get("sessionId"))
        or first(attributes, SESSION_KEYS)
        or first(metadata, SESSION_KEYS)
    )
    found.conversation_id = identifier(attributes.get("gen_ai.conversation.id")) or first(
        metadata, CONVERSATION_KEYS
    )


def _read_content(found: Interaction, seen: Fields, kind: str) -> None:
    asked_value, given = loaded(seen.get("input")), loaded(seen.get("output"))
    if kind == "TOOL":
        name = text(seen.get("name"))
        found.tool_names = [name] if name else []
        found.input = _said("assistant", Part("tool_call", as_text(asked_value), name=name))
        found.output = _said("tool", Part("tool_call_response", as_text(given), name=name))
        return
    said = asked(asked_value) if asked_value is not None else None
    if said is None and asked_value:
        said = [], _said("user", Part("text", as_text(asked_value)))
    found.system, found.input = said or ([], [])
    replies = answered(given) if given else []
    if replies is None:
        replies = _said("assistant", Part("text", as_text(given)))
    found.output = replies
    found.tool_names = tools_called(replies)


def _said(role: str, part: Part) -> list[Message]:
    return [Message(role, [part])] if part.text else []


def _read_outcome(found: Interaction, seen: Fields, attributes: Fields) -> None:
    found.usage = _usage(obj(seen.get("usageDetails")))
    found.finish_reasons = strings(loaded(attributes.get("gen_ai.response.finish_reasons")))
    first_chunk = iso_us(seen.get("completionStartTime"))
    if first_chunk and found.start_us and first_chunk >= found.start_us:
        found.ttft_us = first_chunk - found.start_us
        found.stream = True
    if seen.get("level") == "ERROR":
        found.error_type = text(attributes.get("error.type")) or "error"
        found.error_message = text(seen.get("statusMessage"))


def _usage(details: Fields) -> dict[str, int]:
    counts: dict[str, int] = {}
    for theirs, ours in (
        ("input", "input_tokens"),
        ("output", "output_tokens"),
        ("input_cache_read", "cache_read"),
        ("input_cached_tokens", "cache_read"),
        ("cache_read_input_tokens", "cache_read"),
        ("cache_creation_input_tokens", "cache_write"),
        ("output_reasoning", "reasoning"),
        ("output_reasoning_tokens", "reasoning"),
    ):
        if (count := integer(details.get(theirs))) is not None and count >= 0:
            counts[ours] = count
    return counts
