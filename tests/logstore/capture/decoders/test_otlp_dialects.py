"""What each vocabulary of attributes means, told by small spans made by hand."""

from __future__ import annotations

import json

import pytest
from support.otlp_made import event, read_log, read_span

from logstore.capture.interaction import Message, Part, Subject

ASKED = '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'
SAID = '[{"role":"assistant","parts":[{"type":"text","content":"hello"}],"finish_reason":"stop"}]'
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.input.messages": ASKED,
    "gen_ai.output.messages": SAID,
}


def test_times_are_microseconds_and_never_rounded_up():
    made = read_span(CALL)
    assert (made.start_us, made.end_us) == (1_700_000_000_000_000, 1_700_000_001_500_000)
    assert "no-time" not in made.gaps
    assert "no-time" in read_span(CALL, startTimeUnixNano="0").gaps


@pytest.mark.parametrize("result", ["response", "result"])
def test_parts_of_the_schema_and_of_its_own_example_are_both_read(result):
    conversation = [
        {"role": "user", "parts": [
            {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "aGk="},
            {"type": "uri", "mime_type": "image/png", "uri": "https://x.example/a.png"},
            {"type": "file", "file_id": "file-9"},
        ]},
        {"role": "assistant", "parts": [
            {"type": "reasoning", "content": "hm"},
            {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}},
            {"type": "server_tool_call", "id": "s1", "name": "web",
             "server_tool_call": {"type": "web_search"}},
        ]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", result: {"ok": 1}}]},
        {"role": "user", "parts": [{"type": "hologram", "content": "new kind"}]},
    ]  # fmt: skip
    text = read_span({**CALL, "gen_ai.input.messages": json.dumps(conversation)})
    structured = read_log({**CALL, "gen_ai.input.messages": conversation})
    assert text.input == structured.input == [
        Message("user", [
            Part("blob", "aGk=", mime_type="image/png"),
            Part("uri", "https://x.example/a.png", mime_type="image/png"),
            Part("file", "", id="file-9"),
        ]),
        Message("assistant", [
            Part("reasoning", "hm"),
            Part("tool_call", '{"at":1}', id="c1", name="look"),
            Part("server_tool_call", '{"type":"web_search"}', id="s1", name="web"),
        ]),
        Message("tool", [Part("tool_call_response", '{"ok":1}', id="c1")]),
        Message("user", [Part("hologram", "new kind")]),
    ]  # fmt: skip


def test_bytes_in_a_log_event_equal_base64_on_the_span():
    def asked(content: object) -> list:
        part = {"type": "blob", "mime_type": "image/png", "content": content}
        return [{"role": "user", "parts": [part]}]

    on_log = read_log({**CALL, "gen_ai.input.messages": asked(b"\x89PNG")})
    on_span = read_span({**CALL, "gen_ai.input.messages": json.dumps(asked("iVBORw=="))})
    assert on_log.input == on_span.input


def test_content_that_is_only_pointed_at_is_a_gap_and_its_address_is_kept():
    made = read_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages_ref": "s3://bucket/1_inputs.json",
            "gen_ai.output.messages_ref": "s3://bucket/1_outputs.json",
        }
    )
    assert "content-by-reference" in made.gaps
    assert "content-not-captured" not in made.gaps
    assert made.extra["gen_ai.input.messages_ref"] == "s3://bucket/1_inputs.json"


def test_content_switched_off_at_the_source_is_a_gap():
    bare = {key: value for key, value in CALL.items() if "messages" not in key}
    assert "content-not-captured" in read_span(bare).gaps


def test_message_json_cut_at_an_attribute_limit_is_kept_as_it_is():
    made = read_span({**CALL, "gen_ai.output.messages": SAID[:40]})
    assert made.extra["gen_ai.output.messages"] == SAID[:40]
    assert {"truncated", "output-not-captured"} <= set(made.gaps)


@pytest.mark.parametrize(
    ("fields", "gap"),
    [
        ({"droppedAttributesCount": 2}, "dropped-attributes"),
        ({"droppedEventsCount": 1}, "dropped-events"),
        ({"traceState": "vendor=1,ot=th:c;rv:9"}, "sampled"),
    ],
)
def test_what_the_sdk_says_it_dropped_is_a_gap(fields, gap):
    assert gap in read_span(CALL, **fields).gaps
    assert gap not in read_span(CALL, traceState="ot=th:0").gaps


