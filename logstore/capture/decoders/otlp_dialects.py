"""All dialects as one table, and reading a set of attributes with it.

Precedence when a span speaks several: the SDK's own keys, current GenAI conventions, OpenInference,
MLflow and Langfuse, Traceloop, the older GenAI conventions and events, general conventions.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders import (
    dialect_anthropic,
    dialect_gen_ai,
    dialect_gen_ai_legacy,
    dialect_general,
    dialect_langfuse,
    dialect_litellm,
    dialect_mlflow,
    dialect_openinference,
    dialect_traceloop,
)
from logstore.capture.decoders.dialect_general import RESOURCE, UNNAMED
from logstore.capture.decoders.facts import tools_called
from logstore.capture.decoders.otlp_found import Dialect, Found, Reader
from logstore.capture.decoders.otlp_identity import IDENTITY, distinct
from logstore.capture.decoders.otlp_telemetry import Attributes, Origin
from logstore.capture.interaction import Interaction, Message, Part

STEP = 10
"""Distance of two dialects' ranks; a dialect may use ranks within it for its weaker sources."""

DIALECTS: tuple[Dialect, ...] = (
    dialect_anthropic.DIALECT,
    dialect_litellm.DIALECT,
    dialect_gen_ai.DIALECT,
    dialect_openinference.DIALECT,
    dialect_mlflow.DIALECT,
    dialect_langfuse.DIALECT,
    dialect_traceloop.DIALECT,
    dialect_gen_ai_legacy.DIALECT,
    dialect_general.DIALECT,
)
"""Every dialect, the one that wins first."""

RANK = {dialect.name: number * STEP for number, dialect in enumerate(DIALECTS)}
"""Each dialect's rank by name."""

_RULES: dict[str, tuple[int, str, Reader]] = {}
_CONTENT: dict[str, tuple[int, str, Reader]] = {}
for _dialect in reversed(DIALECTS):
    _rank = RANK[_dialect.name]
    _RULES.update({key: (_rank, *rule) for key, rule in _dialect.rules.items()})
    _CONTENT.update({key: (_rank, *rule) for key, rule in _dialect.content.items()})
_INDEXED = tuple(prefix for dialect in DIALECTS for prefix in dialect.indexed)

# Keys that say which dialect wrote a span, most telling first; GenAI names alone say least.
_MARKS = (
    ("anthropic.request.id", "anthropic"),
    ("anthropic.message.stop_reason", "anthropic"),
    ("litellm.call_id", "litellm"),
    ("openinference.span.kind", "openinference"),
    ("langfuse.observation.type", "langfuse"),
    ("mlflow.spanType", "mlflow"),
    ("llm.request.type", "traceloop"),
    ("traceloop.span.kind", "traceloop"),
    ("gen_ai.prompt.0.content", "traceloop"),
    ("gen_ai.prompt.0.role", "traceloop"),
    ("gen_ai.completion.0.content", "traceloop"),
    ("gen_ai.completion.0.role", "traceloop"),
    ("gen_ai.is_streaming", "traceloop"),
    ("gen_ai.provider.name", "gen_ai"),
    ("gen_ai.system", "gen_ai_legacy"),
    ("gen_ai.operation.name", "gen_ai"),
)
_PREFIXES = (
    ("langfuse.observation.", "langfuse"),
    ("llm.input_messages.", "openinference"),
    ("traceloop.", "traceloop"),
    ("gen_ai.", "gen_ai"),
)
_PREFIXED = tuple(prefix for prefix, _ in _PREFIXES)
_SCOPES = (("com.anthropic.", "anthropic"), ("litellm", "litellm"))
_SCOPED = tuple(prefix for prefix, _ in _SCOPES)
_FINISHING = tuple((each.name, each.finish) for each in DIALECTS if each.finish is not None)
# What a dialect that is not the span's own may have left to read, by the first word of its keys.
_TRACES = {
    "openinference": {"input", "output", "llm", "embedding", "retrieval"},
    "mlflow": {"mlflow"},
    "langfuse": {"langfuse"},
    "traceloop": {"traceloop", "gen_ai", "llm"},
}
_FIELDS = frozenset(Interaction.__struct_fields__)


