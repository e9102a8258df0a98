"""Request and response bodies that travel inside attributes (OpenInference, MLflow, LiteLLM ...).

Tracing tools put the provider's own JSON into attributes; it states facts their other attributes
lost (response id, fingerprint, the model that was asked for, the caller's user).
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.chat_messages import answered, asked
from logstore.capture.decoders.identity import people
from logstore.capture.decoders.otlp_found import (
    Found,
    Reader,
    flag,
    integer,
    json_text,
    number,
    text,
    texts,
)
from logstore.capture.interaction import Message, Part

_PARAMS: dict[str, tuple[str, Reader]] = {
    "temperature": ("params.temperature", number),
    "top_p": ("params.top_p", number),
    "top_k": ("params.top_k", number),
    "max_tokens": ("params.max_tokens", integer),
    "max_completion_tokens": ("params.max_tokens", integer),
    "max_output_tokens": ("params.max_tokens", integer),
    "seed": ("params.seed", integer),
    "frequency_penalty": ("params.frequency_penalty", number),
    "presence_penalty": ("params.presence_penalty", number),
    "n": ("params.choice_count", integer),
    "stop": ("params.stop_sequences", texts),
    "stop_sequences": ("params.stop_sequences", texts),
    "previous_response_id": ("params.previous_response.id", text),
}
_CONTENT = ("messages", "input", "contents", "prompt", "system", "instructions")
_USAGE = {
    "input_tokens": "usage.input_tokens",
    "prompt_tokens": "usage.input_tokens",
    "input": "usage.input_tokens",
    "output_tokens": "usage.output_tokens",
    "completion_tokens": "usage.output_tokens",
    "output": "usage.output_tokens",
    "cache_read_input_tokens": "usage.cache_read",
    "input_cached_tokens": "usage.cache_read",
    "cache_read": "usage.cache_read",
    "cached_tokens": "usage.cache_read",
    "cache_creation_input_tokens": "usage.cache_write",
    "cache_write": "usage.cache_write",
    "reasoning_tokens": "usage.reasoning",
    "output_reasoning_tokens": "usage.reasoning",
}
_DETAILS = frozenset(
    {
        "prompt_tokens_details",
        "input_tokens_details",
        "completion_tokens_details",
        "output_tokens_details",
    }
)


def read_request(found: Found, body: dict[str, object], rank: int, key: str) -> None:
    """Offer everything a request body states; the rest goes to `extra` under `key`."""
    rest = dict(body)
    found.offer("request_model", text(rest.pop("model", None)), rank)
    found.offer("stream", flag(rest.pop("stream", None)), rank)
    _conversation(found, rest, rank)
    for name in ("user", "safety_identifier"):
        found.subject(rest.pop(name, None), name)
    metadata = rest.pop("metadata", None)
    if isinstance(metadata, dict):
        read_metadata(found, metadata)
    if rest.get("tools"):
        found.offer("tool_definitions", json_text(rest.pop("tools")), rank)
    read_params(found, rest, rank)
    if any(rest.get(name) for name in _CONTENT):
        content = {name: rest.pop(name) for name in _CONTENT if name in rest}
        offer_asked(found, content, rank, "")
    found.keep(key, {name: value for name, value in rest.items() if value is not None})


def read_metadata(found: Found, metadata: dict[str, object]) -> None:
    """Keep the caller's own metadata, and the people it names."""
    found.subjects.extend(people(metadata, "metadata"))
    found.metadata.update(metadata)


def read_params(found: Found, body: dict[str, object], rank: int) -> None:
    """Take the sampling parameters out of `body`."""
    for name in [name for name in body if name in _PARAMS]:
        place, read = _PARAMS[name]
        value = read(body[name])
        if value is not None:
            del body[name]
            found.offer(place, value, rank)


def read_response(found: Found, body: dict[str, object], rank: int, key: str) -> None:
    """Offer everything a response body states; the rest goes to `extra` under `key`."""
    rest = dict(body)
    for name, place in (
        ("id", "response_id"),
        ("model", "response_model"),
        ("system_fingerprint", "system_fingerprint"),
    ):
        found.offer(place, text(rest.pop(name, None)), rank)
    usage = rest.pop("usage", None)
    if isinstance(usage, dict):
        read_usage(found, usage, rank)
    answer: dict[str, object] = {
        name: rest.pop(name)
        for name in ("choices", "output", "content", "candidates", "message", "role")
        if name in rest
    }
    _finish(found, rest, answer, rank)
    if any(answer.values()):
        found.offer_content("output", answer, answered, rank, "")
    for name in ("object", "created", "created_at", "data"):
        rest.pop(name, None)
    found.keep(key, jsonvalues.without(rest))


def read_usage(found: Found, usage: dict[str, object], rank: int) -> None:
    """Offer token counts in any provider's words."""
    for name, count in usage.items():
        place = _USAGE.get(name)
        if place is not None:
            found.offer(place, integer(count), rank)
        elif name in _DETAILS and isinstance(count, dict):
            read_usage(found, count, rank + 1)


def offer_asked(found: Found, value: object, rank: int, key: str) -> None:
    """Offer a request's messages, and its system parts apart from them."""

    def system(body: object) -> object:
        both = asked(jsonvalues.loaded(body))
        return both[0] if both else []

    def said(body: object) -> object:
        known = jsonvalues.loaded(body)
        both = asked(known)
        return both[1] if both else [Message("user", [Part("text", jsonvalues.as_text(known))])]

    found.offer_content("system", value, system, rank, "")
    found.offer_content("input", value, said, rank, key)


def answer(value: object) -> list[Message]:
    """An answer in any shape, also as JSON text; an unknown one as its JSON."""
    known = jsonvalues.loaded(value)
    return answered(known) or [Message("assistant", [Part("text", jsonvalues.as_text(known))])]


def _conversation(found: Found, rest: dict[str, object], rank: int) -> None:
    conversation = rest.pop("conversation", None)
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    found.offer("conversation_id", text(conversation), rank)


def _finish(found: Found, rest: dict[str, object], answer: dict[str, object], rank: int) -> None:
    reasons = [
        reason
        for choice in jsonvalues.array(answer.get("choices"))
        if (reason := text(jsonvalues.obj(choice).get("finish_reason")))
    ]
    status = text(rest.pop("stop_reason", None)) or text(rest.pop("status", None))
    found.offer("finish_reasons", reasons or ([status] if status else None), rank)
