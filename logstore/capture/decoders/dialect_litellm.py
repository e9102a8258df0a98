"""LiteLLM's OpenTelemetry callback: two spans per call, values as text, bodies as Python literals.

``litellm_request`` has the GenAI attributes and who called (the proxy's key, user and team);
``raw_gen_ai_request`` has the provider's own body under ``llm.<provider>.``, which alone carries
the system fingerprint and the seed.
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.otlp_bodies import read_request, read_response
from logstore.capture.decoders.otlp_found import Dialect, Found, Rule, text, texts
from logstore.capture.decoders.python_repr import literal
from logstore.errors import FormatError

RAW_SPAN = "raw_gen_ai_request"
_PREFIX = "metadata."
_REQUEST = frozenset(
    {
        "messages", "input", "temperature", "top_p", "max_tokens", "seed", "user", "metadata",
        "tools", "stream", "n", "stop", "frequency_penalty", "presence_penalty", "extra_body",
        "safety_identifier", "max_completion_tokens", "system", "instructions", "prompt",
    }
)  # fmt: skip


def unrepr(value: object) -> object:
    """The value of a Python literal or JSON text; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        parsed = jsonvalues.loaded(value)
        if parsed is not value:
            return parsed
        try:
            return literal(value)
        except FormatError:
            return value
    return value


def _finish(found: Found, rank: int) -> None:
    if found.name == RAW_SPAN:
        _raw_body(found, rank)
    call = found.extra.get("litellm.call_id")
    if call is not None and found.facts.get("response_id") == call:
        del found.facts["response_id"]  # on errors LiteLLM puts its own id in its place
    for key in [key for key in found.extra if key.startswith(_PREFIX)]:
        value = unrepr(found.take(key))
        if value not in ("", [], {}):
            found.metadata[key.removeprefix(_PREFIX)] = value


def _raw_body(found: Found, rank: int) -> None:
    asked: dict[str, object] = {}
    answer: dict[str, object] = {}
    for key in [key for key in found.extra if key.startswith("llm.") and key.count(".") > 1]:
        _, provider, name = key.split(".", 2)
        if provider != "None":  # a Python None, written into the key
            found.offer("provider", provider, rank)
        (asked if name in _REQUEST else answer)[name] = unrepr(found.take(key))
    if not answer.keys() & {"id", "object", "data"}:  # a stream: the request alone is here
        found.offer("request_model", text(answer.pop("model", None)), rank)
    found.offer("operation", "embeddings" if "data" in answer else "chat", rank)
    read_request(found, asked, rank, "llm.request")
    read_response(found, answer, rank, "llm.response")


DIALECT = Dialect(
    name="litellm",
    rules={
        "gen_ai.cost.total_cost": Rule("cost_usd", jsonvalues.number),
        "metadata.requester_ip_address": Rule("client_address", text),
        "metadata.applied_guardrails": Rule("guardrail_verdicts", texts),
        "error.message": Rule("error_message", text),
        "error.llm_provider": Rule("provider", text),
    },
    finish=_finish,
)
