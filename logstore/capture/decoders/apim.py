"""Azure logs: API Management's LLM log, its gateway log with bodies, and Azure OpenAI's own.

* `decode_llm`: table ApiManagementGatewayLlmLog. Messages over 32 kB are split over rows; the
  splitter collects the rows of one CorrelationId and an item is ``{"rows": [<row>, ...]}``.
* `decode_gateway`: diagnostic records of category GatewayLogs, with request and response bodies as
  JSON strings; and of category RequestResponse (Azure OpenAI resource), which has no bodies.
"""

from __future__ import annotations

import re
from typing import Any

from logstore.capture.decoders.chat_messages import answered, asked
from logstore.capture.decoders.facts import first_text, note_gaps, tools_called
from logstore.capture.decoders.http_exchange import Exchange, events_of
from logstore.capture.decoders.jsonvalues import (
    array,
    as_text,
    flag,
    identifier,
    integer,
    iso_us,
    load_object,
    loaded,
    number,
    obj,
    text,
    without,
)
from logstore.capture.decoders.openai import interaction
from logstore.capture.interaction import Interaction, Message, Part
from logstore.errors import FormatError

Row = dict[str, Any]

_PROVIDER = "azure.ai.openai"
_DEPLOYMENT = re.compile(r"/deployments/([^/?]+)")
_TICKS_AT_EPOCH = 621_355_968_000_000_000  # .NET ticks (100 ns since year 1) on 1970-01-01
_ROW = (
    "TimeGenerated", "CorrelationId", "DeploymentName", "RequestId", "SequenceNumber", "ModelName",
    "PromptTokens", "CompletionTokens", "TotalTokens", "RequestMessages", "ResponseMessages",
    "IsStreamCompletion",
)  # fmt: skip
_PROPERTIES = (
    "requestBody", "responseBody", "backendRequestBody", "backendResponseBody", "responseCode",
    "apimSubscriptionId", "modelName", "modelVersion", "modelDeploymentName",
)  # fmt: skip


def decode_llm(raw: bytes) -> Interaction:
    """Read the rows of one call.

    Raises:
        FormatError: not JSON, or no rows.
    """
    rows = [obj(row) for row in array(load_object(raw).get("rows"))]
    rows.sort(key=lambda row: integer(row.get("SequenceNumber")) or 0)
    if not rows:
        raise FormatError("no rows")
    asked_text, given_text = _spoken(rows, "RequestMessages"), _spoken(rows, "ResponseMessages")
    found = Interaction(
        format="apim.llm",
        grade="gateway",
        provider=_PROVIDER,
        operation=_operation(_one(rows, "OperationName")),
        request_model=text(_one(rows, "DeploymentName")),
        response_model=text(_one(rows, "ModelName")),
        response_id=text(_one(rows, "RequestId")),
        start_us=iso_us(_one(rows, "TimeGenerated")),
        stream=flag(_one(rows, "IsStreamCompletion")),
        actor=text(_one(rows, "ApimSubscriptionId")),
        actor_assurance="platform",
        client_address=text(_one(rows, "CallerIpAddress")),
        trace_id=identifier(_one(rows, "CorrelationId")),
        extra=without(rows[0], *_ROW),
    )
    found.system, found.input = _asked(asked_text)
    found.output = _given(given_text)
    found.tool_names = tools_called(found.output)
    found.usage = {
        name: count
        for name, key in (("input_tokens", "PromptTokens"), ("output_tokens", "CompletionTokens"))
        if (count := integer(_one(rows, key))) is not None and count >= 0
    }
    if _has_holes(rows):
        found.gaps = ["truncated"]
    return note_gaps(found)


