"""Which decoder reads the evidence of which format; decoders are imported when first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module

from logstore.capture.interaction import Interaction
from logstore.errors import FormatError

Decoder = Callable[[bytes], Interaction]
"""Reads one evidence item; raises `FormatError` for anything that is not of its format."""

_HOME = "logstore.capture.decoders"
_PLACES = {
    "otlp.span": ("otlp_span", "decode_span"),
    "otlp.span+json": ("otlp_span", "decode_span_json"),
    "otlp.log": ("otlp_log", "decode_log"),
    "otlp.log+json": ("otlp_log", "decode_log_json"),
    "litellm": ("litellm", "decode"),
    "bedrock": ("bedrock", "decode"),
    "openai.pair": ("openai", "decode"),
    "anthropic.pair": ("anthropic", "decode"),
    "openai.batch": ("openai_batch", "decode"),
    "apim.llm": ("apim", "decode_llm"),
    "apim.gateway": ("apim", "decode_gateway"),
    "langfuse": ("langfuse", "decode"),
    "aircon": ("aircon_jsonl", "decode"),
}


class _Decoders(Mapping[str, Decoder]):
    """The table of decoders by format name; looking one up imports its module."""

    def __init__(self) -> None:
        self._loaded: dict[str, Decoder] = {}

    def __getitem__(self, name: str) -> Decoder:
        decoder = self._loaded.get(name)
        if decoder is None:
            module, function = _PLACES[name]
            decoder = getattr(import_module(f"{_HOME}.{module}"), function)
            self._loaded[name] = decoder
        return decoder

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


DECODERS: Mapping[str, Decoder] = _Decoders()
"""Decoder by format name, for every format that `Body.format` may hold."""


def decode(raw: bytes, name: str) -> Interaction:
    """Decode evidence of a named format.

    Raises:
        FormatError: the bytes are not of that format, or no decoder has that name.
    """
    if name not in _PLACES:
        raise FormatError(f"no decoder for the format {name[:60]!r}")
    return DECODERS[name](raw)