def test_a_tool_span_is_a_call_and_its_result():
    made = read_span(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "refund",
            "gen_ai.tool.call.id": "c7",
            "gen_ai.tool.call.arguments": '{"amount": 10}',
            "gen_ai.tool.call.result": {"ok": True},
        }
    )
    assert made.tool_names == ["refund"]
    call = Part("tool_call", '{"amount": 10}', id="c7", name="refund")
    done = Part("tool_call_response", '{"ok":true}', id="c7", name="refund")
    assert made.input == [Message("assistant", [call])]
    assert made.output == [Message("tool", [done])]


def test_one_message_per_event_as_it_was_until_1_36():
    asked = read_log(
        {"gen_ai.system": "openai"}, name="gen_ai.user.message", body={"content": "hi"}
    )
    assert asked.operation == "chat"
    assert asked.dialect == "gen_ai_legacy"
    assert asked.input == [Message("user", [Part("text", "hi")])]
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = read_log(
        {"gen_ai.system": "openai", "event.name": "gen_ai.choice"},
        body={"index": 0, "finish_reason": "tool_calls", "message": {"tool_calls": [call]}},
    )
    assert said.output[0].parts == [Part("tool_call", "{}", id="c1", name="look")]
    assert (said.finish_reasons, said.tool_names) == (["tool_calls"], ["look"])
    done = read_log({}, name="gen_ai.tool.message", body={"id": "c1", "content": "seen"})
    assert done.input == [Message("tool", [Part("tool_call_response", "seen", id="c1")])]


def test_span_events_of_older_conventions_give_content_when_nothing_else_does():
    old = {"gen_ai.system": "openai", "gen_ai.request.model": "m", "gen_ai.response.id": "r"}
    events = [
        event("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role":"user","content":"hi"}]'}),
        event("gen_ai.content.completion", {"gen_ai.completion": '[{"content":"hello"}]'}),
    ]
    made = read_span(old, events=events)
    assert made.input == [Message("user", [Part("text", "hi")])]
    assert made.output == [Message("assistant", [Part("text", "hello")])]
    newer = read_span({**CALL, **old}, events=events)
    assert newer.output[0].finish_reason == "stop"


def test_traceloop_0_62_is_gen_ai_with_its_own_odds_and_ends():
    made = read_span(
        {
            **CALL,
            "gen_ai.is_streaming": True,
            "gen_ai.user": "user-1",
            "gen_ai.openai.response.system_fingerprint": "fp_1",
            "gen_ai.usage.reasoning_tokens": 7,
            "gen_ai.usage.total_tokens": 30,
        },
        events=[event("llm.content.completion.chunk", {})] * 3,
    )
    assert made.dialect == "traceloop"
    assert (made.stream, made.ttft_us, made.system_fingerprint) == (True, 250_000, "fp_1")
    assert made.usage == {"reasoning": 7}
    assert made.subjects == [Subject("user-1", "gen_ai.user", "caller")]
    assert made.extra["gen_ai.usage.total_tokens"] == 30
    assert "events" not in made.extra


def test_openinference_anthropic_names_both_models_and_the_callers_user():
    made = read_span(
        {
            "openinference.span.kind": "LLM",
            "llm.request.model_name": "claude-latest",
            "llm.response.model_name": "claude-20250929",
            "llm.model_name": "claude-20250929",
            "llm.invocation_parameters": '{"max_tokens": 9, "metadata": {"user_id": "u9"}}',
            "llm.output_messages.1.message.role": "assistant",
            "llm.output_messages.1.message.contents.1.message_content.type": "text",
            "llm.output_messages.1.message.contents.1.message_content.text": "hello",
        }
    )
    assert (made.request_model, made.response_model) == ("claude-latest", "claude-20250929")
    assert made.subjects == [Subject("u9", "metadata.user_id", "caller")]
    assert made.output == [Message("assistant", [Part("text", "hello")])]
    assert made.params == {"max_tokens": 9}


def test_a_tool_call_that_openinference_states_twice_is_one_call():
    part = "llm.input_messages.0.message."
    call = {
        "tool_call.id": "toolu_1",
        "tool_call.function.name": "look",
        "tool_call.function.arguments": '{"at": 1}',
    }
    inside = {f"{part}contents.0.{key}": value for key, value in call.items()}
    beside = {f"{part}tool_calls.0.{key}": value for key, value in call.items()}
    head = {
        "openinference.span.kind": "LLM",
        part + "role": "assistant",
        part + "contents.0.message_content.type": "tool_use",
    }
    for attributes in (head | inside, head | inside | beside):
        made = read_span(attributes)
        wish = Part("tool_call", '{"at": 1}', id="toolu_1", name="look")
        assert made.input == [Message("assistant", [wish])]


