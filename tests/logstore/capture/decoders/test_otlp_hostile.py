"""Bytes nobody should have sent: only FormatError or Bad ever comes of them."""

from __future__ import annotations

import io
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.otlp_made import TRACE, any_value, as_protobuf, log, read_span, span
from support.otlp_runs import decoder, payload, split

from logstore.capture.decoders import otlp_log, otlp_span, otlp_split
from logstore.capture.decoders.otlp_attributes import CUT, MAX_DEPTH
from logstore.capture.decoders.otlp_dialects import _CONTENT, _INDEXED, _RULES
from logstore.capture.decoders.otlp_identity import IDENTITY
from logstore.capture.decoders.otlp_log import decode_log, decode_log_json
from logstore.capture.decoders.otlp_span import decode_span, decode_span_json
from logstore.capture.decoders.otlp_wire import cuts, encode_varint, signal
from logstore.capture.items import Bad, Item
from logstore.errors import FormatError


def mutated(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Bytes flipped, cut, doubled, or grafted from another payload."""
    made = bytearray(data)
    at = chance.randrange(len(made))
    match chance.randrange(8):
        case 0 | 1 | 2:
            made[at] = chance.choice([chance.randrange(256), made[at] ^ 1, 0x30, 0x22])
        case 3:
            made[at : at + 9] = bytes(chance.randrange(0x20, 0x7F) for _ in range(9))
        case 4:
            del made[at : at + chance.randint(1, 60)]
        case 5:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            made[at:at] = other[start : start + chance.randint(1, 200)]
        case 6:
            made[at:at] = chance.choice([b'"', b"{", b"[" * 500, b"null,", b"\xff\xff\xff\xff\x0f"])
        case _:
            values = [b"null", b"[]", b"{}", b"7", b"true", b'""', b'"\\ud800"', b"-1e999"]
            whole = bytes(made)
            old = chance.choice([b'"text"', b'{"stringValue"', b'"user"', b'"parts"', b"256"])
            return whole.replace(old, chance.choice(values), chance.randint(1, 3))
    return bytes(made)


def test_4_000_damaged_payloads_are_refused_or_read_but_never_crash(shared_data):
    chance = random.Random(20261122)
    capture = shared_data / "capture"
    items: list[Item] = []
    for path in sorted(capture.glob("*/*_v1_*")):
        if ".headers" not in path.name and path.suffix in (".pb", ".gz", ".json"):
            items += [item for item in split(payload(path)) if isinstance(item, Item)]
    raws = [item.raw for item in items]
    outcome = {"read": 0, "refused": 0, "bad": 0, "kept": 0}
    for _ in range(4_000):
        victim = chance.choice(items)
        data = mutated(victim.raw, chance, raws)
        try:
            decoder(victim)(data)
            outcome["read"] += 1
        except FormatError:
            outcome["refused"] += 1
        for piece in split(data):
            if isinstance(piece, Bad):
                outcome["bad"] += 1
                assert " " not in piece.reason
            else:
                outcome["kept"] += 1
                try:
                    decoder(piece)(piece.raw)
                except FormatError:
                    outcome["refused"] += 1
    assert all(count > 200 for count in outcome.values()), outcome


_keys = st.one_of(
    st.sampled_from([*_RULES, *_CONTENT, *IDENTITY]),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(_INDEXED),
        st.sampled_from(["0", "1", "2", "x", "", "99999999"]),
        st.sampled_from(
            ["", ".role", ".content", ".message.content", ".message.contents.0",
             ".tool_calls.0.name",
             ".message.tool_calls.0.tool_call.function.name", ".document.id", ".embedding.text",
             ".message.contents.0.message_content.image.image.url", ".tool.json_schema"]
        ),
    ),
    st.sampled_from(
        ["input.value", "output.value", "llm.invocation_parameters", "metadata",
         "mlflow.spanInputs",
         "mlflow.spanOutputs", "mlflow.chat.tokenUsage", "langfuse.observation.input",
         "langfuse.observation.output", "langfuse.observation.usage_details", "llm.openai.choices",
         "langfuse.observation.completion_start_time", "langfuse.observation.level",
         "llm.openai.messages", "metadata.usage_object", "traceloop.entity.input", "llm.openai.id",
         "traceloop.entity.output", "tool.name", "event.name",
         "langfuse.observation.model.parameters"]
    ),
    st.text(max_size=8),
)  # fmt: skip
_names = st.sampled_from(
    ["role", "content", "parts", "type", "text", "tool_calls", "function", "name", "id", "choices",
     "message", "messages", "usage", "model", "input", "output", "user", "metadata", "arguments"]
)  # fmt: skip
_plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["user", "chat", "TOOL", "LLM", "text", "tool_call", "2026-01-01", "ERROR"]),
)
_trees = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=8,
)
_values = st.one_of(_trees, _trees.map(json.dumps), _trees.map(repr), st.binary(max_size=4))
_attributes = st.dictionaries(_keys, _values, max_size=8)


@settings(max_examples=400, deadline=None)
@given(
    attributes=_attributes,
    name=st.sampled_from(["", "raw_gen_ai_request", "chat"]),
    events=st.lists(
        st.tuples(
            st.sampled_from(["exception", "gen_ai.user.message", "gen_ai.choice",
                             "gen_ai.content.prompt", "First Token Stream Event"]),
            st.dictionaries(_names | st.sampled_from(["gen_ai.prompt"]), _values, max_size=4),
        ),
        max_size=2,
    ),
)  # fmt: skip
def test_any_attributes_decode_alike_in_both_encodings(attributes, name, events):
    told = [
        {"name": kind, "timeUnixNano": "5", "attributes": span(given)["resourceSpans"][0]
         ["scopeSpans"][0]["spans"][0]["attributes"]}
        for kind, given in events
    ]  # fmt: skip
    request = span(attributes, name=name, events=told)
    text = decode_span_json(json.dumps(request).encode())
    protobuf = decode_span(as_protobuf(request))
    text.format = protobuf.format
    assert text == protobuf


@settings(max_examples=150, deadline=None)
@given(
    attributes=_attributes,
    name=st.sampled_from(["gen_ai.user.message", "gen_ai.choice", "gen_ai.tool.message", "other"]),
    body=_trees,
)
def test_any_log_record_decodes_alike_in_both_encodings(attributes, name, body):
    request = log(attributes, name=name, body=body)
    text = decode_log_json(json.dumps(request).encode())
    protobuf = decode_log(as_protobuf(request))
    text.format = protobuf.format
    assert text == protobuf


def bomb(depth: int) -> object:
    value: object = "core"
    for _ in range(depth):
        value = [value]
    return value


def test_values_nested_too_deeply_are_cut_and_said_to_be():
    deep = span({"my.own": bomb(MAX_DEPTH + 5)})
    for made in (decode_span_json(json.dumps(deep).encode()), decode_span(as_protobuf(deep))):
        assert "truncated" in made.gaps
        value = made.extra["my.own"]
        for _ in range(MAX_DEPTH):
            value = value[0]
        assert value == CUT
    assert "truncated" not in read_span({"my.own": bomb(MAX_DEPTH)}).gaps


@pytest.mark.parametrize("depth", [100, 1_000, 20_000])
def test_depth_bombs_are_refused_without_recursion(depth):
    inner = b'{"arrayValue":{"values":[' * depth + b"]}}" * depth
    head = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":'
    raw = head + inner + b"}]}]}]}]}"
    for piece in split(raw):
        if isinstance(piece, Item):
            try:
                decode_span_json(piece.raw)
            except FormatError:
                assert depth > 100
    value = b"\x0a\x01x"
    for _ in range(depth):
        value = b"\x0a" + encode_varint(len(value)) + value
        value = b"\x2a" + encode_varint(len(value)) + value
    pair = b"\x0a\x01a\x12" + encode_varint(len(value)) + value
    record = b"\x4a" + encode_varint(len(pair)) + pair
    for number in (b"\x12", b"\x12", b"\x0a"):
        record = number + encode_varint(len(record)) + record
    if depth >= 1_000:
        with pytest.raises(FormatError):
            decode_span(record)
    assert all(isinstance(piece, Bad) for piece in otlp_split.split_traces_protobuf(record))


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, '{"a":' * 50_000, "[" * 900 + "]" * 900, "[{'a': " * 3_000, "['\\x" + "4"],
)
def test_bombs_inside_attribute_text_stay_text(text):
    for key in ("gen_ai.input.messages", "input.value", "mlflow.spanInputs", "llm.openai.choices",
                "langfuse.observation.output", "metadata.usage_object"):  # fmt: skip
        made = read_span({key: text, "gen_ai.operation.name": "chat"}, name="raw_gen_ai_request")
        assert made.operation == "chat"


def test_more_values_than_the_cap_are_refused():
    many = {"stringValue": "x"}
    request = span({})
    attributes = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    attributes.append({"key": "a", "value": {"arrayValue": {"values": [many] * 100_001}}})
    with pytest.raises(FormatError, match="100000"):
        decode_span_json(json.dumps(request).encode())
    with pytest.raises(FormatError, match="100000"):
        decode_span(as_protobuf(request))


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"{}", b"[]", b"null", b'{"resourceSpans":[]}', b"\x0a\x00", b"\xff",
        json.dumps(span({}, traceId="xyz")).encode(), json.dumps(span({}, traceId="00")).encode(),
        json.dumps(span({}, startTimeUnixNano="soon")).encode(),
        json.dumps(span({}, startTimeUnixNano=str(2**70))).encode(),
        json.dumps(span({}, startTimeUnixNano="9" * 5000)).encode(),
    ],
)  # fmt: skip
def test_decoders_refuse_what_is_not_one_record(broken):
    for decode in (decode_span, decode_span_json, decode_log, decode_log_json):
        with pytest.raises(FormatError):
            decode(broken)


def test_two_spans_in_one_item_are_refused():
    spans, logs = span({}), log({})
    for records in (
        spans["resourceSpans"][0]["scopeSpans"][0]["spans"],
        logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"],
    ):
        records.append(dict(records[0]))
    for decode, raw in (
        (decode_span_json, json.dumps(spans).encode()),
        (decode_span, as_protobuf(spans)),
        (decode_log_json, json.dumps(logs).encode()),
        (decode_log, as_protobuf(logs)),
    ):
        with pytest.raises(FormatError, match="exactly one"):
            decode(raw)


def test_a_huge_resource_is_refused_instead_of_multiplied():
    request = span({"a": 1}, resource={"big": "x" * (1 << 20)})
    for data in (json.dumps(request).encode(), as_protobuf(request)):
        (bad,) = split(data)
        assert isinstance(bad, Bad)


def test_numbers_and_ids_as_real_exporters_write_them():
    request = span({"gen_ai.usage.input_tokens": 5})
    body = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    body["attributes"].append({"key": "n", "value": {"intValue": 7}})
    body["attributes"].append({"key": "inf", "value": {"doubleValue": "Infinity"}})
    body["attributes"].append({"key": "none", "value": None})
    body |= {"traceId": TRACE.upper(), "kind": "SPAN_KIND_CLIENT", "parentSpanId": "0" * 16}
    body["status"] = {"code": "STATUS_CODE_ERROR"}
    made = decode_span_json(json.dumps(request).encode())
    assert (made.trace_id, made.parent_span_id) == (TRACE, None)
    assert (made.extra["n"], made.extra["inf"]) == (7, float("inf"))
    assert made.extra["span.kind"] == "client"
    assert made.error_type == "_OTHER"


def test_unknown_fields_stay_in_the_cut_bytes():
    inner = as_protobuf(span({"a": 1}))
    strange = b"\xfa\x07\x05hello"  # field 127, unknown to any OTLP
    (cut,) = cuts(inner)
    record = cut.record + strange
    body = b"\x12" + encode_varint(len(record)) + record
    scope = b"\x12" + encode_varint(len(body + strange)) + body + strange
    request = b"\x0a" + encode_varint(len(scope + strange)) + scope + strange
    (item,) = split(request)
    assert isinstance(item, Item)
    assert item.raw.count(strange) == 3
    text = json.dumps(span({"a": 1})).replace('"spans"', '"novel": [1,  2], "spans"')
    (item,) = split(text.encode())
    assert isinstance(item, Item)
    assert b'"novel":[1,  2]' in item.raw


def test_json_spans_are_sliced_and_not_written_anew():
    odd = '{ "name":"x" ,"traceId":"","attributes":[ {"value":{"doubleValue":1.50},"key":"k"}] }'
    line = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[ {odd} ]}}]}}]}}'
    (item,) = split(line.encode())
    assert isinstance(item, Item)
    assert odd.encode() in item.raw


def test_the_signal_of_protobuf_is_told_by_its_first_record(shared_data):
    run = shared_data / "capture" / "otel-genai-openai-1.3b0"
    kinds = [signal((run / name).read_bytes()) for name in (
        "002_v1_traces.pb", "001_v1_logs.pb", "004_v1_metrics.pb")]  # fmt: skip
    assert kinds == ["traces", "logs", None]
    assert signal(b"") is None
    assert signal(b"{}") is None


def test_a_value_of_every_kind_reads_the_same_in_both_encodings():
    values = [None, True, 3, -(2**63), 1.5, "s", b"\x00\xff", [1, "a"], {"k": [None]}, "", [], {}]
    request = span({f"k{number}": value for number, value in enumerate(values)})
    text = decode_span_json(json.dumps(request).encode())
    assert decode_span(as_protobuf(request)).extra == text.extra
    assert text.extra["k6"] == "AP8="
    assert any_value(None) == {}


def test_streams_are_read_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(otlp_split, "MAX_REQUEST", 2_000)
    good = json.dumps(span({"a": 1})).encode()
    long = json.dumps(span({"a": "x" * 5_000})).encode()
    stream = io.BytesIO(b"\n".join([good, long, b"not json", b"", good]))
    found = [(type(piece).__name__, piece.where) for piece in otlp_split.split_json_stream(stream)]
    assert found == [
        ("Item", "line 1, span 1"),
        ("Bad", "line 2"),
        ("Bad", "line 3"),
        ("Item", "line 5, span 1"),
    ]


def test_requests_inside_requests_are_read_or_refused():
    outcome = {"read": 0, "refused": 0}
    for depth in (50, 300, *range(700, 1_000, 3)):
        text = '{"input":' * depth + '"core"' + "}" * depth
        for decode, request in (
            (decode_span_json, span({"input.value": text, "openinference.span.kind": "LLM"})),
            (decode_log_json, log({"langfuse.observation.input": text})),
        ):
            try:
                decode(json.dumps(request).encode())
                outcome["read"] += 1
            except FormatError:
                outcome["refused"] += 1
    assert outcome["read"] >= 4
    assert sum(outcome.values()) == 204


def test_running_out_of_stack_is_a_refusal(monkeypatch):
    def deep(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(otlp_span, "interaction", deep)
    monkeypatch.setattr(otlp_log, "interaction", deep)
    for decode, request in ((decode_span_json, span({})), (decode_log_json, log({}))):
        with pytest.raises(FormatError, match="too deeply"):
            decode(json.dumps(request).encode())


def test_objects_nested_too_deeply_are_cut_in_both_encodings():
    value: object = "core"
    for _ in range(MAX_DEPTH + 3):
        value = {"in": value}
    deep = span({"my.own": value})
    text = decode_span_json(json.dumps(deep).encode())
    assert decode_span(as_protobuf(deep)).extra == text.extra
    assert "truncated" in text.gaps


@pytest.mark.parametrize(
    "value",
    [
        {"intValue": "123456789012345678901"},
        {"intValue": "seven"},
        {"doubleValue": "much"},
        {"bytesValue": "?"},
    ],
)
def test_numbers_and_bytes_that_are_none_are_refused(value):
    request = span({})
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[0]["attributes"] = [{"key": "a", "value": value}]
    with pytest.raises(FormatError):
        decode_span_json(json.dumps(request).encode())


def test_empty_json_values_are_nothing():
    request = span({})
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[0]["attributes"] = [
        {"key": "a", "value": {"arrayValue": {"values": [None, {}]}}},
        {"key": "b", "value": {"kvlistValue": {}}},
    ]
    assert decode_span_json(json.dumps(request).encode()).extra["a"] == [None, None]


def test_identities_and_flattened_names_of_no_use_are_kept_as_they_are():
    path = "llm.input_messages.0" + ".x" * 20
    made = read_span({"user.id": ["not", "an id"], path: "deep"})
    assert made.extra["user.id"] == ["not", "an id"]
    assert made.extra[path] == "deep"
    assert made.subjects == []
