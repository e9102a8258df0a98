"""The OpenInference dialect of the staff search: identity on every span, numbered keys."""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Call, Turn
from drills.sample.company import prompt_version
from drills.sample.writers import openai_shapes as shapes
from drills.sample.writers.spans import INTERNAL, Attributes, Span, root

_SCOPE = ("openinference.instrumentation.openai", "0.1.66")
_JSON = "application/json"


def openinference(turn: Turn) -> list[Span]:
    """The turn in the OpenInference dialect: its calls, then the application's span."""
    return [*(_span(turn, call) for call in turn.calls), root(turn)]


def _span(turn: Turn, call: Call) -> Span:
    name, attributes = _KINDS[call.operation](call)
    attributes += [
        ("session.id", turn.who.session),
        ("user.id", turn.who.user),
        ("metadata", _text({"team": turn.who.team})),
    ]
    if call.operation == "chat":
        attributes.append(("llm.prompt_template.version", prompt_version(turn.app, call.start_us)))
    failure = call.failure
    return Span(
        scope=_SCOPE,
        name=name,
        kind=INTERNAL,
        span=call.span,
        parent=turn.root,
        start_us=call.start_us,
        end_us=call.end_us,
        attributes=attributes,
        error=f"{failure.error_class}: {failure.message}" if failure else "",
        ok=failure is None and not call.aborted,
        first_token_us=call.start_us + call.ttft_us if call.ttft_us and not failure else 0,
    )


def _chat(call: Call) -> tuple[str, Attributes]:
    request: dict[str, Any] = {
        "model": call.model,
        "messages": [shapes.message(msg) for msg in call.messages],
        "temperature": call.temperature,
    }
    if call.stream:
        request["stream"] = True
    settings = {key: value for key, value in request.items() if key != "messages"}
    found: Attributes = [
        ("openinference.span.kind", "LLM"),
        ("llm.system", "openai"),
        ("input.value", _text(request)),
        ("input.mime_type", _JSON),
        ("llm.invocation_parameters", _text(settings)),
    ]
    for place, msg in enumerate(call.messages):
        found.append((f"llm.input_messages.{place}.message.role", msg.role))
        found.append((f"llm.input_messages.{place}.message.content", msg.text))
    if not call.failure:
        found += _answer(call)
    if call.documents:
        found.append(("aircon.document.ids", call.documents))
    return "ChatCompletion", found


def _answer(call: Call) -> Attributes:
    found: Attributes = [
        ("output.value", _text(shapes.completion(call))),
        ("output.mime_type", _JSON),
        ("llm.model_name", call.served),
        ("llm.output_messages.0.message.role", "assistant"),
        ("llm.output_messages.0.message.content", call.output.text),
    ]
    if not call.aborted:
        found += [
            ("llm.token_count.prompt", call.tokens_in),
            ("llm.token_count.completion", call.tokens_out),
            ("llm.token_count.total", call.tokens_in + call.tokens_out),
            ("llm.token_count.prompt_details.cache_read", call.tokens_cached),
            ("llm.finish_reason", call.finish),
        ]
    return found


def _embedding(call: Call) -> tuple[str, Attributes]:
    text = call.messages[0].text
    request = {"model": call.model, "input": text, "encoding_format": "base64"}
    return "CreateEmbeddings", [
        ("openinference.span.kind", "EMBEDDING"),
        ("llm.system", "openai"),
        ("input.value", _text(request)),
        ("input.mime_type", _JSON),
        ("embedding.model_name", call.served),
        ("embedding.embeddings.0.embedding.text", text),
        ("llm.token_count.prompt", call.tokens_in),
        ("llm.token_count.total", call.tokens_in),
    ]


def _retrieval(call: Call) -> tuple[str, Attributes]:
    found: Attributes = [
        ("openinference.span.kind", "RETRIEVER"),
        ("input.value", call.messages[0].text),
        ("input.mime_type", "text/plain"),
    ]
    pages = call.output.text.split("\n") if call.output.text else []
    for place, (page, text) in enumerate(zip(call.documents, pages, strict=True)):
        key = f"retrieval.documents.{place}.document"
        found += [
            (f"{key}.id", page),
            (f"{key}.content", text),
            (f"{key}.score", round(0.91 - 0.07 * place, 2)),
        ]
    if call.documents:
        found.append(("aircon.document.ids", call.documents))
    return "retrieve", found


_KINDS = {"chat": _chat, "embeddings": _embedding, "retrieval": _retrieval}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