def test_no_model_answered_a_call_that_failed():
    made = read_span(
        {
            "openinference.span.kind": "LLM",
            "llm.request.model_name": "claude-latest",
            "llm.model_name": "claude-latest",
        },
        status={"code": 2},
    )
    assert (made.request_model, made.response_model) == ("claude-latest", None)


def test_litellms_raw_span_of_an_embedding_is_no_chat():
    made = read_span(
        {
            "llm.None.input": "['a sentence']",
            "llm.None.data": "[{'embedding': [0.5], 'index': 0, 'object': 'embedding'}]",
            "llm.None.model": "embedder-1",
            "llm.None.usage": "{'prompt_tokens': 2, 'total_tokens': 2}",
        },
        name="raw_gen_ai_request",
        scope="litellm",
    )
    assert (made.operation, made.provider) == ("embeddings", None)
    assert (made.response_model, made.usage) == ("embedder-1", {"input_tokens": 2})
    assert made.gaps == ["no-request-model", "no-user"]


def test_a_stream_whose_raw_answer_litellm_does_not_have_was_not_aborted():
    asked = {
        "llm.openai.messages": "[{'role': 'user', 'content': 'hi'}]",
        "llm.openai.model": "gpt-x",
        "llm.openai.stream_options": "{'include_usage': True}",
    }
    raw = read_span(
        asked | {"llm.openai.stream": "True", "gen_ai.operation.name": "chat"},
        name="raw_gen_ai_request",
        scope="litellm",
    )
    assert raw.stream
    assert not raw.stream_aborted
    assert (raw.request_model, raw.response_model) == ("gpt-x", None)
    assert {"output-not-captured", "no-finish-reason", "no-usage"} <= set(raw.gaps)


def test_langchain_names_the_answer_in_its_own_result_only():
    said = {"id": "chatcmpl-7", "model_name": "gpt-x-2026", "system_fingerprint": "fp_7"}
    for kind, is_streamed in (("ChatGeneration", None), ("ChatGenerationChunk", True)):
        message = {"kwargs": {"content": "yo", "response_metadata": said}}
        result = {"type": "LLMResult", "generations": [[{"type": kind, "message": message}]]}
        made = read_span(
            {
                "openinference.span.kind": "LLM",
                "llm.model_name": "gpt-x",
                "llm.provider": "openai",
                "output.value": json.dumps(result),
            }
        )
        assert (made.response_id, made.response_model) == ("chatcmpl-7", "gpt-x-2026")
        assert (made.system_fingerprint, made.stream) == ("fp_7", is_streamed)


@pytest.mark.parametrize("generations", [None, [], [[]], [[None]], [["x"]], {"0": 1}])
def test_a_result_of_langchain_without_an_answer_is_no_fault(generations):
    result = {"type": "LLMResult", "generations": generations}
    made = read_span({"openinference.span.kind": "LLM", "output.value": json.dumps(result)})
    assert made.response_id is None


def test_what_litellm_put_in_the_providers_place_is_a_gap():
    made = read_span(
        {
            "gen_ai.operation.name": "acompletion",
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-latest",
            "gen_ai.response.model": "claude-latest",
            "gen_ai.response.id": "chatcmpl-1",
            "llm.is_streaming": "True",
        },
        scope="litellm",
    )
    assert {"response-model-by-gateway", "response-id-by-gateway"} <= set(made.gaps)


def test_openinference_tools_and_retrievers():
    tool = read_span(
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "look",
            "input.value": '{"at": 1}',
            "output.value": "seen",
        }
    )
    assert (tool.operation, tool.tool_names) == ("execute_tool", ["look"])
    assert tool.output[0].parts[0].text == "seen"
    found = read_span(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "how?",
            "retrieval.documents.0.document.id": "doc-1",
            "retrieval.documents.0.document.content": "page one",
            "retrieval.documents.1.document.id": 2,
        }
    )
    assert (found.operation, found.document_ids) == ("retrieval", ["doc-1", "2"])
    assert found.input == [Message("user", [Part("text", "how?")])]
    assert found.output[0].parts[0] == Part("document", "page one", id="doc-1")


