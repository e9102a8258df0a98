"""MLflow traces over OTLP: mlflow.spanInputs and spanOutputs; every value is quoted as JSON."""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.otlp_bodies import (
    answer,
    offer_asked,
    read_request,
    read_response,
    read_usage,
)
from logstore.capture.decoders.otlp_found import Dialect, Found, Rule, json_text, unquoted
from logstore.capture.decoders.otlp_operations import traced_type

_RESPONSE = frozenset({"choices", "output", "content", "candidates", "usage"})


def unwrapped(value: object) -> object:
    """The value inside MLflow's quoting: JSON text once over OTLP, twice in its exports."""
    return jsonvalues.loaded(jsonvalues.loaded(value))


def _finish(found: Found, rank: int) -> None:
    usage = unwrapped(found.take("mlflow.chat.tokenUsage"))
    if isinstance(usage, dict):
        read_usage(found, usage, rank)
    tools = unwrapped(found.take("mlflow.chat.tools"))
    found.offer("tool_definitions", json_text(tools), rank)
    asked, said = found.take("mlflow.spanInputs"), found.take("mlflow.spanOutputs")
    if found.facts.get("operation") == "execute_tool":
        found.offer("tool_name", found.name, rank)
        found.offer("tool_arguments", json_text(unwrapped(asked)), rank)
        found.offer("tool_result", json_text(unwrapped(said)), rank)
        return
    _asked(found, asked, rank)
    _answered(found, said, rank)


def _asked(found: Found, asked: object, rank: int) -> None:
    body = unwrapped(asked)
    if isinstance(body, dict) and body.keys() & {"messages", "input", "prompt", "contents"}:
        read_request(found, body, rank, "mlflow.spanInputs")
    elif body is not None:
        # A traced function's own arguments, of whatever shape: one text.
        offer_asked(found, json_text(body), rank, "mlflow.spanInputs")


def _answered(found: Found, said: object, rank: int) -> None:
    body = unwrapped(said)
    if isinstance(body, dict) and body.keys() & _RESPONSE:
        read_response(found, body, rank, "mlflow.spanOutputs")
    elif body is not None:
        found.offer_content("output", json_text(body), answer, rank, "mlflow.spanOutputs")


DIALECT = Dialect(
    name="mlflow",
    rules={
        "mlflow.spanType": Rule("operation", traced_type),
        "mlflow.llm.model": Rule("response_model", unquoted),
        "mlflow.llm.provider": Rule("provider", unquoted),
        "mlflow.message.format": Rule("provider", unquoted),
    },
    finish=_finish,
)
