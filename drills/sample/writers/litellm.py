"""LiteLLM StandardLoggingPayload, one per line: the gateway's view of messaging and of partners.

The shape is that of release 1.100.5, with its habits: the caller's session id arrives as
``trace_id`` and an unknown model has no entry in the model map.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any

import msgspec

from drills.sample.call import Call, Turn
from drills.sample.company import MODELS
from drills.sample.writers import openai_shapes as shapes
from drills.sample.writers.clock import seconds
from drills.sample.writers.files import Files, week
from drills.sample.writers.ids import request_id

FORMAT = "litellm"
_BASE = "https://llm.larkmoor.example/v1"
_NO_KEY_LIMITS: dict[str, Any] = {
    "user_api_key_spend": None,
    "user_api_key_max_budget": None,
    "user_api_key_budget_reset_at": None,
    "user_api_key_user_spend": None,
    "user_api_key_user_max_budget": None,
    "user_api_key_team_spend": None,
    "user_api_key_team_max_budget": None,
    "user_api_key_org_id": None,
    "user_api_key_org_alias": None,
    "user_api_key_project_id": None,
    "user_api_key_project_alias": None,
    "user_api_key_user_email": None,
    "user_api_key_request_route": "/chat/completions",
    "spend_logs_metadata": None,
    "prompt_management_metadata": None,
    "applied_guardrails": [],
    "mcp_tool_call_metadata": None,
    "vector_store_request_metadata": None,
    "routing_decision": None,
    "requester_custom_headers": None,
    "cold_storage_object_key": None,
    "user_api_key_auth_metadata": None,
}


class LitellmWriter:
    """Writes one payload per line."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, turn: Turn) -> str:
        """Write every call of the turn."""
        path = f"gateway/litellm-{week(turn.start_us)}.ndjson.gz"
        sink = self._files.sink(path, FORMAT)
        for call in turn.calls:
            sink.line(msgspec.json.encode(_payload(turn, call)))
        return path

    def close(self) -> None:
        """Nothing is held back."""


@cache
def _key_hash(alias: str) -> str:
    return sha256(f"sk-{alias}".encode()).hexdigest()


def cost(call: Call) -> tuple[float, float]:
    """Dollars for prompt and answer; nothing when it failed or came from the cache."""
    if call.failure or call.cache_hit:
        return 0.0, 0.0
    price = MODELS[call.model]
    return call.tokens_in * price.input, call.tokens_out * price.output


def _payload(turn: Turn, call: Call) -> dict[str, Any]:
    failure = call.failure
    call_id = request_id(turn, call, "a")
    spent = cost(call)
    state = "failure" if failure else "success"
    first = call.start_us + call.ttft_us if call.ttft_us else call.end_us
    return {
        "id": call.response_id or call_id,
        "litellm_call_id": call_id,
        "trace_id": turn.who.session,
        "session_id": "",
        "call_type": "acompletion",
        "cache_hit": call.cache_hit if call.cache_key or call.stream else None,
        "stream": True if call.stream else None,
        "status": state,
        "status_fields": {"llm_api_status": state, "guardrail_status": "not_run"},
        "custom_llm_provider": call.provider,
        "saved_cache_cost": 0.0,
        "startTime": seconds(call.start_us),
        "endTime": seconds(call.end_us),
        "completionStartTime": seconds(first),
        "response_time": (first - call.start_us) / 1_000_000,
        "model": call.model,
        "metadata": _metadata(turn, call),
        "cache_key": call.cache_key or None,
        "response_cost": spent[0] + spent[1],
        "cost_breakdown": None if failure else _breakdown(spent),
        "total_tokens": call.tokens_in + call.tokens_out if not failure else 0,
        "prompt_tokens": call.tokens_in,
        "completion_tokens": call.tokens_out,
        "request_tags": ["prod", turn.app.name],
        "end_user": turn.who.user or None,
        "api_base": _BASE,
        "model_group": call.model,
        "model_id": f"{call.served or call.model}-eu1",
        "requester_ip_address": turn.who.address,
        "user_agent": turn.who.agent,
        "messages": [shapes.message(msg) for msg in call.messages],
        **_outcome(turn, call, spent),
    }


def _outcome(turn: Turn, call: Call, spent: tuple[float, float]) -> dict[str, Any]:
    failure = call.failure
    return {
        "response": {} if failure else _response(call),
        "model_parameters": _parameters(turn, call),
        "hidden_params": _hidden(call, spent),
        "model_map_information": {"model_map_key": call.served, "model_map_value": None},
        "error_str": f"litellm.{failure.error_class}: {failure.message}" if failure else None,
        "error_information": _error(call),
        "response_cost_failure_debug_info": None,
        "guardrail_information": None,
        "standard_built_in_tools_params": {"web_search_options": None, "file_search": None},
    }


def _metadata(turn: Turn, call: Call) -> dict[str, Any]:
    who = turn.who
    return {
        "user_api_key_hash": _key_hash(who.key),
        "user_api_key_alias": who.key,
        "user_api_key_team_id": who.team,
        "user_api_key_team_alias": who.team,
        "user_api_key_user_id": None,
        "user_api_key_end_user_id": who.user or None,
        **_NO_KEY_LIMITS,
        "requester_ip_address": who.address,
        "user_agent": who.agent,
        "requester_metadata": {
            "channel": turn.app.name,
            "session_id": who.session,
            "model_version": call.version,
        },
        "usage_object": None if call.failure else shapes.usage(call),
    }


def _breakdown(spent: tuple[float, float]) -> dict[str, Any]:
    total = spent[0] + spent[1]
    return {
        "input_cost": spent[0],
        "output_cost": spent[1],
        "total_cost": total,
        "tool_usage_cost": 0.0,
        "service_tier": "default",
        "original_cost": total,
        "discount_percent": 0.0,
        "discount_amount": 0.0,
    }


def _response(call: Call) -> dict[str, Any]:
    body = shapes.completion(call)
    said = body["choices"][0]["message"]
    del said["refusal"]
    said |= {"tool_calls": said.get("tool_calls"), "function_call": None}
    if call.aborted:
        body["choices"][0]["finish_reason"] = None
    return body


def _parameters(turn: Turn, call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {"temperature": call.temperature, **call.extras}
    if turn.who.user:
        found["user"] = turn.who.user
    if call.stream:
        found |= {"stream": True, "stream_options": {"include_usage": True}}
    if call.tools:
        found["tools"] = _definitions(call.tools)
    return found


@cache
def _definitions(names: tuple[str, ...]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode([shapes.tool_definition(name) for name in names]))


def _hidden(call: Call, spent: tuple[float, float]) -> dict[str, Any]:
    return {
        "model_id": f"{call.served or call.model}-eu1",
        "cache_key": call.cache_key or None,
        "api_base": _BASE,
        "response_cost": spent[0] + spent[1],
        "additional_headers": {},
        "litellm_overhead_time_ms": 11.4,
        "litellm_model_name": f"{call.provider}/{call.model}",
        "usage_object": None,
    }


def _error(call: Call) -> dict[str, Any]:
    failure = call.failure
    if failure is None:
        return {
            "error_code": "",
            "error_class": "",
            "llm_provider": "",
            "traceback": "",
            "error_message": "",
        }
    return {
        "error_code": str(failure.status),
        "error_class": failure.error_class,
        "llm_provider": call.provider,
        "traceback": '  File "/app/litellm/main.py", line 700, in acompletion\n    raise e\n',
        "error_message": f"litellm.{failure.error_class}: {failure.message}",
    }
