"""Request/response pairs: every accepted layout, every kind of stream, broken and whole."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.captured import calls, pieces_in, said

from logstore.capture.decoders import aircon_jsonl
from logstore.capture.interaction import Interaction, Message, Part, Subject
from logstore.capture.items import Item
from logstore.capture.registry import decode
from logstore.errors import FormatError

ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "user": "u-1"}
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}
CHUNKS: list[dict[str, Any]] = [
    {"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hel"}}]},
    {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": "lo"}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
]


def sse(events: list[dict[str, Any]], *, done: bool = True) -> str:
    lines = "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events)
    return lines + ("data: [DONE]\n\n" if done else "")


def read(pair: dict[str, Any]) -> Interaction:
    (piece,) = pieces_in(json.dumps(pair).encode() + b"\n")
    assert isinstance(piece, Item), piece
    return decode(piece.raw, piece.format)


@pytest.mark.parametrize("layout", [
    {"request": ASKED, "response": ANSWER},
    {"method": "POST", "path": "/v1/chat/completions", "status": 200,
     "request": ASKED, "response": ANSWER},
    {"request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions",
                 "headers": {}, "body": ASKED},
     "response": {"status_code": 200, "headers": {}, "body": ANSWER}},
    {"request": {"url": "https://x/v1/chat/completions", "body": json.dumps(ASKED)},
     "response": {"status": 200, "body": json.dumps(ANSWER)}},
])  # fmt: skip
def test_one_call_reads_the_same_in_every_layout(layout: dict[str, Any]) -> None:
    found = read(layout)
    assert (found.format, found.provider) == ("openai.pair", "openai")
    assert (said(found.input), said(found.output)) == ("Hi", "Hello")
    assert found.response_id == "chatcmpl-1"
    assert [s.id for s in found.subjects] == ["u-1"]
    assert found.usage == {"input_tokens": 1, "output_tokens": 2}


@pytest.mark.parametrize("body", [
    sse(CHUNKS),
    CHUNKS,
    [{"event": None, "data": chunk} for chunk in CHUNKS],
    [{"data": json.dumps(chunk)} for chunk in CHUNKS],
])  # fmt: skip
def test_a_chat_stream_is_whole_again_however_it_was_kept(body: object) -> None:
    found = read({"request": {**ASKED, "stream": True}, "response": body})
    assert said(found.output) == "Hello"
    assert found.finish_reasons == ["stop"]
    assert found.stream
    assert not found.stream_aborted


def test_a_chat_stream_without_its_end_was_aborted() -> None:
    found = read({"request": ASKED, "response": sse(CHUNKS[:2], done=False)})
    assert said(found.output) == "Hello"
    assert found.stream_aborted


def test_a_client_that_left_is_believed() -> None:
    assert read({"request": ASKED, "response": ANSWER, "aborted": True}).stream_aborted


def test_streamed_tool_calls_keep_their_order_and_arguments() -> None:
    def delta(index: int, **function: str) -> dict[str, Any]:
        call = {"index": index, "id": f"c{index}", "function": function}
        return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    chunks = [
        delta(0, name="find", arguments='{"a":'),
        delta(1, name="send", arguments="{"),
        delta(0, arguments="1}"),
        delta(1, arguments="}"),
        CHUNKS[2],
    ]
    found = read({"request": ASKED, "response": chunks})
    assert calls(found.output) == [("c0", "find", {"a": 1}), ("c1", "send", {})]
    assert found.tool_names == ["find", "send"]


def test_a_responses_stream_that_broke_keeps_its_deltas() -> None:
    events = [
        {"type": "response.created", "response": {"id": "resp_1", "model": "m", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "half an "},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "answer"},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"x":'},
    ]
    found = read({"path": "/v1/responses", "request": {"input": "Hi"}, "response": events})
    assert said(found.output) == "half an answer"
    assert said(found.output, "tool_call") == '{"x":'
    assert found.stream_aborted
    assert found.response_id == "resp_1"


def test_an_anthropic_stream_that_broke_in_its_arguments_keeps_them() -> None:
    events = [
        {"type": "message_start", "message": {"id": "msg_1", "model": "claude", "usage": {
            "input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {
            "type": "tool_use", "id": "t", "name": "pay", "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {
            "type": "input_json_delta", "partial_json": '{"iban": "DE'}},
    ]  # fmt: skip
    found = read({"request": {"model": "claude-x", "messages": []}, "response": events})
    assert found.format == "anthropic.pair"
    assert said(found.output, "tool_call") == '{"iban": "DE'
    assert found.stream_aborted
    assert found.usage == {"input_tokens": 13, "cache_read": 7, "cache_write": 1}


def test_cached_anthropic_tokens_count_as_input() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}
    answer = {"type": "message", "id": "m", "model": "c", "content": [], "usage": usage}
    found = read({"request": {"model": "claude"}, "response": answer})
    assert found.usage["input_tokens"] == 105


def test_what_stands_around_the_bodies_is_taken() -> None:
    found = read({
        "request": ASKED, "response": ANSWER, "timestamp": "2026-11-01T10:00:00Z",
        "duration_ms": 1500, "application": "support", "environment": "prod",
        "session_id": "s-1", "conversation_id": "c-1", "pod": "web-7",
        "response_headers": {"OpenAI-Organization": "org-1", "X-Request-Id": "req_1"},
    })  # fmt: skip
    assert found.start_us is not None
    assert found.end_us == found.start_us + 1_500_000
    assert (found.application, found.environment) == ("support", "prod")
    assert (found.session_id, found.conversation_id) == ("s-1", "c-1")
    assert found.actor == "org-1"
    assert found.extra["pod"] == "web-7"
    assert found.extra["http.x-request-id"] == "req_1"


def test_azure_is_told_by_its_host() -> None:
    url = "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"
    assert read({"url": url, "request": ASKED, "response": ANSWER}).provider == "azure.ai.openai"


def test_a_lone_surrogate_does_not_cost_the_record() -> None:
    raw = rb'{"request":{"messages":[{"role":"user","content":"cut \ud83d"}]},"response":{}}'
    assert said(decode(raw, "openai.pair").input) == "cut \ufffd"
    paired = raw.replace(rb"\ud83d", rb"\\ud83d \ud83d\ude00")
    assert said(decode(paired, "openai.pair").input) == "cut \\ud83d \U0001f600"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
parts = st.builds(
    Part, type=st.sampled_from(["text", "tool_call", "made-up"]), text=texts, id=texts
)
messages = st.builds(Message, role=texts, parts=st.lists(parts, max_size=3))
interactions = st.builds(
    Interaction,
    format=st.sampled_from(["litellm", "otlp.span", "aircon"]),
    dialect=st.sampled_from(["", "gen_ai"]),
    request_model=st.none() | texts,
    start_us=st.none() | st.integers(1, 2**52),
    subjects=st.lists(
        st.builds(Subject, id=texts, field=texts, assurance=st.just("sdk")), max_size=2
    ),
    input=st.lists(messages, max_size=3),
    usage=st.dictionaries(texts, st.integers(0, 2**53), max_size=3),
    params=st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    extra=st.dictionaries(texts, texts | st.booleans(), max_size=3),
)


@given(interactions)
@settings(max_examples=60)
def test_our_own_lines_read_back_what_was_written(first: Interaction) -> None:
    line = aircon_jsonl.encode(first)
    again = aircon_jsonl.decode(line)
    assert (again.format, again.grade) == ("aircon", "export")
    assert set(first.gaps) <= set(again.gaps)
    same = msgspec.structs.replace(again, format=first.format, dialect=first.dialect,
                                   grade=first.grade, gaps=first.gaps)  # fmt: skip
    assert same == first
    assert aircon_jsonl.decode(aircon_jsonl.encode(again)) == again


@pytest.mark.parametrize("line", [
    b'{"aircon":2,"format":"x"}',
    b'{"format":"x"}',
    b'{"aircon":1,"colour":"red"}',
    b'{"aircon":1,"usage":{"input_tokens":"many"}}',
    b'{"aircon":1,"subjects":[{"id":"u"}]}',
    b'{"aircon":1,"start_us":9223372036854775808}',
    b'{"aircon":1,"end_us":-1}',
    b"[1]",
])  # fmt: skip
def test_a_wrong_line_of_ours_is_refused_whole(line: bytes) -> None:
    with pytest.raises(FormatError):
        aircon_jsonl.decode(line)


def test_what_only_the_callers_side_saw_is_read() -> None:
    found = decode(
        json.dumps(
            {
                "path": "/v1/chat/completions",
                "request": {"model": "gpt-5", "stream": True, "messages": []},
                "response": 'data: {"choices":[{"delta":{"content":"He"}}]}\n\n',
                "start_time": 1795380415.366686,
                "first_chunk_ms": 12.5,
                "application": "support",
                "application_version": "1.2",
                "aborted": True,
                "truncated": True,
                "error_type": "ReadTimeout",
                "error_message": "timed out",
            }
        ).encode(),
        "openai.pair",
    )
    assert (found.ttft_us, found.start_us) == (12_500, 1795380415366686)
    assert (found.application, found.application_version) == ("support", "1.2")
    assert (found.error_type, found.error_message) == ("ReadTimeout", "timed out")
    assert "truncated" in found.gaps
    assert found.stream_aborted
    assert found.extra == {}


def test_a_call_without_a_readable_answer_is_still_a_call() -> None:
    found = decode(
        b'{"url":"https://h/v1/embeddings","request":{},"error_type":"X"}', "openai.pair"
    )
    assert found.error_type == "X"
    with pytest.raises(FormatError):
        decode(b'{"url":"https://h/v1/embeddings","request":{}}', "openai.pair")


def test_a_streams_text_may_hold_line_separators_and_half_characters() -> None:
    chunks = ['"a\u2028b\x85"', '"\\ud83d"', '"c"']
    body = "".join(f'data: {{"choices":[{{"delta":{{"content":{c}}}}}]}}\r\n\r\n' for c in chunks)
    raw = json.dumps({"request": {"model": "gpt-5"}, "response": body}, ensure_ascii=False)
    found = decode(raw.encode(), "openai.pair")
    assert found.output[0].parts[0].text == "a\u2028b\x85\ufffdc"
