"""Whatever bytes arrive, an import ends in items and refusals, never in an exception."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.captured import items_of, pieces_in

from logstore.capture.items import Bad, Item
from logstore.capture.records import to_record
from logstore.capture.registry import DECODERS, decode
from logstore.capture.sniff import format_of, shape_of
from logstore.errors import FormatError

OURS = sorted(set(DECODERS) - {"otlp.span", "otlp.span+json", "otlp.log", "otlp.log+json"})


def survives(raw: bytes, name: str) -> bool:
    """Whether a decoder took the bytes; anything but an interaction or FormatError escapes."""
    try:
        found = decode(raw, name)
    except FormatError:
        return False
    to_record(Item(raw, name, "here"), found, source="s", by="b", seq=1)
    return True


def take(data: bytes) -> list[Item | Bad]:
    found = pieces_in(data)
    for piece in found:
        if isinstance(piece, Item) and piece.format in OURS:
            survives(piece.raw, piece.format)
    return found


@pytest.fixture(scope="module")
def evidence(shared_data: Path) -> list[Item]:
    """One item or more of every format of ours, as recorded."""
    folders = ("capture/litellm-1.100.5", "capture/raw_http", "samples")
    paths = [path for name in folders for path in sorted((shared_data / name).rglob("*"))]
    items = [item for path in paths if path.is_file() for item in items_of(path)]
    assert {item.format for item in items} >= set(OURS) - {"aircon"}
    return [item for item in items if item.format in OURS]


WRONG: tuple[Any, ...] = (
    None, True, -1, 1.5, 10**30, "", "x", [], [[]], [None], {}, {"a": None}, [{"role": 5}],
)  # fmt: skip
"""Values of every wrong type, put in the place of every member."""


def mutations(value: Any, wrong: Any) -> Iterator[Any]:
    """The same JSON with one member or element replaced, for each of them in turn."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {**value, key: wrong}
            for other in mutations(inner, wrong):
                yield {**value, key: other}
    elif isinstance(value, list):
        for at, inner in enumerate(value[:3]):
            yield [*value[:at], wrong, *value[at + 1 :]]
            for other in mutations(inner, wrong):
                yield [*value[:at], other, *value[at + 1 :]]