def decode_gateway(raw: bytes) -> Interaction:
    """Read one diagnostic record.

    Raises:
        FormatError: not JSON, or of another category.
    """
    log = load_object(raw)
    properties = obj(loaded(log.get("properties")))
    category = log.get("category")
    if category == "RequestResponse":
        found = _without_bodies(log, properties)
    elif category == "GatewayLogs":
        found = _with_bodies(properties)
    else:
        raise FormatError("neither GatewayLogs nor RequestResponse")
    found.format, found.dialect, found.grade = "apim.gateway", category, "gateway"
    found.provider = _PROVIDER
    found.actor = first_text(properties.get("apimSubscriptionId"), properties.get("objectId"))
    found.actor_assurance = "platform"
    found.client_address = first_text(log.get("callerIpAddress"), log.get("CallerIPAddress"))
    found.trace_id = identifier(log.get("correlationId"))
    found.extra.update(without(log, "properties", "callerIpAddress", "time"))
    found.extra.update(without(properties, *_PROPERTIES))
    _read_times(found, log, properties)
    status = integer(properties.get("responseCode")) or integer(log.get("resultSignature"))
    if status is not None and 100 <= status <= 999:
        found.http_status = status
        if status >= 400 and found.error_type is None:
            found.error_type = f"http_{status}"
    found.gaps = []
    if category == "RequestResponse":
        found.gaps = ["content-not-captured"]
    return note_gaps(found)


def _with_bodies(properties: Row) -> Interaction:
    answer = loaded(properties.get("responseBody") or properties.get("backendResponseBody"))
    events, done = events_of(answer)
    asked_body = loaded(properties.get("requestBody") or properties.get("backendRequestBody"))
    url = first_text(properties.get("url"), properties.get("backendUrl")) or ""
    found = interaction(
        "apim.gateway",
        Exchange(
            outer=properties,
            path=url,
            request_headers={},
            response_headers={},
            request=obj(asked_body),
            response=obj(answer),
            events=events,
            done=done,
            status=None,
        ),
    )
    deployment = _DEPLOYMENT.search(url)
    if deployment is not None:
        found.request_model = deployment[1]
    return found


def _without_bodies(log: Row, properties: Row) -> Interaction:
    return Interaction(
        format="apim.gateway",
        operation=_operation(log.get("operationName")),
        request_model=text(properties.get("modelDeploymentName")),
        response_model=text(properties.get("modelName")),
        model_version=text(properties.get("modelVersion")),
        stream={"Streaming": True, "Non-Streaming": False}.get(str(properties.get("streamType"))),
    )


def _read_times(found: Interaction, log: Row, properties: Row) -> None:
    requested = _ticks_us(properties.get("requestTime"))
    responded = _ticks_us(properties.get("responseTime"))
    found.start_us = requested or iso_us(log.get("time")) or found.start_us
    found.end_us = responded
    duration = number(log.get("durationMs"))
    if found.end_us is None and found.start_us and duration is not None and 0 <= duration < 1e9:
        found.end_us = found.start_us + round(duration * 1000)


def _ticks_us(value: object) -> int | None:
    ticks = integer(value)
    if ticks is None or not _TICKS_AT_EPOCH < ticks < 3 * 10**18:
        return None
    return (ticks - _TICKS_AT_EPOCH) // 10


def _operation(name: object) -> str:
    return "embeddings" if "mbedding" in str(name) else "chat"


def _one(rows: list[Row], key: str) -> object:
    return next((row[key] for row in rows if row.get(key) not in (None, "")), None)


def _spoken(rows: list[Row], key: str) -> str:
    return "".join(row[key] for row in rows if isinstance(row.get(key), str))


def _has_holes(rows: list[Row]) -> bool:
    numbers = [n for row in rows if (n := integer(row.get("SequenceNumber"))) is not None]
    return len(set(numbers)) != len(numbers) or (
        bool(numbers) and numbers[-1] - numbers[0] != len(numbers) - 1
    )


def _asked(said: str) -> tuple[list[Part], list[Message]]:
    return (asked(loaded(said)) if said else None) or ([], [])


def _given(said: str) -> list[Message]:
    if not said:
        return []
    whole = loaded(said)
    return answered(whole) or [Message("assistant", [Part("text", as_text(whole))])]
