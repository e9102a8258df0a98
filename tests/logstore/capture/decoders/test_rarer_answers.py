"""What providers say seldom: refusals, guardrails, error events, old fields, odd times."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.captured import calls, said

from logstore.capture.decoders.jsonvalues import as_text, flag, integer, iso_us, number, time_us
from logstore.capture.interaction import Interaction
from logstore.capture.registry import decode
from logstore.errors import FormatError


def read(name: str, **value: Any) -> Interaction:
    return decode(json.dumps(value).encode(), name)


def bedrock(**sides: Any) -> Interaction:
    log = {"schemaType": "ModelInvocationLog", "modelId": "m", **sides}
    return read("bedrock", **log)


def answer(body: Any) -> Interaction:
    return bedrock(output={"outputBodyJson": body})


# -- Anthropic ------------------------------------------------------------------------------------


def test_a_refusal_is_a_verdict() -> None:
    body = {"type": "message", "content": [], "stop_reason": "refusal"}
    assert read("anthropic.pair", request={"model": "c"}, response=body).guardrail_verdicts == [
        "deny:refusal"
    ]


def test_an_error_event_ends_a_stream_without_calling_it_aborted() -> None:
    events = [
        {"type": "message_start", "message": {"id": "m", "model": "c"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "made_up", "x": 1}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
    ]
    found = read("anthropic.pair", request={"model": "c"}, response=events)
    assert (found.error_type, found.error_message) == ("overloaded_error", "busy")
    assert said(found.output) == "ab"
    assert not found.stream_aborted


def test_a_status_alone_is_error_enough() -> None:
    for name in ("anthropic.pair", "openai.pair"):
        found = read(name, request={"model": "c"}, response={}, status=503)
        assert found.error_type == "http_503"


# -- Bedrock --------------------------------------------------------------------------------------


def test_titan_asks_and_answers_in_its_own_words() -> None:
    found = bedrock(
        input={"inputBodyJson": {"inputText": "Hi", "textGenerationConfig": {"topP": 0.5}}},
        output={
            "outputBodyJson": {
                "inputTextTokenCount": 3,
                "results": [{"outputText": "Ho", "tokenCount": 2, "completionReason": "FINISH"}],
            }
        },
    )
    assert (said(found.input), said(found.output)) == ("Hi", "Ho")
    assert found.params == {"top_p": 0.5}
    assert found.usage == {"input_tokens": 3, "output_tokens": 2}
    assert found.finish_reasons == ["FINISH"]


def test_an_unknown_models_bodies_are_kept_as_text() -> None:
    found = bedrock(
        input={"inputBodyJson": {"question": "?"}}, output={"outputBodyJson": {"reply": "!"}}
    )
    assert json.loads(said(found.input)) == {"question": "?"}
    assert "!" in said(found.output)
    assert answer([{"strange": 1}, {"metrics": 2}]).stream_aborted


def test_a_body_that_was_no_json_is_kept_as_it_was_stored() -> None:
    found = read(
        "bedrock", log={"schemaType": "ModelInvocationLog", "modelId": "m"}, input="aGVsbG8="
    )
    assert said(found.input) == "aGVsbG8="


def test_embeddings_on_bedrock_have_no_text_to_show() -> None:
    found = bedrock(modelId="amazon.titan-embed-text-v2:0", output={
        "outputBodyJson": {"embedding": [0.1, 0.2], "inputTextTokenCount": 4}})  # fmt: skip
    assert found.operation == "embeddings"
    assert found.output == []
    assert found.usage == {"input_tokens": 4}


@pytest.mark.parametrize(("body", "verdicts"), [
    ({"amazon-bedrock-guardrailAction": "INTERVENED", "content": []}, ["deny"]),
    ({"amazon-bedrock-guardrailAction": "NONE", "content": []}, ["allow"]),
    ({"output": {"message": {"content": []}}, "stopReason": "guardrail_intervened"}, ["deny"]),
])  # fmt: skip
def test_a_bedrock_guardrail_tells_its_verdict(body: Any, verdicts: list[str]) -> None:
    assert answer(body).guardrail_verdicts == verdicts


def test_a_bedrock_answer_may_be_an_error() -> None:
    found = answer({"error": {"type": "invalid_request_error", "message": "no"}})
    assert (found.error_type, found.error_message) == ("invalid_request_error", "no")


def test_a_converse_stream_keeps_its_reasoning_and_broken_arguments() -> None:
    def delta(index: int, **what: Any) -> dict[str, Any]:
        return {"contentBlockDelta": {"contentBlockIndex": index, "delta": what}}

    found = answer([
        delta(0, reasoningContent={"text": "because"}),
        delta(0, reasoningContent={"signature": "x"}),
        {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolUse": {"name": "pay"}}}},
        delta(1, toolUse={"input": '{"iban":'}),
        {"contentBlockStop": {"contentBlockIndex": 1}},
    ])  # fmt: skip
    assert said(found.output, "reasoning") == "because"
    assert said(found.output, "tool_call") == '{"iban":'
    assert found.stream_aborted


def test_a_plain_stream_brings_the_platforms_own_latency() -> None:
    events = [
        {"generation": "a"},
        {"stop_reason": "stop", "amazon-bedrock-invocationMetrics": {"invocationLatency": 7}},
    ]
    found = bedrock(timestamp="2026-01-01T00:00:00Z", output={"outputBodyJson": events})
    assert found.start_us is not None
    assert found.end_us == found.start_us + 7000


# -- OpenAI ---------------------------------------------------------------------------------------


def test_content_filters_of_answer_and_prompt_are_all_named() -> None:
    response = {
        "choices": [{"content_filter_results": {
            "hate": {"filtered": True}, "violence": {"filtered": False, "severity": "safe"}}}],
        "prompt_filter_results": [{"content_filter_results": {"jailbreak": {"detected": True}}}],
    }  # fmt: skip
    found = read("openai.pair", request={"messages": []}, response=response)
    assert found.guardrail_verdicts == ["deny:hate", "warn:jailbreak"]


def test_old_and_foreign_fields_of_a_chat_stream_are_read() -> None:
    def chunk(**delta: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta}]}

    found = read("openai.pair", request={"messages": []}, response=[
        {"prompt_filter_results": [{"content_filter_results": {"hate": {"detected": True}}}]},
        chunk(reasoning="think"),
        chunk(function_call={"name": "old", "arguments": "{}"}),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "function_call",
                      "content_filter_results": {"violence": {"filtered": True}}}]},
    ])  # fmt: skip
    assert said(found.output, "reasoning") == "think"
    assert calls(found.output) == [(None, "old", {})]
    assert found.guardrail_verdicts == ["deny:violence", "warn:hate"]


def test_a_completions_stream_is_text() -> None:
    chunks = [{"object": "text_completion", "choices": [{"text": word}]} for word in ("a", "b")]
    found = read("openai.pair", path="/v1/completions", request={"prompt": "x"}, response=chunks)
    assert (found.operation, said(found.output)) == ("text_completion", "ab")


def test_a_responses_stream_with_an_error_says_it() -> None:
    events = [
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_item.done", "output_index": 0, "item": {
            "type": "message", "content": [{"type": "output_text", "text": "done"}]}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "more"},
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message"}},
        {"type": "response.made_up.delta", "output_index": 1, "delta": "?"},
        {"no": "type"},
        {"type": "error", "code": "server_error", "message": "sorry"},
    ]  # fmt: skip
    found = read("openai.pair", path="/v1/responses", request={"input": "x"}, response=events)
    assert (found.error_type, found.error_message) == ("server_error", "sorry")
    assert said(found.output) == "donemore"
    assert not found.stream_aborted


def test_an_error_may_be_a_bare_sentence() -> None:
    found = read("openai.pair", request={"messages": []}, response={"error": "model not found"})
    assert (found.error_type, found.error_message) == ("error", "model not found")


# -- others ---------------------------------------------------------------------------------------


def test_litellm_guardrails_embeddings_and_failures_without_a_class() -> None:
    base = {"litellm_call_id": "1", "model": "m", "custom_llm_provider": "cohere"}
    verdicts = [{"guardrail_status": word} for word in ("guardrail_intervened", "success")]
    judged = read("litellm", **base, call_type="acompletion", guardrail_information=[*verdicts, {}])
    assert judged.guardrail_verdicts == ["deny", "allow"]
    vector = {"data": [{"embedding": [1]}], "usage": {"prompt_tokens": 2}}
    embedded = read("litellm", **base, call_type="aembedding", response=vector)
    assert (embedded.operation, embedded.output) == ("embeddings", [])
    assert embedded.gaps.count("response-id-by-gateway") == 0
    failed = read("litellm", **base, call_type="completion", status="failure", error_str="boom")
    assert (failed.error_type, failed.error_message) == ("error", "boom")


def test_litellm_answers_for_others_are_marked_as_far_as_they_are_rewritten() -> None:
    base = {"litellm_call_id": "1", "call_type": "completion", "custom_llm_provider": "anthropic"}
    own = read("litellm", **base, response={"id": "msg_1", "choices": []})
    assert not {"response-id-by-gateway", "finish-reason-by-gateway"} & set(own.gaps)


def test_a_failed_langfuse_generation_tells_its_first_token_and_error() -> None:
    seen = {
        "type": "GENERATION", "level": "ERROR", "statusMessage": "rate limit",
        "startTime": "2026-01-01T00:00:00.000Z", "completionStartTime": "2026-01-01T00:00:00.250Z",
    }  # fmt: skip
    found = read("langfuse", trace={"id": "t"}, observation=seen)
    assert (found.error_type, found.error_message) == ("error", "rate limit")
    assert found.ttft_us == 250_000
    assert found.stream


@pytest.mark.parametrize("name", ["langfuse", "openai.batch", "openai.pair", "apim.llm", "nothing"])
def test_an_empty_object_is_no_interaction(name: str) -> None:
    with pytest.raises(FormatError):
        decode(b"{}", name)


def test_a_response_date_dates_a_pair_that_says_no_time() -> None:
    response = {"status": 200, "headers": {"Date": "Sun, 22 Nov 2026 20:46:57 GMT"}, "body": {}}
    request = {"url": "/v1/messages", "headers": {}, "body": {"model": "c"}}
    found = read("anthropic.pair", request=request, response=response)
    assert found.start_us == 1_795_380_417_000_000
    response["headers"] = {"Date": "some day"}
    assert "no-time" in read("anthropic.pair", request=request, response=response).gaps


def test_times_are_read_in_every_spelling_and_never_guessed() -> None:
    moment = 1_767_225_600_000_000
    assert iso_us("2026-01-01T00:00:00") == moment  # without an offset: UTC
    assert iso_us("2026-01-01T01:00:00+01:00") == moment
    assert iso_us("2026-01-01 00:00:00.000000 UTC") == moment
    assert iso_us("2026-01-01T00:00:00.0000001Z") == moment
    assert time_us(1_767_225_600) == time_us(1_767_225_600_000) == moment
    assert time_us("2026-01-01T00:00:00Z") == moment
    for wrong in ("2026-13-01T00:00:00", "yesterday...", "0001-01-01T00:00:00", None, [], True):
        assert time_us(wrong) is None


def test_numbers_are_numbers_or_nothing() -> None:
    assert [integer(v) for v in (7, 7.0, "7", 7.5, "seven", True, "9" * 30)] == [
        7, 7, 7, None, None, None, None,
    ]  # fmt: skip
    assert [number(v) for v in (1, 1.5, 10**400, "1", True)] == [1.0, 1.5, None, None, None]
    assert [flag(v) for v in (True, "false", "True", "maybe", 1)] == [
        True, False, True, None, None,
    ]  # fmt: skip
    assert [as_text(v) for v in ("x", None, {"a": [1]}, object())] == ["x", "", '{"a":[1]}', ""]
