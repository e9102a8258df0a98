"""OpenAI request/response pairs: chat, completions, Responses, embeddings; streams and errors.

Also what speaks the same language: Azure OpenAI, vLLM, LiteLLM's proxy. Layouts of a pair:
`logstore.capture.decoders.http_exchange`. Field names: OpenAI API reference, version 2020-10-01.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders import openai_stream
from logstore.capture.decoders.chat_messages import answered, asked
from logstore.capture.decoders.facts import (
    filter_verdicts,
    first_text,
    note_gaps,
    openai_usage,
    params_of,
    tools_called,
)
from logstore.capture.decoders.http_exchange import Exchange, note_outer, read
from logstore.capture.decoders.identity import (
    CONVERSATION_KEYS,
    SESSION_KEYS,
    first,
    people,
    subject,
)
from logstore.capture.decoders.jsonvalues import (
    array,
    as_text,
    epoch_us,
    identifier,
    obj,
    strings,
    text,
    without,
)
from logstore.capture.interaction import Interaction, Message, Part, Subject

Body = dict[str, Any]

_REQUEST = (
    "model", "messages", "input", "prompt", "instructions", "metadata", "user",
    "safety_identifier", "conversation", "stream", "stream_options", "tools", "functions",
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "seed",
    "frequency_penalty", "presence_penalty", "n",
)  # fmt: skip


def decode(raw: bytes) -> Interaction:
    """Read one pair.

    Raises:
        FormatError: not JSON, or not a pair.
    """
    exchange = read(raw)
    found = interaction("openai.pair", exchange)
    note_outer(found, exchange)
    if exchange.outer.get("aborted") is True:
        found.stream_aborted = True
    found.actor = text(exchange.response_headers.get("openai-organization"))
    found.actor_assurance = "platform"
    return note_gaps(found)


def interaction(name: str, exchange: Exchange) -> Interaction:
    """The interaction of two bodies, in format `name`, before layout facts and gaps."""
    request, (response, aborted) = exchange.request, _whole(exchange)
    api = api_of(exchange.path, request, response)
    system, messages = asked_of(request)
    outputs = [] if api == "embeddings" else (answered(response) or [])
    found = Interaction(
        format=name,
        dialect=api,
        operation=_OPERATIONS[api],
        provider=_provider(exchange),
        request_model=text(request.get("model")),
        input=messages,
        system=system,
        params=params_of(request),
        tool_definitions=as_text(request.get("tools") or request.get("functions")) or None,
        stream=request.get("stream") is True or exchange.events is not None,
        stream_aborted=aborted,
        extra={f"request.{key}": value for key, value in without(request, *_REQUEST).items()},
    )
    name_caller(found, request, "request")
    read_response(found, response, outputs)
    if found.error_type is None and exchange.status is not None and exchange.status >= 400:
        found.error_type = f"http_{exchange.status}"
    return found


def asked_of(request: Body) -> tuple[list[Part], list[Message]]:
    """System parts and messages of a request body."""
    said = asked(request)
    if said is None:
        return [], []
    return said


def name_caller(found: Interaction, request: Body, where: str) -> None:
    """Add the people, session and conversation that a request body names."""
    metadata = obj(request.get("metadata"))
    found.subjects = distinct(
        [
            *subject(request.get("user"), f"{where}.user", "caller"),
            *subject(request.get("safety_identifier"), f"{where}.safety_identifier", "caller"),
            *people(metadata, f"{where}.metadata"),
        ]
    )
    found.metadata = metadata
    found.session_id = first(metadata, SESSION_KEYS)
    conversation = request.get("conversation")
    found.conversation_id = (
        identifier(conversation)
        or identifier(obj(conversation).get("id"))
        or first(metadata, CONVERSATION_KEYS)
    )


def read_response(found: Interaction, response: Body, outputs: list[Message]) -> None:
    """Add the facts of a response body and its messages."""
    found.response_model = text(response.get("model"))
    found.response_id = text(response.get("id"))
    found.system_fingerprint = text(response.get("system_fingerprint"))
    found.start_us = epoch_us(response.get("created") or response.get("created_at"))
    found.usage = openai_usage(obj(response.get("usage")))
    found.output = outputs
    found.tool_names = tools_called(outputs)
    found.finish_reasons = _finish_reasons(response)
    if found.conversation_id is None:
        found.conversation_id = identifier(obj(response.get("conversation")).get("id"))
    if text(response.get("service_tier")) is not None:
        found.extra["service_tier"] = response["service_tier"]
    verdicts = _verdicts(response)
    read_error(found, response.get("error"))
    found.guardrail_verdicts = list(dict.fromkeys([*verdicts, *found.guardrail_verdicts]))


def read_error(found: Interaction, error: object) -> None:
    """Add an error body: its class, message, and what a content filter said."""
    if isinstance(error, str) and error:
        found.error_type, found.error_message = "error", error
    if not isinstance(error, dict) or not error:
        return
    found.error_type = first_text(error.get("code"), error.get("type")) or "error"
    found.error_message = text(error.get("message"))
    inner = obj(error.get("innererror") or error.get("inner_error"))
    result = inner.get("content_filter_result") or inner.get("content_filter_results")
    found.guardrail_verdicts = filter_verdicts(result)
    if inner:
        found.extra["error.inner"] = inner


def api_of(path: str, request: Body, response: Body) -> str:
    """Which API a pair speaks: chat, completions, responses or embeddings."""
    route = path.split("?", maxsplit=1)[0].rstrip("/")
    for ending, api in _ROUTES:
        if route.endswith(ending):
            return api
    kind = response.get("object")
    if kind == "response" or ("input" in request and "messages" not in request):
        data = array(response.get("data"))
        return "embeddings" if kind == "list" or data else "responses"
    return "completions" if "prompt" in request or kind == "text_completion" else "chat"


def distinct(subjects: list[Subject]) -> list[Subject]:
    """Subjects without exact repetition, in order."""
    return list(dict.fromkeys(subjects)) if len(subjects) > 1 else subjects


_ROUTES = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
)
_OPERATIONS = {
    "chat": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}


def _provider(exchange: Exchange) -> str:
    host = f"{exchange.path} {exchange.request_headers.get('host')}"
    return "azure.ai.openai" if ".openai.azure.com" in host else "openai"


def _whole(exchange: Exchange) -> tuple[Body, bool]:
    events = exchange.events
    if events is None:
        return exchange.response, False
    if any(isinstance(event.get("type"), str) for event in events[:4]):
        return openai_stream.responses(events)
    whole, aborted = openai_stream.chat(events)
    return whole, aborted and not exchange.done


def _finish_reasons(response: Body) -> list[str]:
    reasons = strings([obj(c).get("finish_reason") for c in array(response.get("choices"))])
    if reasons:
        return reasons
    if response.get("object") == "response" or "output" in response:
        why = text(obj(response.get("incomplete_details")).get("reason"))
        return [found] if (found := why or text(response.get("status"))) is not None else []
    return []


def _verdicts(response: Body) -> list[str]:
    verdicts: list[str] = []
    for choice in map(obj, array(response.get("choices"))):
        verdicts += filter_verdicts(choice.get("content_filter_results"))
    for prompt in map(obj, array(response.get("prompt_filter_results"))):
        verdicts += filter_verdicts(prompt.get("content_filter_results"))
    return verdicts
