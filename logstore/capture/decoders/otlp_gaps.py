"""What a span or log record could not give, as slugs; a forensic reader must see each loss.

A gap is only recorded where the provider had the fact to give: a failed call has no response id,
embeddings have no answer, and only OpenAI's chat completions have a system fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable

from logstore.capture.decoders.dialect_gen_ai import REFERENCES
from logstore.capture.decoders.dialect_litellm import RAW_SPAN
from logstore.capture.decoders.otlp_operations import ANSWERS, MODEL_CALLS
from logstore.capture.interaction import Interaction

_FINGERPRINTED = frozenset({"openai", "azure", "azure.ai.openai", "az.ai.openai", None})
_REFERENCES = frozenset(REFERENCES)
_RATES = ("sampling_rate", "sampling.rate", "sampling.probability", "SampleRate", "sampler.param")
# Langfuse and MLflow often do not say why an answer stopped; its absence proves nothing there.
_SAYS_WHY = frozenset(
    {"gen_ai", "gen_ai_legacy", "openinference", "traceloop", "anthropic", "litellm"}
)


def is_aborted(made: Interaction) -> bool:
    """Whether a stream stopped before its end: content may be there, an end is not."""
    if not made.stream or made.error_type or made.dialect not in _SAYS_WHY:
        return False
    if made.extra.get("span.name") == RAW_SPAN:
        return False  # LiteLLM has no raw body of a streamed answer to give
    reasons = [reason for reason in made.finish_reasons if reason]
    return not reasons or "error" in reasons


def gaps(made: Interaction, dropped: Iterable[str], trace_state: str) -> list[str]:
    """The gaps of a span, sorted; `dropped` and `trace_state` are the span's own."""
    found = {f"dropped-{what}" for what in dropped}
    if _thinned(trace_state) or any(_is_rate(made.extra.get(name)) for name in _RATES):
        found.add("sampled")
    if made.start_us is None:
        found.add("no-time")
    if not made.subjects:
        found.add("no-user")
    if made.operation in MODEL_CALLS:
        found |= _facts(made)
        found |= _content(made)
        if made.dialect == "litellm":
            found |= _rewritten(made)
    if made.extra.keys() & _REFERENCES:
        found.add("content-by-reference")
    if made.stream_aborted:
        found.add("stream-aborted")
    return sorted(found)


def _facts(made: Interaction) -> set[str]:
    wanted = {"no-request-model": made.request_model}
    if made.error_type is None:
        wanted["no-response-model"] = made.response_model
        if not made.stream_aborted:
            wanted["no-usage"] = "known" if made.usage else None
        if made.operation in ANSWERS:
            wanted["no-response-id"] = made.response_id
            if _has_fingerprint(made):
                wanted["no-system-fingerprint"] = made.system_fingerprint
            if not made.stream_aborted:
                wanted["no-finish-reason"] = "known" if made.finish_reasons else None
    return {gap for gap, fact in wanted.items() if not fact}


def _rewritten(made: Interaction) -> set[str]:
    """What LiteLLM put in the provider's place, as its callback's payloads have it too."""
    found = set()
    if made.stream and made.response_model and made.response_model == made.request_model:
        found.add("response-model-by-gateway")
    if made.provider == "anthropic" and (made.response_id or "").startswith("chatcmpl-"):
        found.add("response-id-by-gateway")
    return found


def _has_fingerprint(made: Interaction) -> bool:
    responses = made.extra.get("openai.api.type") == "responses" or (
        made.response_id or ""
    ).startswith("resp_")
    return made.provider in _FINGERPRINTED and not responses


def _content(made: Interaction) -> set[str]:
    asked = any(message.parts for message in made.input)
    said = any(message.parts for message in made.output)
    silent = made.operation not in ANSWERS or made.error_type is not None
    if not asked and not said:
        return set() if made.extra.keys() & _REFERENCES else {"content-not-captured"}
    found = set()
    if not asked or any(message.role == "user" and not message.parts for message in made.input):
        found.add("input-not-captured")
    if not said and not silent:
        found.add("output-not-captured")
    return found


def _thinned(trace_state: str) -> bool:
    """Whether the tracestate says that spans like this one were dropped.

    OpenTelemetry's ``ot=th:<threshold>``, and before 2024 ``ot=p:<power of two>``.
    """
    for entry in trace_state.split(",")[:32]:
        key, _, value = entry.strip().partition("=")
        if key == "ot":
            return any(_thins(part) for part in value.split(";"))
    return False


def _thins(part: str) -> bool:
    name, _, value = part.partition(":")
    return value.strip("0") != "" if name == "th" else name == "p" and value not in ("", "0")


def _is_rate(value: object) -> bool:
    """Whether a number says that one call stands for several: 0.1 of all, or one in 10."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return 0 < float(value) != 1
    except (ValueError, OverflowError):
        return False
