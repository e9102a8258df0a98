"""The allow-list: which facts of an AI interaction may stand in clear, and in what shape.

What is not on the list, or does not have its shape, goes into the encrypted body. Never on the
list: user ids, e-mail, IP addresses, user agents, raw session or trace ids, response ids, or any
hash of plaintext (DESIGN section 3; GDPR Art. 4(1) counts all of these as personal data).

Names follow the OpenTelemetry GenAI semantic conventions where one exists; `column` is the name
in Parquet and SQL.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from logstore.formats.leaf import ClearValue

FieldType = Literal["str", "int", "float", "bool", "strs"]

MAX_TEXT = 200
"""Longest clear string in characters."""

MAX_ITEMS = 64
"""Most strings in a clear list."""

MAX_INTEGER = 2**53 - 1
"""Largest clear integer either way: what every JSON reader keeps exact (RFC 7493)."""

# One word: no spaces, no '@', nothing a sentence, an address or an e-mail needs.
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/+#\[\]()=,-]*")


@dataclass(frozen=True, slots=True)
class ClearField:
    """One allow-listed field.

    Attributes:
        name: its name in the leaf (OpenTelemetry GenAI where one exists).
        column: its column in Parquet and SQL.
        type: its shape.
        help: one line for documentation.
    """

    name: str
    column: str
    type: FieldType
    help: str


FIELDS: tuple[ClearField, ...] = (
    ClearField("gen_ai.operation.name", "operation", "str", "chat, embeddings, execute_tool ..."),
    ClearField("gen_ai.provider.name", "provider", "str", "openai, anthropic, aws.bedrock ..."),
    ClearField("gen_ai.request.model", "request_model", "str", "model that was asked for"),
    ClearField("gen_ai.response.model", "response_model", "str", "model that answered"),
    ClearField("aircon.model.version", "model_version", "str", "deployed version, where stated"),
    ClearField("openai.response.system_fingerprint", "system_fingerprint", "str", "backend build"),
    ClearField("gen_ai.response.finish_reasons", "finish_reasons", "strs", "why it stopped"),
    ClearField("gen_ai.usage.input_tokens", "input_tokens", "int", "tokens in"),
    ClearField("gen_ai.usage.output_tokens", "output_tokens", "int", "tokens out"),
    ClearField("gen_ai.usage.cache_read.input_tokens", "cache_read_tokens", "int", "from cache"),
    ClearField("gen_ai.usage.cache_write.input_tokens", "cache_write_tokens", "int", "to cache"),
    ClearField("gen_ai.usage.reasoning.output_tokens", "reasoning_tokens", "int", "reasoning"),
    ClearField("aircon.duration_us", "duration_us", "int", "latency in microseconds"),
    ClearField("aircon.time_to_first_chunk_us", "ttft_us", "int", "first chunk, microseconds"),
    ClearField("aircon.cost_usd", "cost_usd", "float", "cost in US dollars, as stated"),
    ClearField("error.type", "error_type", "str", "class of the error, if it failed"),
    ClearField("http.response.status_code", "http_status", "int", "HTTP status"),
    ClearField("aircon.tool.names", "tool_names", "strs", "tools called"),
    ClearField("gen_ai.request.stream", "stream", "bool", "answer was streamed"),
    ClearField("aircon.stream.aborted", "stream_aborted", "bool", "stream broke before its end"),
    ClearField("gen_ai.request.temperature", "temperature", "float", "sampling"),
    ClearField("gen_ai.request.top_p", "top_p", "float", "sampling"),
    ClearField("gen_ai.request.top_k", "top_k", "float", "sampling"),
    ClearField("gen_ai.request.max_tokens", "max_tokens", "int", "limit on the answer"),
    ClearField("gen_ai.request.seed", "seed", "int", "sampling seed"),
    ClearField("gen_ai.request.frequency_penalty", "frequency_penalty", "float", "sampling"),
    ClearField("gen_ai.request.presence_penalty", "presence_penalty", "float", "sampling"),
    ClearField("gen_ai.request.choice.count", "choice_count", "int", "answers asked for"),
    ClearField("service.name", "application", "str", "application"),
    ClearField("service.version", "application_version", "str", "its release"),
    ClearField("deployment.environment.name", "environment", "str", "prod, staging ..."),
    ClearField("gen_ai.agent.name", "agent", "str", "agent"),
    ClearField("gen_ai.prompt.name", "prompt_name", "str", "prompt template"),
    ClearField("gen_ai.prompt.version", "prompt_version", "str", "its version"),
    ClearField("aircon.dataset.ids", "dataset_ids", "strs", "datasets read or trained on"),
    ClearField("aircon.document.ids", "document_ids", "strs", "documents retrieved"),
    ClearField("gen_ai.guardrail.verdict.type", "guardrail_verdicts", "strs", "allow, deny ..."),
    ClearField("aircon.capture.format", "capture_format", "str", "format it arrived in"),
    ClearField("aircon.capture.dialect", "capture_dialect", "str", "dialect of that format"),
    ClearField("aircon.capture.grade", "capture_grade", "str", "raw, gateway, span, event, export"),
    ClearField("aircon.capture.gaps", "capture_gaps", "strs", "what the source could not give"),
    ClearField("aircon.session", "session", "str", "session pseudonym, dies with the key"),
)
"""Every clear field of a captured record, in column order."""

BY_NAME = {field.name: field for field in FIELDS}
"""The allow-list by leaf name."""

BY_COLUMN = {field.column: field for field in FIELDS}
"""The allow-list by column name."""


def admit(name: str, value: object) -> ClearValue | None:
    """The value as it may stand in clear, or None when it must go into the body instead."""
    check = _ADMIT_BY_NAME.get(name)
    return None if check is None else check(value)


def split(fields: dict[str, object]) -> tuple[dict[str, ClearValue], dict[str, object]]:
    """Part facts into (clear fields, what must go into the body). None values are dropped."""
    clear: dict[str, ClearValue] = {}
    rest: dict[str, object] = {}
    for name, value in fields.items():
        if value is None:
            continue
        check = _ADMIT_BY_NAME.get(name)
        admitted = None if check is None else check(value)
        if admitted is None:
            rest[name] = value
        else:
            clear[name] = admitted
    return clear, rest


def _word(value: object) -> str | None:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        return None
    return value if _is_word(value) else None


@functools.lru_cache(8192)
def _is_word(value: str) -> bool:
    # The same few model, tool and field values come with every record.
    return _WORD.fullmatch(value) is not None


def _words(value: object) -> list[str] | None:
    if not isinstance(value, list | tuple) or not value or len(value) > MAX_ITEMS:
        return None
    words = [word for item in value if (word := _word(item)) is not None]
    return words if len(words) == len(value) else None


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INTEGER:
        return None
    return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None  # also refuses NaN and infinities


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_ADMIT: dict[FieldType, Callable[[object], ClearValue | None]] = {
    "str": _word,
    "strs": _words,
    "int": _integer,
    "float": _number,
    "bool": _flag,
}
_ADMIT_BY_NAME = {field.name: _ADMIT[field.type] for field in FIELDS}
