"""What recorded calls really said must come out of their raw pairs and of LiteLLM's log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.captured import calls, interactions_of, said, truth

from logstore.capture.interaction import Interaction
from logstore.capture.registry import decode

REWRITTEN_BY_LITELLM = {
    ("002", "response model"): "response-model-by-gateway",
    ("005", "response id"): "response-id-by-gateway",
    ("005", "finish reason"): "finish-reason-by-gateway",
}


def facts_told(call: dict[str, Any], found: Interaction) -> dict[str, bool]:
    """Every fact the ground truth states about a call, and whether it came out."""
    facts = {
        "request model": found.request_model == call["request_model"],
        "input": all(_flat(m["text"] or "") in _flat_all(found) for m in call["input"]),
        "system": all(text in said_system(found) for text in call["system"]),
    }
    if call["response_id"]:
        facts["response id"] = found.response_id == call["response_id"]
    if call["response_model"]:
        facts["response model"] = found.response_model == call["response_model"]
    if call["system_fingerprint"]:
        facts["fingerprint"] = found.system_fingerprint == call["system_fingerprint"]
    if call["output_text"]:
        facts["output"] = said(found.output[:1]) == call["output_text"]
    if call["tool_calls"]:
        wanted = [(c["id"], c["name"], json.loads(c["arguments"])) for c in call["tool_calls"]]
        facts["tool calls"] = calls(found.output) == wanted
        facts["tool names"] = found.tool_names == [c["name"] for c in call["tool_calls"]]
    if call["finish_reason"]:
        facts["finish reason"] = call["finish_reason"] in found.finish_reasons
    if call["usage"]:
        usage = call["usage"]
        facts["tokens in"] = found.usage["input_tokens"] == usage.get(
            "prompt_tokens", usage.get("input_tokens")
        )
        if "completion_tokens" in usage or "output_tokens" in usage:
            facts["tokens out"] = found.usage["output_tokens"] == usage.get(
                "completion_tokens", usage.get("output_tokens")
            )
    if call["error"]:
        facts["error"] = found.error_type is not None and found.error_message is not None
    return facts


def facts_about_people(call: dict[str, Any], found: Interaction) -> dict[str, bool]:
    subjects = {subject.id for subject in found.subjects}
    facts = {name: call[name] in subjects for name in ("user", "safety_identifier") if call[name]}
    if (call["metadata"] or {}).get("session"):
        facts["session"] = found.session_id == call["metadata"]["session"]
    if call["conversation"]:
        facts["conversation"] = found.conversation_id == call["conversation"]
    if not facts and "user" not in (call["metadata"] or {}):
        facts["gap"] = "no-user" in found.gaps
    return facts


def said_system(found: Interaction) -> str:
    return "\n".join(part.text for part in found.system)


def _flat(text: str) -> str:
    return "".join(text.split())


def _flat_all(found: Interaction) -> str:
    return _flat("".join(p.text for m in found.input for p in m.parts))


def check(told: list[tuple[str, dict[str, bool]]]) -> int:
    lost = [f"{name}: {fact}" for name, facts in told for fact, ok in facts.items() if not ok]
    assert lost == []
    return sum(len(facts) for _, facts in told)


@pytest.mark.parametrize(("run", "calls_in_run", "least"), [
    ("anthropic-sdk-native", 7, 65),
    ("otel-genai-openai-1.3b0", 13, 125),
])  # fmt: skip
def test_everything_a_recorded_pair_carries_comes_out(
    shared_data: Path, run: str, calls_in_run: int, least: int
) -> None:
    told = []
    for call in truth(shared_data, run):
        found = interactions_of(shared_data / "capture/raw_http" / run / call["file"])
        assert len(found) == 1
        told.append((call["file"], facts_told(call, found[0]) | facts_about_people(call, found[0])))
        assert found[0].http_status == call["status"]
        assert found[0].stream == call["stream"]
    assert len(told) == calls_in_run
    assert check(told) >= least


@pytest.mark.parametrize("name", [
    "002_litellm_generic_ndjson.json",
    "003_litellm_generic_json_array.json",
    "standard_logging_payloads.json",
])  # fmt: skip
def test_litellm_tells_all_five_calls_in_every_layout(shared_data: Path, name: str) -> None:
    """Three facts never reach LiteLLM's log; each is named in the gaps instead."""
    calls_made = truth(shared_data, "litellm-1.100.5")
    found = interactions_of(shared_data / "capture/litellm-1.100.5" / name)
    assert len(found) == len(calls_made) == 5
    told = []
    for call, one in zip(_by_prompt_and_id(calls_made), _by_id(found), strict=True):
        facts = facts_told(call, one)
        for (number, fact), gap in REWRITTEN_BY_LITELLM.items():
            if f"-{number}_" in call["file"]:
                assert not facts.pop(fact)
                assert gap in one.gaps
        told.append((call["file"], facts))
        assert "user-4711" in {subject.id for subject in one.subjects}
        assert one.actor == "support-bot"
        assert one.client_address == "203.0.113.7"
        assert one.session_id == "sess-001"
        assert one.start_us is not None
        assert one.end_us is not None
        assert one.end_us > one.start_us
    assert check(told) >= 34


def _by_prompt_and_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["response_id"] or "")


def _by_id(found: list[Interaction]) -> list[Interaction]:
    """In the order of the true ids: the failed call, the OpenAI ones, the one from Anthropic."""
    return sorted(
        found,
        key=lambda one: (
            one.error_type is None,
            one.provider == "anthropic",
            one.response_id or "",
        ),
    )


def test_litellm_single_payloads_are_the_same_calls(shared_data: Path) -> None:
    folder = shared_data / "capture/litellm-1.100.5"
    single = [interactions_of(path)[0] for path in sorted(folder.glob("*_single.json"))]
    whole = interactions_of(folder / "002_litellm_generic_ndjson.json")
    assert {one.response_id for one in single} == {one.response_id for one in whole}


def test_litellm_content_that_was_withheld_is_a_gap() -> None:
    def gaps(**members: object) -> list[str]:
        log = {"call_type": "completion", "litellm_call_id": "1", "metadata": {}, **members}
        return decode(json.dumps(log).encode(), "litellm").gaps

    redacted = [{"role": "user", "content": "redacted-by-litellm"}]
    assert "content-redacted" in gaps(messages=redacted)
    assert "content-by-reference" in gaps(metadata={"cold_storage_object_key": "s3://x"})
    assert "content-redacted" not in gaps(messages=[{"role": "user", "content": "hi"}])


def test_a_rate_limited_litellm_call_keeps_its_class_and_status(shared_data: Path) -> None:
    found = interactions_of(shared_data / "capture/litellm-1.100.5/006_litellm_generic_single.json")
    assert found[0].error_type == "RateLimitError"
    assert found[0].http_status == 429
    assert "Rate limit reached" in (found[0].error_message or "")


def test_a_content_filter_names_what_it_denied(shared_data: Path) -> None:
    path = "otel-genai-openai-1.3b0/otel-genai-openai-1.3b0-008_v1_chat_completions.json"
    found = interactions_of(shared_data / "capture/raw_http" / path)[0]
    assert found.error_type == "content_filter"
    assert found.guardrail_verdicts == ["deny:jailbreak"]


def test_a_recorded_traceparent_joins_the_pair_to_its_span(shared_data: Path) -> None:
    path = "anthropic-sdk-native/anthropic-sdk-native-001_v1_messages.json"
    found = interactions_of(shared_data / "capture/raw_http" / path)[0]
    assert found.trace_id == "012321ffd61e401fc8ee80902e0064df"
    assert found.span_id == "cfa8e7e654261354"
