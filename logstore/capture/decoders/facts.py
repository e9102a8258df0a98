"""Facts that every source spells in a few ways: token usage, sampling parameters, gaps.

Names follow the OpenTelemetry GenAI registry (``gen_ai.usage.*``, ``gen_ai.request.*``).
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders.jsonvalues import integer, obj, text
from logstore.capture.interaction import Interaction, Message

_PARAMS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "topP": "top_p",
    "top_k": "top_k",
    "topK": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "maxTokens": "max_tokens",
    "maxTokenCount": "max_tokens",
    "max_gen_len": "max_tokens",
    "max_tokens_to_sample": "max_tokens",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "n": "choice_count",
    "choice.count": "choice_count",
}
"""Source spelling -> our name of a sampling parameter (short name of ``gen_ai.request.*``)."""


def params_of(source: dict[str, Any]) -> dict[str, object]:
    """Sampling parameters under their short names; text, lists and objects are left out."""
    found: dict[str, object] = {}
    for key, value in source.items():
        name = _PARAMS.get(key)
        if name is not None and isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value
    return found


def openai_usage(usage: dict[str, Any]) -> dict[str, int]:
    """Usage of the chat, completions, embeddings and Responses APIs."""
    details_in = obj(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    details_out = obj(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return _counted(
        input_tokens=usage.get("prompt_tokens", usage.get("input_tokens")),
        output_tokens=usage.get("completion_tokens", usage.get("output_tokens")),
        cache_read=details_in.get("cached_tokens"),
        reasoning=details_out.get("reasoning_tokens"),
    )


def anthropic_usage(usage: dict[str, Any]) -> dict[str, int]:
    """Usage of the Messages API.

    Its ``input_tokens`` leaves cached tokens out; ours includes them, as
    ``gen_ai.usage.input_tokens`` is defined.
    """
    read = integer(usage.get("cache_read_input_tokens"))
    written = integer(usage.get("cache_creation_input_tokens"))
    fresh = integer(usage.get("input_tokens"))
    return _counted(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=usage.get("output_tokens"),
        cache_read=read,
        cache_write=written,
    )


def tools_called(messages: list[Message]) -> list[str]:
    """Distinct names of the tools that messages call, in order."""
    names = [
        part.name
        for message in messages
        for part in message.parts
        if part.name and part.type in ("tool_call", "server_tool_call")
    ]
    return list(dict.fromkeys(names)) if names else names


def filter_verdicts(source: object) -> list[str]:
    """Verdicts of Azure-style content filter results, e.g. ``deny:jailbreak``, ``warn:hate``."""
    verdicts: list[str] = []
    for name, result in obj(source).items():
        found = obj(result)
        if found.get("filtered") is True:
            verdicts.append(f"deny:{name}")
        elif found.get("detected") is True:
            verdicts.append(f"warn:{name}")
    return verdicts


def note_gaps(found: Interaction) -> Interaction:
    """Add what the source did not give to `Interaction.gaps`; returns the same interaction."""
    failed = found.error_type is not None
    missing = {
        "no-user": not found.subjects,
        "no-time": found.start_us is None and found.end_us is None,
        "no-request-model": found.request_model is None,
        "no-response-id": found.response_id is None and not failed,
        "no-response-model": found.response_model is None and not failed,
        "content-not-captured": not found.input and not found.output and not found.system,
    }
    known = found.gaps
    fresh = [gap for gap, is_missing in missing.items() if is_missing and gap not in known]
    if "content-by-reference" in known and "content-not-captured" in fresh:
        fresh.remove("content-not-captured")
    found.gaps = [*known, *fresh]
    return found


def first_text(*values: object) -> str | None:
    """The first value that is a non-empty string."""
    for value in values:
        if (found := text(value)) is not None:
            return found
    return None


def _counted(**counts: object) -> dict[str, int]:
    return {
        name: found
        for name, value in counts.items()
        if (found := integer(value)) is not None and found >= 0
    }
