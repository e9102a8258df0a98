"""Anthropic Messages request/response pairs, streamed or not, with errors.

Layouts of a pair: `logstore.capture.decoders.http_exchange`. Field names: Anthropic Messages API,
version 2023-06-01 and later.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders import anthropic_stream
from logstore.capture.decoders.chat_messages import asked, message_of
from logstore.capture.decoders.facts import anthropic_usage, note_gaps, params_of, tools_called
from logstore.capture.decoders.http_exchange import Exchange, note_outer, read
from logstore.capture.decoders.identity import SESSION_KEYS, first, people
from logstore.capture.decoders.jsonvalues import as_text, obj, text, without
from logstore.capture.interaction import Interaction

Body = dict[str, Any]

_REQUEST = (
    "model", "messages", "system", "metadata", "stream", "tools", "max_tokens", "temperature",
    "top_p", "top_k",
)  # fmt: skip


def decode(raw: bytes) -> Interaction:
    """Read one pair.

    Raises:
        FormatError: not JSON, or not a pair.
    """
    exchange = read(raw)
    response, aborted = whole(exchange)
    found = Interaction(
        format="anthropic.pair",
        dialect="messages",
        provider="anthropic",
        stream=exchange.request.get("stream") is True or exchange.events is not None,
        stream_aborted=aborted or exchange.outer.get("aborted") is True,
    )
    read_request(found, exchange.request)
    read_response(found, response)
    note_outer(found, exchange)
    found.actor = text(exchange.response_headers.get("anthropic-organization-id"))
    found.actor_assurance = "platform"
    if found.error_type is None and exchange.status is not None and exchange.status >= 400:
        found.error_type = f"http_{exchange.status}"
    return note_gaps(found)


def whole(exchange: Exchange) -> tuple[Body, bool]:
    """(the response body, re-assembled when streamed; whether the stream broke)."""
    if exchange.events is None:
        return exchange.response, False
    return anthropic_stream.message(exchange.events)


def read_request(found: Interaction, request: Body) -> None:
    """Add a Messages request body."""
    said = asked(request)
    if said is not None:
        found.system, found.input = said
    metadata = obj(request.get("metadata"))
    found.metadata = metadata
    found.subjects = people(metadata, "request.metadata")
    found.session_id = first(metadata, SESSION_KEYS)
    found.request_model = text(request.get("model"))
    found.params = params_of(request)
    found.tool_definitions = as_text(request.get("tools")) or None
    for key, value in without(request, *_REQUEST).items():
        found.extra[f"request.{key}"] = value


def read_response(found: Interaction, response: Body) -> None:
    """Add a Messages response body or error body."""
    error = obj(response.get("error"))
    if error:
        found.error_type = text(error.get("type")) or "error"
        found.error_message = text(error.get("message"))
        if (request_id := text(response.get("request_id"))) is not None:
            found.extra["anthropic.request_id"] = request_id
    found.response_model = text(response.get("model"))
    found.response_id = text(response.get("id"))
    usage = obj(response.get("usage"))
    found.usage = anthropic_usage(usage)
    if (tier := text(usage.get("service_tier"))) is not None:
        found.extra["service_tier"] = tier
    reason = text(response.get("stop_reason"))
    found.finish_reasons = [] if reason is None else [reason]
    if response.get("content"):
        found.output = [message_of(response, "assistant")]
        found.tool_names = tools_called(found.output)
    if reason == "refusal":
        found.guardrail_verdicts = ["deny:refusal"]