def test_mlflow_quotes_everything_once_or_twice():
    request = {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}], "user": "u1"}
    response = {
        "id": "chatcmpl-1",
        "model": "gpt-x-2024",
        "system_fingerprint": "fp_2",
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "yo"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    for quote in (json.dumps, lambda value: json.dumps(json.dumps(value))):
        made = read_span(
            {
                "mlflow.spanType": '"CHAT_MODEL"',
                "mlflow.spanInputs": quote(request),
                "mlflow.spanOutputs": quote(response),
                "mlflow.llm.model": '"gpt-x-2024"',
                "mlflow.trace.user": '"person@example.com"',
                "mlflow.trace.session": '"s1"',
            }
        )
        assert (made.dialect, made.operation) == ("mlflow", "chat")
        assert (made.request_model, made.response_model) == ("gpt-x", "gpt-x-2024")
        assert (made.response_id, made.system_fingerprint) == ("chatcmpl-1", "fp_2")
        assert made.output[0].parts == [Part("text", "yo")]
        assert made.usage == {"input_tokens": 1, "output_tokens": 2}
        assert [subject.id for subject in made.subjects] == ["person@example.com", "u1"]
        assert made.session_id == "s1"
        assert made.gaps == []


def test_mlflow_counts_the_tokens_of_an_embedding():
    answer = {"model": "e-1", "data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3}}
    made = read_span(
        {
            "mlflow.spanType": '"EMBEDDING"',
            "mlflow.spanInputs": '{"model": "e", "input": "a sentence"}',
            "mlflow.spanOutputs": json.dumps(answer),
        }
    )
    assert (made.operation, made.response_model) == ("embeddings", "e-1")
    assert (made.usage, made.output) == ({"input_tokens": 3}, [])


def test_the_more_trusted_dialect_wins_and_the_other_word_is_kept():
    made = read_span(
        {
            **CALL,
            "llm.request.model": "traceloop-says",
            "llm.request.model_name": "openinference-says",
            "gen_ai.request.model": "gen-ai-says",
            "openinference.span.kind": "LLM",
            "gen_ai.completion.0.content": "loser",
        }
    )
    assert made.request_model == "gen-ai-says"
    assert made.extra["llm.request.model"] == "traceloop-says"
    assert made.extra["llm.request.model_name"] == "openinference-says"
    assert made.output == [Message("assistant", [Part("text", "hello")], "stop")]


def test_a_plain_http_span_is_kept_for_who_it_names():
    made = read_span(
        {"http.request.method": "POST", "enduser.id": "u1", "session.id": "s1",
         "client.address": "203.0.113.7"},
        resource={"service.name": "shop", "deployment.environment": "prod"},
        name="POST /chat",
    )  # fmt: skip
    assert (made.operation, made.dialect) == ("span", "")
    assert made.subjects == [Subject("u1", "enduser.id", "sdk")]
    assert (made.session_id, made.client_address) == ("s1", "203.0.113.7")
    assert (made.application, made.environment) == ("shop", "prod")
    assert made.extra["span.name"] == "POST /chat"
    assert made.gaps == []


def test_an_unknown_attribute_is_kept_with_its_shape():
    made = read_span({**CALL, "my.own": {"deep": [1, 2.5, True, None]}})
    assert made.extra["my.own"] == {"deep": [1, 2.5, True, None]}


def test_failures_name_their_class_or_say_nobody_did():
    failed = {"status": {"code": 2, "message": "went wrong"}}
    named = read_span({**CALL, "error.type": "openai.RateLimitError"}, **failed)
    assert (named.error_type, named.error_message) == ("openai.RateLimitError", "went wrong")
    assert "no-response-id" not in named.gaps
    assert read_span(CALL, **failed).error_type == "_OTHER"
    thrown = event("exception", {"exception.type": "ValueError", "exception.message": "bad"})
    raised = read_span(CALL, events=[thrown], **failed)
    assert (raised.error_type, raised.error_message) == ("ValueError", "bad")
    assert raised.extra["status.message"] == "went wrong"


def test_a_retrieval_names_the_documents_it_found():
    made = read_span(
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": "kb-1",
            "gen_ai.retrieval.query.text": "how to reset?",
            "gen_ai.retrieval.documents": '[{"id":"d1","score":0.9},{"id":7},{"score":1}]',
        }
    )
    assert made.input == [Message("user", [Part("text", "how to reset?")])]
    assert (made.dataset_ids, made.document_ids) == (["kb-1"], ["d1", "7"])


def test_traceloop_tools_workflows_and_associations():
    tool = read_span(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "look",
            "traceloop.entity.input": '{"inputs": {"at": 1}}',
            "traceloop.entity.output": '"seen"',
        }
    )
    assert (tool.operation, tool.tool_names) == ("execute_tool", ["look"])
    assert tool.output[0].parts[0].text == '"seen"'
    flow = read_span(
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.input": '{"inputs": {"question": "hi"}}',
            "traceloop.entity.output": '"hello"',
            "traceloop.association.properties.user_id": "u1",
            "traceloop.association.properties.session_id": "s1",
            "traceloop.association.properties.plan": "gold",
        }
    )
    assert flow.operation == "invoke_workflow"
    assert flow.input == [Message("user", [Part("text", '{"inputs":{"question":"hi"}}')])]
    assert flow.output == [Message("assistant", [Part("text", "hello")])]
    assert (flow.subjects[0].id, flow.session_id) == ("u1", "s1")
    assert flow.metadata == {"plan": "gold"}


