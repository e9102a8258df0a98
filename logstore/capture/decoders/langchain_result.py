"""LangChain's LLMResult, which OpenInference puts whole into output.value.

It alone names the provider's response id and system fingerprint. What was streamed is made of
chunks, and only there does the answering model stand: the span's own ``llm.model_name`` is then the
model that was asked.
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.otlp_found import Found, branch, text

_STREAMED = frozenset({"ChatGenerationChunk", "GenerationChunk"})


def read_result(found: Found, value: object, rank: int) -> None:
    """Offer what an LLMResult says of the answer; any other value says nothing."""
    body = jsonvalues.loaded(value)
    if not isinstance(body, dict) or body.get("type") != "LLMResult":
        return
    answer = _first(_first(body.get("generations")))
    said = {
        **branch(body, "llm_output"),
        **branch(answer, "generation_info"),
        **branch(answer, "message", "kwargs", "response_metadata"),
    }
    found.offer("response_id", text(said.get("id")), rank)
    found.offer("response_model", text(said.get("model_name")), rank)
    found.offer("system_fingerprint", text(said.get("system_fingerprint")), rank)
    if isinstance(answer, dict) and answer.get("type") in _STREAMED:
        found.offer("stream", value=True, rank=rank)


def _first(items: object) -> object:
    return items[0] if isinstance(items, list) and items else None