def read_attributes(found: Found, attributes: Attributes) -> None:
    """Put every attribute in its place, and what has none into `extra`."""
    offer = found.offer
    extra = found.extra
    for key, value in attributes.items():
        rule = _RULES.get(key)
        if rule is not None:
            rank, place, read = rule
            known = read(value)
            if known is None:
                found.keep(key, value)
            else:
                offer(place, known, rank, key, value)
        elif key in IDENTITY:
            found.identify(key, value)
        elif key in _CONTENT:
            rank, place, read = _CONTENT[key]
            found.offer_content(place, value, read, rank, key)
        elif not (key.startswith(_INDEXED) and found.grow(key, value)) and (
            value is not None and value != ""
        ):
            extra[key] = value


def dialect_of(attributes: Attributes, scope: str) -> str:
    """The name of the dialect a span is written in; empty when it is no AI operation."""
    for prefix, name in _SCOPES if scope.startswith(_SCOPED) else ():
        if scope.startswith(prefix):
            return name
    for mark, name in _MARKS:
        if mark in attributes:
            return name
    found = {key for key in attributes if key.startswith(_PREFIXED)}
    for prefix, name in _PREFIXES if found else ():
        if any(key.startswith(prefix) for key in found):
            return name
    return ""


def finish(found: Found, dialect: str) -> None:
    """Let the dialects read what tables cannot say, then settle content and tool calls."""
    words = {key.partition(".")[0] for key in found.extra}
    words.update(found.trees)
    partial = "event_input" in found.facts or "event_output" in found.facts
    for name, read_rest in _FINISHING:
        if (
            name == dialect
            or (partial and name == "gen_ai_legacy")
            or not words.isdisjoint(_TRACES.get(name, ()))
        ):
            read_rest(found, RANK[name])
    _tool(found)
    found.settle_content()


def _tool(found: Found) -> None:
    """A tool's span: its arguments are the input, its result the output."""
    facts = found.facts
    name, call = facts.pop("tool_name", None), facts.pop("tool_call_id", None)
    arguments, result = facts.pop("tool_arguments", None), facts.pop("tool_result", None)
    if name is None and call is None:
        return
    facts["tool_names"] = [name] if name else []
    if arguments is not None:
        part = Part("tool_call", arguments, id=call, name=name)
        facts["input"] = [Message("assistant", [part])]
    if result is not None:
        done = Part("tool_call_response", result, id=call, name=name)
        facts["output"] = [Message("tool", [done])]


def read_origin(found: Found, origin: Origin) -> None:
    """Take what the resource and scope say; the rest stands in `extra`."""
    rest: Attributes = {}
    for key, value in origin.resource.items():
        place = RESOURCE.get(key)
        if place is not None and isinstance(value, str) and not value.startswith(UNNAMED):
            found.offer(place, value, RANK[""], f"resource.{key}", value)
        elif key in IDENTITY:
            found.identify(key, value)
        else:
            rest[key] = value
    found.keep("resource", rest)
    scope = {
        "name": origin.scope_name,
        "version": origin.scope_version,
        "schema_url": origin.schema_url,
        **origin.scope,
    }
    found.keep("scope", {key: value for key, value in scope.items() if value})


def build(found: Found, base: dict[str, Any]) -> Interaction:
    """The interaction of all facts; `base` holds the fields the caller knows itself."""
    fields: dict[str, Any] = base
    params: dict[str, object] = {}
    usage: dict[str, int] = {}
    for place, value in found.facts.items():
        if place in _FIELDS:
            fields[place] = value
        elif place.startswith("params."):
            params[place[7:]] = value
        elif place.startswith("usage."):
            usage[place[6:]] = value
    if "operation" not in found.facts and fields["dialect"] and _is_call(found):
        fields["operation"] = "chat"  # Traceloop does not name its Responses calls
    fields["params"] = params
    fields["usage"] = usage
    fields["subjects"] = distinct(found.subjects)
    fields["metadata"] = found.metadata
    fields["extra"] = found.extra
    made = Interaction(**fields)
    _derive(made)
    return made


def _is_call(found: Found) -> bool:
    return "response_id" in found.facts or "request_model" in found.facts


def _derive(made: Interaction) -> None:
    """System messages apart, tools that were called, reasons the answer stopped."""
    leading = 0
    for message in made.input:
        if message.role not in ("system", "developer"):
            break
        made.system = [*made.system, *message.parts]
        leading += 1
    if leading:
        made.input = made.input[leading:]
    made.tool_names = list(dict.fromkeys([*made.tool_names, *tools_called(made.output)]))
    if not made.finish_reasons:
        made.finish_reasons = [
            message.finish_reason for message in made.output if message.finish_reason
        ]