def test_traceloop_prompts_may_hold_parts_as_json():
    image = {"type": "image_url", "image_url": {"url": "u"}}
    parts = json.dumps([{"type": "text", "text": "what is it?"}, image])
    made = read_span(
        {
            "llm.request.type": "chat",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": parts,
        }
    )
    assert made.input[0].parts == [Part("text", "what is it?"), Part("uri", "u")]


def test_mlflow_tools_and_plain_functions():
    tool = read_span(
        {
            "mlflow.spanType": '"TOOL"',
            "mlflow.spanInputs": '{"at": 1}',
            "mlflow.spanOutputs": '"ok"',
        },
        name="look",
    )
    assert (tool.operation, tool.tool_names) == ("execute_tool", ["look"])
    assert [part.text for part in (tool.input[0].parts[0], tool.output[0].parts[0])] == [
        '{"at":1}', "ok",
    ]  # fmt: skip
    plain = read_span(
        {
            "mlflow.spanType": '"CHAIN"',
            "mlflow.spanInputs": '{"q": "hi"}',
            "mlflow.spanOutputs": "[1]",
        }
    )
    assert plain.input == [Message("user", [Part("text", '{"q":"hi"}')])]
    assert plain.output == [Message("assistant", [Part("text", "1")])]


def test_a_named_speaker_of_a_conversation_is_kept():
    made = read_span({**CALL, "gen_ai.input.messages": ASKED.replace("}]}", '}],"name":"maria"}')})
    assert made.extra["message.names"] == ["maria"]


def test_the_event_of_a_call_may_stand_on_its_span():
    body = {key: value for key, value in CALL.items() if "messages" in key}
    bare = {key: value for key, value in CALL.items() if "messages" not in key}
    made = read_span(bare, events=[event("gen_ai.client.inference.operation.details", body)])
    assert made.input == [Message("user", [Part("text", "hi")])]


def test_other_events_and_links_are_kept():
    made = read_span(
        CALL,
        events=[event("checkpoint", {"at": 1}), event("First Token Stream Event", {"odd": True})],
        links=[{"traceId": "1" * 32, "spanId": "2" * 16, "attributes": []}],
        status={"code": 1, "message": "fine"},
    )
    names = [kept["name"] for kept in made.extra["events"]]
    assert names == ["checkpoint", "First Token Stream Event"]
    assert made.extra["links"] == [{"trace_id": "1" * 32, "span_id": "2" * 16}]
    assert made.extra["status.message"] == "fine"
    assert made.error_type is None


def test_any_other_log_record_is_kept_as_a_log():
    made = read_log({"enduser.id": "u1", "code": 7}, name="login", body="went in",
                    severityText="INFO")  # fmt: skip
    assert (made.operation, made.grade, made.dialect) == ("log", "event", "")
    assert made.extra["body"] == "went in"
    assert (made.extra["event.name"], made.extra["severity"]) == ("login", "INFO")
    assert made.subjects == [Subject("u1", "enduser.id", "sdk")]


def test_precedence_does_not_hang_on_the_order_of_attributes():
    made = read_span({"llm.request.model": "weak", "gen_ai.request.model": "strong"})
    assert made.request_model == "strong"
    assert made.extra["llm.request.model"] == "weak"


def test_a_conversation_may_be_an_object_in_a_request_body():
    body = json.dumps({"model": "m", "input": "hi", "conversation": {"id": "conv_1"}})
    made = read_span({"openinference.span.kind": "LLM", "input.value": body})
    assert made.conversation_id == "conv_1"


def test_the_resource_may_name_a_person_too():
    made = read_span(CALL, resource={"enduser.id": "u1", "service.name": "unknown_service:python"})
    assert made.subjects == [Subject("u1", "enduser.id", "sdk")]
    assert made.application is None
    assert made.extra["resource"] == {"service.name": "unknown_service:python"}
