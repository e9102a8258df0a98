"""Langfuse's own attributes (SDK 5), sent to /api/public/otel/v1/traces.

Langfuse loses the requested model, the response id and the fingerprint of every call; the model it
names is the one that answered, or on an error the one that was asked.
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.otlp_bodies import answer, offer_asked, read_params, read_usage
from logstore.capture.decoders.otlp_found import Dialect, Found, Rule, json_text, text, texts
from logstore.capture.decoders.otlp_operations import operation

_OBSERVATION = "langfuse.observation."
_METADATA = ("langfuse.observation.metadata.", "langfuse.trace.metadata.")


def _finish(found: Found, rank: int) -> None:
    if found.take(_OBSERVATION + "level") == "ERROR":
        found.offer("request_model", found.facts.pop("response_model", None), rank)
        found.offer("failed", True, rank)
    usage = jsonvalues.loaded(found.take(_OBSERVATION + "usage_details"))
    if isinstance(usage, dict):
        read_usage(found, usage, rank)
    costs = jsonvalues.loaded(found.take(_OBSERVATION + "cost_details"))
    if isinstance(costs, dict):
        found.offer("cost_usd", jsonvalues.number(costs.get("total")), rank)
    params = jsonvalues.loaded(found.take(_OBSERVATION + "model.parameters"))
    if isinstance(params, dict):
        rest = dict(params)
        read_params(found, rest, rank)
        found.keep(_OBSERVATION + "model.parameters", rest)
    _first_token(found, rank)
    _metadata(found, rank)
    _content(found, rank)


def _first_token(found: Found, rank: int) -> None:
    moment = found.take(_OBSERVATION + "completion_start_time")
    first_us = jsonvalues.iso_us(jsonvalues.loaded(moment))
    if first_us is not None:
        found.offer("stream", True, rank)
        found.offer("ttft_us", max(first_us - found.start_ns // 1000, 0), rank)


def _metadata(found: Found, rank: int) -> None:
    for key in [key for key in found.extra if key.startswith(_METADATA)]:
        prefix = next(prefix for prefix in _METADATA if key.startswith(prefix))
        value = jsonvalues.loaded(found.take(key))
        if key == _OBSERVATION + "metadata.finish_reason":
            found.offer("finish_reasons", texts(value), rank)
        else:
            found.metadata[key.removeprefix(prefix)] = value


def _content(found: Found, rank: int) -> None:
    asked, said = found.take(_OBSERVATION + "input"), found.take(_OBSERVATION + "output")
    if found.facts.get("operation") == "execute_tool":
        found.offer("tool_name", found.name, rank)
        found.offer("tool_arguments", json_text(asked), rank)
        found.offer("tool_result", json_text(said), rank)
        return
    if asked is not None:
        body = jsonvalues.loaded(asked)
        if isinstance(body, dict) and body.get("tools"):
            found.offer("tool_definitions", json_text(body["tools"]), rank)
        offer_asked(found, asked, rank, _OBSERVATION + "input")
    if said is not None:
        found.offer_content("output", said, answer, rank, _OBSERVATION + "output")


DIALECT = Dialect(
    name="langfuse",
    rules={
        _OBSERVATION + "type": Rule("operation", operation),
        _OBSERVATION + "model.name": Rule("response_model", text),
        _OBSERVATION + "status_message": Rule("error_message", text),
        _OBSERVATION + "prompt.name": Rule("prompt_name", text),
        _OBSERVATION + "prompt.version": Rule("prompt_version", json_text),
        "langfuse.environment": Rule("environment", text),
        "langfuse.release": Rule("application_version", text),
    },
    finish=_finish,
)