def test_any_member_may_have_any_wrong_type(evidence: list[Item]) -> None:
    """Each format's smallest items, with each wrong value in turn."""
    tried = 0
    for name in OURS:
        small = sorted((i for i in evidence if i.format == name), key=lambda i: len(i.raw))[:2]
        for number, item in enumerate(small):
            tree = json.loads(item.raw)
            for wrong in WRONG[number::2] if len(item.raw) > 4000 else WRONG:
                for mutant in mutations(tree, wrong):
                    survives(json.dumps(mutant).encode(), name)
                    tried += 1
    assert tried > 5000


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_cut_and_spliced_evidence_is_taken_or_refused(
    evidence: list[Item], data: st.DataObject
) -> None:
    item = data.draw(st.sampled_from(evidence))
    raw = bytearray(item.raw[:20_000])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "splice", "drop"])):
            case "flip":
                raw[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                raw = raw[: at + 1]
            case "splice":
                raw[at:at] = data.draw(
                    st.sampled_from([b"[", b"}", b'"', b"NaN", b"\\ud800", b"\0"])
                )
            case _:
                del raw[at : at + 7]
                raw = raw or bytearray(b"{")
    survives(bytes(raw), item.format)
    take(bytes(raw))


@given(st.binary(max_size=400), st.sampled_from(OURS))
@settings(max_examples=150)
def test_random_bytes_are_refused_by_every_decoder(raw: bytes, name: str) -> None:
    survives(raw, name)
    take(raw)
    take(gzip.compress(raw))


@pytest.mark.parametrize("member", [
    b'"a":' + b"[" * 100_000 + b"]" * 100_000,
    b'"a":' + b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'"response_cost":NaN',
    b'"startTime":Infinity',
    b'"startTime":1e999',
    b'"prompt_tokens":' + b"9" * 5000,
    b'"call_type":"a","call_type":7',
    b'"\xff\xfe":1',
    b'"x":"\xed\xa0\x80"',
    b'"x":"\\ud800"',
    b'"x":"' + b"y" * 3_000_000 + b'"',
], ids=lambda member: f"{member[:14]!r}-{len(member)}")  # fmt: skip
def test_poisoned_lines_spoil_only_themselves(member: bytes) -> None:
    good = b'{"call_type":"completion","litellm_call_id":"1","model":"m"}'
    poisoned = good[:-1] + b"," + member + b"}"
    found = take(good + b"\n" + poisoned + b"\n" + good + b"\n")
    assert len(found) == 3
    assert isinstance(found[0], Item)
    assert isinstance(found[2], Item)
    survives(poisoned, "litellm")


@pytest.mark.parametrize("name", OURS)
def test_deep_nesting_is_refused_by_every_decoder(name: str) -> None:
    assert not survives(b'{"rows":' * 50_000, name)
    assert not survives(b'{"request":' + b"[" * 9999 + b"]" * 9999 + b"}", name)


def test_a_byte_order_mark_and_windows_line_ends_are_read_over() -> None:
    good = b'{"call_type":"completion","litellm_call_id":"1","model":"m"}'
    found = take(b"\xef\xbb\xbf" + good + b"\r\n\r\n" + good + b"\r\n")
    assert [type(piece) for piece in found] == [Item, Item]
    assert all(isinstance(piece, Item) and piece.raw == good for piece in found)


def test_an_azure_envelope_is_opened_once_and_never_again() -> None:
    row = b'{"category":"GatewayLogs","properties":{}}'
    found = take(b'{"records":[%b,{"x":1,"records":[%b]},7]}' % (row, row))
    assert [type(piece) for piece in found] == [Item, Bad, Bad]
    bottomless = b'{"a":1,"records":[' * 150 + row + b"]}" * 150
    assert [type(piece) for piece in take(bottomless)] == [Bad]


def test_formats_may_be_mixed_line_by_line(evidence: list[Item]) -> None:
    names = ("litellm", "bedrock", "openai.pair", "anthropic.pair", "apim.gateway")
    lines = [next(i for i in evidence if i.format == name).raw for name in names]
    compact = [json.dumps(json.loads(line)).encode() for line in lines]
    found = take(b"\n".join(compact) + b"\n")
    assert [piece.format for piece in found if isinstance(piece, Item)] == list(names)


@pytest.mark.parametrize(("head", "shape"), [
    (b'{"aircon":1}\n{"aircon":1}\n', "lines"),
    (b'oops\n{"aircon":1}\n', "lines"),
    (b'{"aircon":1}', "lines"),
    (b'{\n "aircon": 1\n}\n', "values"),
    (b'[{"aircon":1}]', "values"),
    (b"\xef\xbb\xbf  [", "values"),
    (b"", "unknown"),
    (b"hello\nworld\n", "unknown"),
    (b"PK\x03\x04", "unknown"),
    (b"\x7fELF", "unknown"),
    (b"PAR1", "unknown"),
])  # fmt: skip
def test_a_stream_is_recognised_by_what_is_in_it(head: bytes, shape: str) -> None:
    assert shape_of(head) == shape


@pytest.mark.parametrize(("value", "name"), [
    ({"schemaType": "ModelInvocationLog"}, "bedrock"),
    ({"schemaType": "Other"}, None),
    ({"resourceSpans": []}, "otlp.json"),
    ({"resourceMetrics": []}, "otlp.metrics"),
    ({"custom_id": "1", "body": {}}, "batch.input"),
    ({"custom_id": "1", "error": {}}, "batch.output"),
    ({"category": "GatewayLogs"}, "apim.gateway"),
    ({"category": "GatewayLogs and more"}, None),
    ({"trace": {}, "observations": []}, "langfuse.export"),
    ({"trace": {}, "observations": {}}, None),
    ({"request": {"model": "claude-3"}, "response": {}}, "anthropic.pair"),
    ({"request": {"model": "gpt"}, "response": {}}, "openai.pair"),
    ({"request": {}, "response": "event: message_start"}, "anthropic.pair"),
    ({"request": 1, "response": 2}, None),
    ({"messages": [{"content": "ModelInvocationLog litellm_call_id"}]}, None),
])  # fmt: skip
def test_structure_names_the_format_never_words_in_the_content(
    value: dict[str, Any], name: str | None
) -> None:
    assert format_of(json.dumps(value).encode()) == name
