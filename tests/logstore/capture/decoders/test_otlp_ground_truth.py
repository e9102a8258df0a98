"""Real clients were recorded beside a server that knew the truth of every call.

For each recorded call: a fact that the source's own bytes carry must come out of the decoder, and
a fact that the source lost must be named in `gaps`. Every copy of a call (native span, instrumentor
span, log event) is judged by itself, by its own bytes.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.otlp_runs import Heard, carries, decoder, hear, payload, split, strings, truths

from logstore.capture.decoders.otlp_identity import TraceIdentities
from logstore.capture.decoders.otlp_operations import MODEL_CALLS
from logstore.capture.decoders.otlp_wire import signal
from logstore.capture.interaction import Interaction, Subject

OPENAI = "otel-genai-openai-1.3b0"
ANTHROPIC = "otel-genai-anthropic-1.3b0-plus-native"
TRACELOOP = "traceloop-openai-0.47.5-legacy"

# run, its files, calls found in it, judged copies, facts that came out, facts named as gaps
RUNS = [
    (OPENAI, ["002_v1_traces.pb"], (13, 13, 77, 8)),
    (OPENAI, ["001_v1_logs.pb", "003_v1_logs.pb"], (12, 12, 74, 7)),
    (OPENAI + "-otlpjson", ["002_v1_traces.json"], (13, 13, 77, 8)),
    (OPENAI + "-otlpjson", ["001_v1_logs.json", "003_v1_logs.json"], (12, 12, 74, 7)),
    (OPENAI + "-otlpjson", ["file-exporter-traces.jsonl"], (13, 13, 77, 8)),
    (OPENAI + "-otlpjson", ["file-exporter-logs.jsonl"], (12, 12, 74, 7)),
    (ANTHROPIC, ["002_v1_traces.pb"], (7, 14, 87, 3)),
    (ANTHROPIC, ["001_v1_logs.pb", "003_v1_logs.pb"], (7, 7, 44, 1)),
    ("anthropic-sdk-native", ["001_v1_traces.pb"], (7, 7, 43, 2)),
    ("openinference-openai", ["001_v1_traces.pb"], (13, 13, 85, 0)),
    (TRACELOOP, ["001_v1_traces.pb"], (12, 12, 72, 6)),
    ("langfuse-5.0.4", ["001_api_public_otel_v1_traces.pb.gz"], (5, 5, 24, 11)),
    ("litellm-1.100.5", ["008_v1_traces.pb"], (2, 3, 19, 2)),
]

LOST = {
    "response_id": {"no-response-id"},
    "request_model": {"no-request-model"},
    "response_model": {"no-response-model"},
    "system_fingerprint": {"no-system-fingerprint"},
    "user": {"no-user"},
    "safety_identifier": {"no-user"},
    "metadata.user_id": {"no-user"},
    "usage": {"no-usage"},
    "output_text": {"output-not-captured", "content-not-captured"},
    "tool_call": {"output-not-captured", "content-not-captured"},
    "input": {"input-not-captured", "content-not-captured"},
    "system": {"content-not-captured"},
    "finish_reason": {"no-finish-reason"},
    "error": set(),
}
"""The gaps that own up to a lost fact."""


def copies(calls: list[dict], heard: list[Heard]) -> list[tuple[dict, list[Heard]]]:
    """Each true call with every item that records it: by response id, or else by model in order."""
    calls_heard = [one for one in heard if one.made.operation in MODEL_CALLS]
    calls_heard.sort(key=lambda one: one.made.start_us or 0)
    by_id: dict[str, list[Heard]] = {}
    for one in calls_heard:
        by_id.setdefault(one.made.response_id or "", []).append(one)
    nameless = by_id.pop("", [])
    found = []
    for call in calls:
        if call["response_id"] in by_id:
            found.append((call, by_id[call["response_id"]]))
            continue
        same = [one for one in nameless if is_like(call, one)]
        if same:
            each = [one for one in same if key(one) == key(same[0])]
            first = {one.item.format + str(one.made.extra["scope"]): one for one in reversed(each)}
            found.append((call, list(first.values())))
            nameless = [one for one in nameless if one not in found[-1][1]]
    return found


def key(one: Heard) -> tuple:
    return (one.made.request_model, one.made.response_model, one.made.error_type is None)


def is_like(call: dict, one: Heard) -> bool:
    made = one.made
    if (made.error_type is not None) != (call["error"] is not None):
        return False
    if made.response_model is not None and call["response_model"] is not None:
        return made.response_model == call["response_model"]
    return made.request_model == call["request_model"]


def facts(call: dict, one: Heard) -> list[tuple[str, bool, bool]]:
    """(fact, the source's bytes carry it, it came out) for each fact of one call and copy."""
    made, texts = one.made, strings(one.item)
    ids = {subject.id for subject in made.subjects}
    said = "\n".join(part.text for message in made.output for part in message.parts)
    asked = "\n".join(part.text for message in made.input for part in message.parts)
    told = "\n".join(part.text for part in made.system)
    checks: list[tuple[str, bool, bool]] = []

    def check(name: str, fact: str | None, *, out: bool) -> None:
        if fact:
            checks.append((name, carries(texts, fact), out))

    for name in ("request_model", "response_model", "response_id", "system_fingerprint"):
        check(name, call[name], out=getattr(made, name) == call[name])
    check("user", call["user"], out=call["user"] in ids)
    check("safety_identifier", call["safety_identifier"], out=call["safety_identifier"] in ids)
    answer = (call["output_text"] or "").strip()
    check("output_text", answer, out=answer in said)
    for text in call["system"]:
        check("system", text, out=text in told)
    for message in call["input"]:
        question = (message["text"] or "").strip()
        check("input", question, out=question in asked)
    check("input", call.get("embedding_input"), out=str(call.get("embedding_input")) in asked)
    for tool in call["tool_calls"]:
        calls = [
            (part.name, json.loads(part.text))
            for message in made.output
            for part in message.parts
            if part.type == "tool_call"
        ]
        came = (tool["name"], json.loads(tool["arguments"])) in calls
        check("tool_call", tool["name"], out=came and tool["name"] in made.tool_names)
    if call["error"] is not None:
        checks.append(("error", True, made.error_type is not None))
    if call["usage"]:
        told_usage = bool(made.usage)
        checks.append(("usage", told_usage, told_usage and same_usage(call["usage"], made.usage)))
    return checks


def same_usage(truth: dict, usage: dict[str, int]) -> bool:
    asked = truth.get("prompt_tokens", truth.get("input_tokens"))
    said = truth.get("completion_tokens", truth.get("output_tokens"))
    return usage["input_tokens"] == asked and usage.get("output_tokens") == said


@pytest.mark.parametrize(("run", "files", "expected"), RUNS)
def test_what_the_source_carries_comes_out_and_what_it_lost_is_a_gap(
    shared_data, run, files, expected
):
    heard = hear(*(shared_data / "capture" / run / name for name in files))
    matched = copies(truths(shared_data, run), heard)
    count: Counter[str] = Counter()
    for call, recorded in matched:
        for one in recorded:
            count["judged"] += 1
            for name, carried, out in facts(call, one):
                label = f"{one.item.where} {name} of {call['file']}"
                if carried:
                    assert out, f"{label}: carried by the source, not decoded"
                    count["out"] += 1
                elif name == "safety_identifier" and one.made.subjects:
                    continue  # nobody can know that the caller had a second name for the person
                else:
                    assert LOST[name] & set(one.made.gaps), f"{label}: lost, gaps {one.made.gaps}"
                    count["lost"] += 1
    assert (len(matched), count["judged"], count["out"], count["lost"]) == expected


@pytest.mark.parametrize(
    ("run", "files", "calls"),
    [
        (OPENAI, ["002_v1_traces.pb", "001_v1_logs.pb", "003_v1_logs.pb"], 27),
        (OPENAI + "-otlpjson", ["002_v1_traces.json", "001_v1_logs.json", "003_v1_logs.json"], 27),
        (ANTHROPIC, ["002_v1_traces.pb", "001_v1_logs.pb", "003_v1_logs.pb"], 21),
        ("anthropic-sdk-native", ["001_v1_traces.pb"], 7),
        (TRACELOOP, ["001_v1_traces.pb"], 13),
    ],
)
def test_every_call_is_joined_to_the_person_the_request_span_named(shared_data, run, files, calls):
    known = TraceIdentities()
    joined = [
        item
        for name in files
        for item in split(payload(shared_data / "capture" / run / name), known)
        if decoder(item)(item.raw).operation in MODEL_CALLS
    ]
    assert len(joined) == calls
    for item in joined:
        assert item.context is not None, item.where
        assert [subject.id for subject in item.context.subjects] == ["user-4711"]
        assert item.context.subjects[0].field == "enduser.id"
        assert item.context.session == "sess-001"


def test_log_events_alone_have_nobody_to_be_joined_to(shared_data):
    heard = hear(shared_data / "capture" / OPENAI / "001_v1_logs.pb")
    assert [one.item.context for one in heard] == [None] * 8
    assert all("no-user" in one.made.gaps for one in heard)


def test_log_event_and_span_of_one_call_agree_on_everything_said(shared_data):
    run = shared_data / "capture" / OPENAI
    spans = {one.made.span_id: one.made for one in hear(run / "002_v1_traces.pb")}
    events = hear(run / "001_v1_logs.pb", run / "003_v1_logs.pb")
    for event in events:
        span = spans[event.made.span_id]
        for name in ("system", "input", "output", "usage", "params", "tool_definitions",
                     "response_id", "finish_reasons", "stream", "ttft_us", "gaps"):  # fmt: skip
            assert getattr(event.made, name) == getattr(span, name), name
    assert len(events) == 13


def test_protobuf_and_json_of_the_same_bytes_decode_alike(shared_data):
    compared = 0
    for path in sorted((shared_data / "capture").glob("*/*_v1_*.pb*")):
        data = payload(path)
        if signal(data) is None:
            continue
        kind = ExportTraceServiceRequest if signal(data) == "traces" else ExportLogsServiceRequest
        tree = MessageToDict(kind.FromString(data))  # ids come out as base64, which we accept too
        as_json = split(json.dumps(tree).encode())
        for ours, theirs in zip(split(data), as_json, strict=True):
            protobuf, text = decoder(ours)(ours.raw), decoder(theirs)(theirs.raw)
            assert f"line 1, {ours.where}" == theirs.where
            assert ours.context == theirs.context
            text.format = protobuf.format
            assert protobuf == text
            compared += 1
    assert compared == 101


def test_the_recorded_json_run_decodes_like_its_protobuf_twin(shared_data):
    """Two runs of one script: ids, times and ports differ, nothing else may."""
    capture = shared_data / "capture"
    for ours, others in (
        (["002_v1_traces.pb"], ["002_v1_traces.json"]),
        (["002_v1_traces.pb"], ["file-exporter-traces.jsonl"]),
        (["001_v1_logs.pb", "003_v1_logs.pb"], ["001_v1_logs.json", "003_v1_logs.json"]),
        (["001_v1_logs.pb", "003_v1_logs.pb"], ["file-exporter-logs.jsonl"]),
    ):
        protobuf = hear(*(capture / OPENAI / name for name in ours))
        text = hear(*(capture / (OPENAI + "-otlpjson") / name for name in others))
        assert len(protobuf) == len(text)
        for left, right in zip(protobuf, text, strict=True):
            assert comparable(left.made) == comparable(right.made)


def comparable(made: Interaction) -> dict:
    fields = msgspec.to_builtins(made)
    for name in ("format", "start_us", "end_us", "ttft_us", "trace_id", "span_id",
                 "parent_span_id", "response_id"):  # fmt: skip
        fields.pop(name, None)
    fields.get("params", {}).pop("previous_response.id", None)
    fields["extra"].pop("server.port", None)
    fields["extra"]["resource"].pop("service.instance.id")
    return fields


def test_aborted_streams_keep_the_partial_text_and_say_so(shared_data):
    capture = shared_data / "capture"
    for run, name, partial in (
        (OPENAI, "002_v1_traces.pb", "Hello Maria! Your "),
        (OPENAI, "001_v1_logs.pb", "Hello Maria! Your "),
        ("openinference-openai", "001_v1_traces.pb", "Hello Maria! Your "),
        (TRACELOOP, "001_v1_traces.pb", None),
    ):
        aborted = [one.made for one in hear(capture / run / name) if one.made.stream_aborted]
        assert len(aborted) == 1
        assert "stream-aborted" in aborted[0].gaps
        said = [part.text for message in aborted[0].output for part in message.parts]
        assert said == ([partial] if partial else [])


def test_litellm_says_who_called_and_raw_body_has_the_fingerprint(shared_data):
    asked, raw, failed = hear(shared_data / "capture" / "litellm-1.100.5" / "008_v1_traces.pb")
    assert (asked.made.actor, asked.made.actor_assurance) == ("support-bot", "platform")
    assert asked.made.subjects == [
        Subject("user-4711", "metadata.user_api_key_user_id", "platform")
    ]
    assert asked.made.client_address == "203.0.113.7"
    assert asked.made.cost_usd == pytest.approx(2.235e-05)
    assert raw.made.system_fingerprint == "fp_560af6e559"
    assert raw.made.params == {"temperature": 0.2, "seed": 42}
    assert raw.made.response_id == asked.made.response_id
    assert failed.made.response_id is None
    assert (failed.made.error_type, failed.made.http_status) == ("RateLimitError", 429)
    assert "Rate limit reached" in str(failed.made.error_message)


def test_langfuse_observations_keep_their_kind_of_act(shared_data):
    path = shared_data / "capture" / "langfuse-5.0.4" / "001_api_public_otel_v1_traces.pb.gz"
    heard = hear(path)
    kinds = Counter(one.made.operation for one in heard)
    assert kinds == {"chat": 5, "span": 3, "retrieval": 1, "execute_tool": 1, "invoke_agent": 1}
    tool = next(one.made for one in heard if one.made.operation == "execute_tool")
    assert tool.tool_names == ["get_weather"]
    assert tool.output[0].parts[0].text == "rainy, 14°C"
    assert all(one.made.session_id == "sess-001" for one in heard)
    assert heard[0].made.metadata == {"tenant": "contoso"}
    assert (heard[0].made.environment, heard[0].made.application_version) == (
        "production", "v2.7.1",
    )  # fmt: skip


def test_nothing_the_source_says_is_dropped(shared_data):
    """Every string attribute of every recorded span is somewhere in its interaction."""
    lost = []
    seen = 0
    for path in sorted((shared_data / "capture").glob("*/*_v1_*.pb*")):
        if signal(payload(path)) is None:
            continue
        for one in hear(path):
            whole = json.dumps(msgspec.to_builtins(one.made), ensure_ascii=False)
            for text in leaf_texts(one.item):
                seen += 1
                if json.dumps(text, ensure_ascii=False)[1:-1] not in whole:
                    lost.append((path.parent.name, one.item.where, text[:80]))
    assert seen > 2_000
    assert lost == []


TRANSLATED = {
    "None", "True", "False", "ERROR",
    "LLM", "EMBEDDING", "generation", "retriever", "acompletion",  # operations
    "developer",  # role
    "output_text", "message", "image_url", "function_call", "function_call_output",  # part types
    "chat.completion", "chat.completion.chunk", "list",  # which body it is
    "First Token Stream Event", "llm.content.completion.chunk",  # became ttft_us
    "2026-11-22T20:44:41.892348Z",  # likewise
    "msg_67ccd2bf17f0819081ff3bb2cf6508e6", "fc_67ca09c6bedc8190",  # ids of Responses items
    "completed",  # status of such an item
}  # fmt: skip
"""Words that stand in an interaction in other words, or that say nothing about the call."""


def leaf_texts(item) -> list[str]:
    """The words of an item, those inside JSON text too; Python literals are left out."""
    found = []
    todo: list[object] = list(strings(item))
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
        elif isinstance(node, str) and node[:1] in ("{", "[", '"'):
            with contextlib.suppress(ValueError):
                todo.append(json.loads(node))
        elif isinstance(node, str) and node not in TRANSLATED:
            found.append(node)
    return found
