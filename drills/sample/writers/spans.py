"""A turn as OpenTelemetry spans: the application's own, and one per call.

Web chat, messaging and the coding agent speak the current gen_ai dialect, with the attributes of
instrumentation-genai 1.3b0; what OpenTelemetry has no word for (deployed version, documents,
datasets) stands under ``aircon.*``. Identity is on the application's span only, as in real life.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.apps.support import fingerprint
from drills.sample.call import Call, Msg, Turn
from drills.sample.company import prompt_version

Attributes = list[tuple[str, Any]]

INTERNAL, SERVER, CLIENT = 1, 2, 3


class Span(msgspec.Struct):
    """One span, before it is JSON or protobuf.

    Attributes:
        scope: instrumentation scope, name and version.
        name: span name.
        kind: `INTERNAL`, `SERVER` or `CLIENT`.
        span: span id, hexadecimal.
        parent: parent span id, hexadecimal, or empty.
        start_us: start, microseconds since 1970.
        end_us: end.
        attributes: names and values, in order.
        error: status message when it failed.
        ok: status is set to OK.
        first_token_us: time of a first-token event, or 0.
    """

    scope: tuple[str, str]
    name: str
    kind: int
    span: str
    parent: str
    start_us: int
    end_us: int
    attributes: Attributes
    error: str = ""
    ok: bool = False
    first_token_us: int = 0


def resource(turn: Turn) -> Attributes:
    """Resource attributes of the process that sent the spans."""
    return [
        ("telemetry.sdk.language", "python"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.version", "1.45.2"),
        ("service.namespace", "larkmoor"),
        ("service.name", turn.app.name),
        ("service.version", turn.app.release),
        ("deployment.environment.name", "prod"),
    ]


def root(turn: Turn) -> Span:
    """The application's own span, which alone knows who asked."""
    who = turn.who
    attributes: Attributes = [
        ("http.request.method", "POST"),
        ("url.path", turn.app.route),
    ]
    if who.user:
        attributes.append(("enduser.id", who.user))
    attributes += [
        ("session.id", who.session),
        ("client.address", who.address),
        ("user_agent.original", who.agent),
    ]
    if who.actor:
        attributes.append(("larkmoor.agent.identity", who.actor))
    return Span(
        scope=(f"larkmoor.{turn.app.name}", turn.app.release),
        name=f"POST {turn.app.route}",
        kind=SERVER,
        span=turn.root,
        parent="",
        start_us=turn.start_us - 14_000,
        end_us=turn.end_us + 6_000,
        attributes=attributes,
    )


def gen_ai(turn: Turn) -> list[Span]:
    """The turn in the gen_ai dialect: its calls, then the application's span."""
    return [*(_call_span(turn, call) for call in turn.calls), root(turn)]


def _call_span(turn: Turn, call: Call) -> Span:
    if call.operation == "execute_tool":
        return _tool_span(turn, call)
    failure = call.failure
    return Span(
        scope=(f"opentelemetry.instrumentation.genai.{call.provider}", "1.3b0"),
        name=f"{call.operation} {call.model}",
        kind=CLIENT,
        span=call.span,
        parent=turn.root,
        start_us=call.start_us,
        end_us=call.end_us,
        attributes=_chat(turn, call),
        error=f"Error code: {failure.status} - {failure.message}" if failure else "",
    )


def _chat(turn: Turn, call: Call) -> Attributes:
    found: Attributes = [
        ("gen_ai.operation.name", call.operation),
        ("gen_ai.provider.name", call.provider),
        ("gen_ai.request.model", call.model),
        ("server.address", "llm.larkmoor.example"),
        ("server.port", 443),
        ("gen_ai.request.temperature", call.temperature),
        ("gen_ai.conversation.id", turn.who.session),
    ]
    if call.stream:
        found.append(("gen_ai.request.stream", True))
    if call.failure:
        found.append(("error.type", f"{call.provider}.{call.failure.error_class}"))
    else:
        found += _answer(call)
    found += _larkmoor(turn, call)
    return found + _content(call)


def _answer(call: Call) -> Attributes:
    found: Attributes = [
        ("gen_ai.response.finish_reasons", (call.finish,)),
        ("gen_ai.response.model", call.served),
        ("gen_ai.response.id", call.response_id),
    ]
    if not call.aborted:
        found += [
            ("gen_ai.usage.input_tokens", call.tokens_in),
            ("gen_ai.usage.output_tokens", call.tokens_out),
        ]
    if call.tokens_cached:
        found.append(("gen_ai.usage.cache_read.input_tokens", call.tokens_cached))
    if call.ttft_us:
        found.append(("gen_ai.response.time_to_first_chunk", call.ttft_us / 1_000_000))
    if call.provider == "openai" and not call.stream:
        found.append(("openai.response.system_fingerprint", fingerprint(call.version)))
    return found


def _larkmoor(turn: Turn, call: Call) -> Attributes:
    found: Attributes = []
    if turn.app.prompt:
        found.append(("gen_ai.prompt.name", turn.app.prompt))
        found.append(("gen_ai.prompt.version", prompt_version(turn.app, call.start_us)))
    if turn.who.actor:
        found += [("gen_ai.agent.name", "forge"), ("gen_ai.agent.id", turn.who.actor)]
    if call.version:
        found.append(("aircon.model.version", call.version))
    if call.documents:
        found.append(("aircon.document.ids", call.documents))
    if call.datasets:
        found.append(("aircon.dataset.ids", call.datasets))
    return found


def _content(call: Call) -> Attributes:
    # The Anthropic instrumentor lifts the system text out of the messages, the OpenAI one does not.
    lifted = call.provider == "anthropic"
    said = [_message(msg) for msg in call.messages if not (lifted and msg.role == "system")]
    found: Attributes = []
    if lifted:
        system = [_text(msg.text) for msg in call.messages if msg.role == "system"]
        found.append(("gen_ai.system_instructions", _json(system)))
    found.append(("gen_ai.input.messages", _json(said)))
    if not call.failure:
        answer = {**_message(call.output), "finish_reason": call.finish}
        found.append(("gen_ai.output.messages", _json([answer])))
    return found


def _message(msg: Msg) -> dict[str, Any]:
    if msg.role == "tool":
        part = {"response": msg.text, "id": msg.use_id, "type": "tool_call_response"}
        return {"role": "tool", "parts": [part]}
    parts: list[dict[str, Any]] = [_text(msg.text)] if msg.text else []
    for use in msg.uses:
        arguments = msgspec.Raw(use.arguments)
        parts.append({"arguments": arguments, "name": use.name, "id": use.id, "type": "tool_call"})
    return {"role": msg.role, "parts": parts}


def _text(text: str) -> dict[str, str]:
    return {"content": text, "type": "text"}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _tool_span(turn: Turn, call: Call) -> Span:
    tool = call.tool
    assert tool is not None
    found: Attributes = [
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", tool.name),
        ("gen_ai.tool.type", "function"),
        ("gen_ai.tool.call.id", tool.id),
        ("gen_ai.tool.call.arguments", tool.arguments),
        ("gen_ai.tool.call.result", call.output.text),
        ("gen_ai.conversation.id", turn.who.session),
    ]
    if turn.who.actor:
        found += [("gen_ai.agent.name", "forge"), ("gen_ai.agent.id", turn.who.actor)]
    return Span(
        scope=(f"larkmoor.{turn.app.name}", turn.app.release),
        name=f"execute_tool {tool.name}",
        kind=INTERNAL,
        span=call.span,
        parent=turn.root,
        start_us=call.start_us,
        end_us=call.end_us,
        attributes=found,
    )
