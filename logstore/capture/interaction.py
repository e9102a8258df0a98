"""One AI interaction in the field's standard words, whatever format it came in.

Decoders turn a source's own bytes into an `Interaction`; they are pure, so the working copy can
run a better decoder over old evidence later. Nothing here decides what stands in clear: that is
`logstore.formats.clearfields`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Grade = Literal["raw", "gateway", "span", "event", "export"]
"""How close to the wire the evidence is: provider bytes, a gateway's log, a tracing span, a log
event beside a span, or another platform's export."""

Assurance = Literal["platform", "sdk", "caller"]
"""Who vouches for a value: the platform (IAM ARN, key alias), the SDK, or only the caller."""


class Part(msgspec.Struct, omit_defaults=True, gc=False):
    """One part of a message (OpenTelemetry GenAI message part).

    Attributes:
        type: text, reasoning, tool_call, tool_call_response, uri, blob, file, or the source's word.
        text: what is said; for tool calls their arguments, for responses their result, as text
            (JSON where it was structured).
        id: tool call id, or file id.
        name: tool name.
        mime_type: of a blob or URI.
    """

    type: str
    text: str = ""
    id: str | None = None
    name: str | None = None
    mime_type: str | None = None


class Message(msgspec.Struct, omit_defaults=True, gc=False):
    """One message of a conversation: role system, user, assistant or tool, and its parts."""

    role: str
    parts: list[Part] = []
    finish_reason: str | None = None


class Subject(msgspec.Struct, frozen=True, gc=False):
    """A person named by the source.

    Attributes:
        id: the raw identity (user id, e-mail ...), exactly as the source has it.
        field: which field of the source said so, e.g. ``enduser.id`` or ``safety_identifier``.
        assurance: who vouches for it.
    """

    id: str
    field: str
    assurance: Assurance


class Interaction(msgspec.Struct, omit_defaults=True, gc=False):
    """One call to a model, tool, retriever or agent, normalised. Absent facts are None or empty.

    Attributes:
        format: source format, e.g. ``otlp.span``, ``litellm``, ``bedrock``, ``openai.pair``.
        dialect: attribute dialect, e.g. ``gen_ai``, ``openinference``, ``traceloop``.
        grade: evidence grade.
        operation: gen_ai.operation.name.
        start_us: start, microseconds since 1970 UTC; None when the source does not say.
        end_us: end, likewise.
        ttft_us: time to first chunk in microseconds.
        actor: platform identity that made the call; `actor_assurance` says who vouches.
        params: sampling parameters under their gen_ai.request.* short names (temperature, ...).
        usage: input_tokens, output_tokens, cache_read, cache_write, reasoning (integers).
        gaps: what the source could not give or lost, as slugs: ``no-user``, ``no-response-id``,
            ``no-request-model``, ``content-by-reference``, ``sampled``, ``dropped-attributes``,
            ``content-not-captured``, ``truncated``, ``no-time`` ...
        extra: everything of the source that has no field here (kept for search, never clear).
    """

    format: str
    dialect: str = ""
    grade: Grade = "raw"
    operation: str = "chat"
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    model_version: str | None = None
    response_id: str | None = None
    system_fingerprint: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    ttft_us: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    conversation_id: str | None = None
    session_id: str | None = None
    subjects: list[Subject] = []
    actor: str | None = None
    actor_assurance: Assurance = "sdk"
    client_address: str | None = None
    system: list[Part] = []
    input: list[Message] = []
    output: list[Message] = []
    tool_definitions: str | None = None
    tool_names: list[str] = []
    params: dict[str, object] = {}
    usage: dict[str, int] = {}
    finish_reasons: list[str] = []
    stream: bool | None = None
    stream_aborted: bool = False
    error_type: str | None = None
    error_message: str | None = None
    http_status: int | None = None
    cost_usd: float | None = None
    application: str | None = None
    application_version: str | None = None
    environment: str | None = None
    agent: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    dataset_ids: list[str] = []
    document_ids: list[str] = []
    guardrail_verdicts: list[str] = []
    metadata: dict[str, object] = {}
    gaps: list[str] = []
    extra: dict[str, object] = {}
