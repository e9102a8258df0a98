"""LiteLLM StandardLoggingPayload (generic_api callback; S3, GCS and Azure log files).

Traps, seen in recorded payloads of 1.100.5: ``metadata.session_id`` of the caller arrives as
``trace_id`` while ``session_id`` is empty; ``user=`` stays in ``model_parameters``; the error's
traceback holds file paths, so it is only kept as content; for other providers than OpenAI the
response id and finish reason are LiteLLM's own, and so is the model of a streamed answer.

Seen behind the proxy of 1.110.2, where ``model_group`` is what was asked for: ``model`` begins with
the provider, and the answer's model is the group's name again.
"""

from __future__ import annotations

from typing import Any

from logstore.capture.decoders.chat_messages import answered, asked
from logstore.capture.decoders.facts import (
    first_text,
    note_gaps,
    openai_usage,
    params_of,
    tools_called,
)
from logstore.capture.decoders.identity import (
    CONVERSATION_KEYS,
    LITELLM_ADMIN,
    SESSION_KEYS,
    first,
    people,
    subject,
)
from logstore.capture.decoders.jsonvalues import (
    array,
    as_text,
    epoch_us,
    identifier,
    integer,
    members_reader,
    number,
    obj,
    strings,
    text,
)
from logstore.capture.interaction import Interaction, Subject
from logstore.errors import FormatError

Body = dict[str, Any]

_KEPT = (
    "litellm_call_id", "request_tags", "api_base", "model_group", "model_id", "cache_hit",
    "cost_breakdown", "error_information", "guardrail_information", "user_agent",
)  # fmt: skip
# model_map_information, a price list of 130 members in every payload, is evidence but no fact.
_read = members_reader(
    "id", "call_type", "trace_id", "session_id", "stream", "status", "custom_llm_provider",
    "startTime", "endTime", "completionStartTime", "model", "metadata", "response_cost",
    "prompt_tokens", "completion_tokens", "end_user", "requester_ip_address", "messages",
    "response", "model_parameters", "error_str", *_KEPT,
)  # fmt: skip
_OPERATIONS = {
    "embedding": "embeddings",
    "text_completion": "text_completion",
    "image_generation": "generate_content",
}
_SPEAKS_OPENAI = frozenset({None, "openai", "azure", "hosted_vllm", "openai_like"})
_REDACTED = "redacted-by-litellm"
_ALLOW = frozenset({"success", "not_run", "passed"})


def decode(raw: bytes) -> Interaction:
    """Read one payload.

    Raises:
        FormatError: not JSON, or not a StandardLoggingPayload.
    """
    log = _read(raw)
    named = log["litellm_call_id"] is not None or log["model_group"] is not None
    if log["call_type"] is None or not named:
        raise FormatError("not a StandardLoggingPayload")
    metadata, parameters = obj(log.get("metadata")), obj(log.get("model_parameters"))
    call_type = (text(log.get("call_type")) or "").removeprefix("a")
    said = asked(log.get("messages")) or ([], [])
    found = Interaction(
        format="litellm",
        dialect=text(log.get("call_type")) or "",
        grade="gateway",
        operation=_OPERATIONS.get(call_type, "chat"),
        provider=text(log.get("custom_llm_provider")),
        request_model=_asked_of(log),
        system=said[0],
        input=said[1],
        params=params_of(parameters),
        tool_definitions=as_text(parameters.get("tools")) or None,
        stream=log.get("stream") is True,
        actor=first_text(metadata.get("user_api_key_alias"), metadata.get("user_api_key_hash")),
        actor_assurance="platform",
        client_address=first_text(
            log.get("requester_ip_address"), metadata.get("requester_ip_address")
        ),
        cost_usd=number(log.get("response_cost")),
        metadata={k: v for k, v in metadata.items() if v is not None},
        extra={key: log[key] for key in _KEPT if log.get(key)},
    )
    _read_people(found, log, metadata, parameters)
    _read_times(found, log)
    _read_response(found, log, obj(log.get("response")))
    _read_failure(found, log)
    _note_rewriting(found, text(log.get("model_group")))
    _note_withheld(found, log)
    return note_gaps(found)


def _asked_of(log: Body) -> str | None:
    """The model the provider was asked for, without the provider that a proxy writes before it."""
    model, group = text(log.get("model")), text(log.get("model_group"))
    if model and group:
        return model.removeprefix(f"{text(log.get('custom_llm_provider'))}/")
    return model or group


