"""Numbers by which records of one call know each other: hashes of the ids it was given. Pure.

They are equality keys inside the working copy and are never written anywhere else.
"""

from __future__ import annotations

from typing import NamedTuple

import xxhash

from logstore.capture.decoders.otlp_operations import MODEL_CALLS
from logstore.capture.interaction import Interaction

UNIQUE_ID = 16
"""Shortest response id in characters that is taken to be unique over all providers."""

_CALL_IDS = {
    "litellm_call_id": "litellm",
    "litellm.call_id": "litellm",
    "anthropic.request.id": "request",
    "anthropic.request_id": "request",
    "http.request-id": "request",
    "openai.request_id": "request",
}
"""Where decoders leave the id that a gateway or provider gave a call, and who counts it."""


class CallKeys(NamedTuple):
    """Keys of one record; None where the source does not say.

    Attributes:
        span: trace id and span id.
        parent: trace id and parent span id, of model calls only.
        response: response id, with the provider where the id alone is too short to be unique.
        call: request or call id of a gateway or provider.
    """

    span: int | None
    parent: int | None
    response: int | None
    call: int | None


def keys_of(found: Interaction) -> CallKeys:
    """The keys of a decoded record."""
    within = found.operation in MODEL_CALLS
    return CallKeys(
        span=key(found.trace_id, found.span_id),
        parent=key(found.trace_id, found.parent_span_id) if within else None,
        response=_response_key(found),
        call=_call_key(found),
    )


def key(*facts: str | None) -> int | None:
    """One number, not 0, for facts that are all known; None when one is missing."""
    if not all(facts):
        return None
    text = "\0".join(str(fact) for fact in facts)
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "replace")) or 1


def model_name(found: Interaction) -> str | None:
    """The answering model, else the one asked for, without the route that gateways put before."""
    model = found.response_model or found.request_model
    return model.rpartition("/")[2] if model else None


def _response_key(found: Interaction) -> int | None:
    """Sources spell providers differently, so only an id too short to be unique needs one."""
    if found.response_id is None or len(found.response_id) >= UNIQUE_ID:
        return key(found.response_id)
    return key(found.provider or "?", found.response_id)


def _call_key(found: Interaction) -> int | None:
    if found.format == "bedrock":  # elsewhere the word may mean a request to the application
        return key("bedrock", _unique(found.extra.get("requestId")))
    for name, counted_by in _CALL_IDS.items():
        value = _unique(found.extra.get(name))
        if value is not None:
            return key(counted_by, value)
    return None


def _unique(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) >= UNIQUE_ID else None
