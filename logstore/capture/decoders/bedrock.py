"""AWS Bedrock model invocation logs (schemaType ModelInvocationLog, schemaVersion 1.0).

One item is one log line; or, where bodies lay in objects of their own (over 100 kB, see the AWS
user guide, model invocation logging), ``{"log": <line>, "input": <body>, "output": <body>}`` put
together by the splitter, which read the objects beside the log file.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders.bedrock_stream import METRICS, answer
from logstore.capture.decoders.chat_messages import asked, message_of
from logstore.capture.decoders.facts import anthropic_usage, note_gaps, params_of, tools_called
from logstore.capture.decoders.identity import (
    CONVERSATION_KEYS,
    SESSION_KEYS,
    first,
    people,
)
from logstore.capture.decoders.jsonvalues import (
    as_text,
    identifier,
    integer,
    iso_us,
    load_object,
    obj,
    text,
    without,
)
from logstore.capture.interaction import Interaction, Message, Part
from logstore.errors import FormatError

Body = dict[str, Any]

_LOG = (
    "schemaType", "schemaVersion", "timestamp", "identity", "operation", "modelId", "errorCode",
    "requestMetadata", "input", "output",
)  # fmt: skip
_EMBED = ("embed", "rerank")


def decode(raw: bytes) -> Interaction:
    """Read one invocation.

    Raises:
        FormatError: not JSON, or not a ModelInvocationLog.
    """
    outer = load_object(raw)
    log = obj(outer.get("log")) or outer
    if log.get("schemaType") != "ModelInvocationLog":
        raise FormatError("not a ModelInvocationLog")
    model = text(log.get("modelId"))
    operation = text(log.get("operation")) or ""
    found = Interaction(
        format="bedrock",
        dialect=operation,
        grade="gateway",
        operation="embeddings" if model and any(w in model for w in _EMBED) else "chat",
        provider="aws.bedrock",
        request_model=model,
        start_us=iso_us(log.get("timestamp")),
        actor=text(obj(log.get("identity")).get("arn")),
        actor_assurance="platform",
        stream="Stream" in operation,
        error_type=text(log.get("errorCode")),
        extra=without(log, *_LOG),
    )
    _read_caller(found, obj(log.get("requestMetadata")))
    _read_input(found, obj(log.get("input")), outer.get("input") if "log" in outer else None)
    _read_output(found, obj(log.get("output")), outer.get("output") if "log" in outer else None)
    return note_gaps(found)


def _read_caller(found: Interaction, metadata: Body) -> None:
    found.metadata = metadata
    found.subjects = people(metadata, "requestMetadata")
    found.session_id = first(metadata, SESSION_KEYS)
    found.conversation_id = first(metadata, CONVERSATION_KEYS)


def _read_input(found: Interaction, side: Body, beside: object) -> None:
    body = _body(found, side, "input", beside)
    request = obj(body)
    said = asked(_as_request(request))
    if said is not None:
        found.system, found.input = said
    elif body:
        found.input = [Message("user", [Part("text", as_text(body))])]
    found.params = {
        **params_of(request),
        **params_of(obj(request.get("inferenceConfig"))),
        **params_of(obj(request.get("textGenerationConfig"))),
    }
    tools = request.get("tools") or obj(request.get("toolConfig")).get("tools")
    found.tool_definitions = as_text(tools) or None
    found.subjects += people(obj(request.get("metadata")), "inputBodyJson.metadata")
    _count(found, "input_tokens", side.get("inputTokenCount"))
    _count(found, "cache_read", side.get("cacheReadInputTokenCount"))
    _count(found, "cache_write", side.get("cacheWriteInputTokenCount"))


def _as_request(request: Body) -> Body:
    """Titan's and Cohere's own words for what is asked."""
    for key in ("inputText", "texts", "message"):
        if request.get(key) and "messages" not in request:
            return {**request, "input": request[key]}
    return request


def _read_output(found: Interaction, side: Body, beside: object) -> None:
    body = _body(found, side, "output", beside)
    response, aborted = answer(body)
    found.stream_aborted = aborted
    found.response_model = text(response.get("model"))
    found.response_id = text(response.get("id"))
    reason = text(response.get("stop_reason"))
    found.finish_reasons = [] if reason is None else [reason]
    if response.get("content"):
        found.output = [message_of(response, "assistant")]
        found.tool_names = tools_called(found.output)
    for name, value in _usage(obj(response.get("usage"))).items():
        found.usage.setdefault(name, value)
    _count(found, "output_tokens", side.get("outputTokenCount"))
    metrics = obj(response.get(METRICS))
    _read_latency(found, metrics, obj(response.get("metrics")))
    _read_guardrail(found, obj(body) or response)
    if error := obj(response.get("error")):
        found.error_type = found.error_type or text(error.get("type")) or "error"
        found.error_message = text(error.get("message"))


def _body(found: Interaction, side: Body, name: str, beside: object) -> object:
    """The body in the line, or the one that lay beside the log, or a gap."""
    if beside is not None:
        return beside
    if side.get(f"{name}BodyJson") is not None:
        return side[f"{name}BodyJson"]
    if (path := text(side.get(f"{name}BodyS3Path"))) is not None:
        found.extra[f"{name}BodyS3Path"] = path
        if "content-by-reference" not in found.gaps:
            found.gaps = [*found.gaps, "content-by-reference"]
    return None


def _usage(usage: Body) -> dict[str, int]:
    counts = anthropic_usage(usage)
    for theirs, ours in (
        ("inputTokens", "input_tokens"),
        ("outputTokens", "output_tokens"),
        ("cacheReadInputTokens", "cache_read"),
        ("cacheWriteInputTokens", "cache_write"),
    ):
        if (value := integer(usage.get(theirs))) is not None:
            counts[ours] = value
    return counts


def _read_latency(found: Interaction, metrics: Body, converse: Body) -> None:
    latency = integer(metrics.get("invocationLatency") or converse.get("latencyMs"))
    if latency is not None and found.start_us is not None and 0 <= latency < 10**9:
        found.end_us = found.start_us + latency * 1000
    first_byte = integer(metrics.get("firstByteLatency"))
    if first_byte is not None and 0 <= first_byte < 10**9:
        found.ttft_us = first_byte * 1000


def _read_guardrail(found: Interaction, body: Body) -> None:
    action = identifier(body.get("amazon-bedrock-guardrailAction"))
    if action is not None:
        found.guardrail_verdicts = ["allow" if action == "NONE" else "deny"]
    elif "guardrail_intervened" in found.finish_reasons:
        found.guardrail_verdicts = ["deny"]


def _count(found: Interaction, name: str, value: object) -> None:
    if (count := integer(value)) is not None and count >= 0:
        found.usage[name] = count