def _read_people(found: Interaction, log: Body, metadata: Body, parameters: Body) -> None:
    requester = obj(metadata.get("requester_metadata"))
    safety = parameters.get("safety_identifier")
    owner = metadata.get("user_api_key_user_id")
    named: list[Subject] = [
        *subject(metadata.get("user_api_key_end_user_id"), "user_api_key_end_user_id", "caller"),
        *subject(log.get("end_user"), "end_user", "caller"),
        *subject(parameters.get("user"), "model_parameters.user", "caller"),
        *subject(safety, "model_parameters.safety_identifier", "caller"),
        *subject(None if owner == LITELLM_ADMIN else owner, "user_api_key_user_id", "platform"),
        *subject(metadata.get("user_api_key_user_email"), "user_api_key_user_email", "platform"),
    ]
    if requester:
        named += people(requester, "requester_metadata")
    found.subjects = named
    trace = identifier(log.get("trace_id"))
    session = identifier(log.get("session_id")) or first(requester, SESSION_KEYS)
    found.trace_id = trace
    # LiteLLM moves the caller's session id into trace_id; a trace id of its own is the call id.
    found.session_id = session or (trace if trace != log.get("litellm_call_id") else None)
    found.conversation_id = first(requester, CONVERSATION_KEYS)


def _read_times(found: Interaction, log: Body) -> None:
    found.start_us = epoch_us(log.get("startTime"))
    found.end_us = epoch_us(log.get("endTime"))
    first_chunk = epoch_us(log.get("completionStartTime"))
    if found.stream and first_chunk and found.start_us and first_chunk >= found.start_us:
        found.ttft_us = first_chunk - found.start_us


def _read_response(found: Interaction, log: Body, response: Body) -> None:
    found.response_id = first_text(response.get("id"), log.get("id")) if response else None
    found.response_model = text(response.get("model"))
    found.system_fingerprint = text(response.get("system_fingerprint"))
    if found.operation != "embeddings":
        found.output = answered(response) or answered(text(log.get("response"))) or []
    found.tool_names = tools_called(found.output)
    reasons = [obj(choice).get("finish_reason") for choice in array(response.get("choices"))]
    found.finish_reasons = strings(reasons)
    usage = openai_usage(obj(response.get("usage")))
    if not usage:
        totals = {key: integer(log.get(key)) for key in ("prompt_tokens", "completion_tokens")}
        usage = openai_usage(totals) if any(totals.values()) else {}
    found.usage = usage
    for verdict in array(log.get("guardrail_information")):
        status = text(obj(verdict).get("guardrail_status"))
        if status is not None:
            found.guardrail_verdicts.append("allow" if status in _ALLOW else "deny")


def _note_withheld(found: Interaction, log: Body) -> None:
    """Name content that LiteLLM was told not to log, or put into cold storage."""
    spoken = [part.text for message in (*found.input, *found.output) for part in message.parts]
    if _REDACTED in spoken:
        found.gaps.append("content-redacted")
    elif not spoken and text(obj(log["metadata"]).get("cold_storage_object_key")) is not None:
        found.gaps.append("content-by-reference")


def _note_rewriting(found: Interaction, group: str | None) -> None:
    """Name what LiteLLM put in the provider's place: ids, reasons, models that answered."""
    if found.error_type is None and found.provider not in _SPEAKS_OPENAI:
        if (found.response_id or "").startswith("chatcmpl-"):
            found.gaps.append("response-id-by-gateway")
        if found.finish_reasons:
            found.gaps.append("finish-reason-by-gateway")
    by_proxy = group is not None and found.response_model == group
    if by_proxy or (found.stream and found.response_model == found.request_model):
        found.gaps.append("response-model-by-gateway")


def _read_failure(found: Interaction, log: Body) -> None:
    error = obj(log.get("error_information"))
    if log.get("status") != "failure" and not text(error.get("error_class")):
        return
    found.error_type = first_text(error.get("error_class"), error.get("error_code")) or "error"
    found.error_message = first_text(error.get("error_message"), log.get("error_str"))
    status = integer(error.get("error_code"))
    found.http_status = status if status is not None and 100 <= status <= 999 else None
