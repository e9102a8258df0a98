"""The bytes two auditors must agree on: leaves, clear fields, bodies, identifiers."""

from __future__ import annotations

import contextlib
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats import body
from logstore.formats.clearfields import BY_COLUMN, BY_NAME, FIELDS, admit, split
from logstore.formats.columns import schema, table
from logstore.formats.leaf import GENESIS, MAX_LEAF, BodyRef, Leaf, encode, leaf_hash, parse
from logstore.formats.uuid7 import milliseconds, uuid7s

LEAF = Leaf(
    1, 0, GENESIS, "01a20583-6734-789b-a178-6d78cc069ac1", "interaction", 1, 2, 3, "deadbeef",
    "otlp", "aircon", {"gen_ai.request.model": "gpt-5", "gen_ai.request.top_p": 0.9},
    seq=4, body=BodyRef(["k"], 8, bytes(32)),
)  # fmt: skip

names = st.sampled_from([field.name for field in FIELDS])
values = (
    st.text(max_size=300)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.lists(st.text(max_size=20), max_size=70)
    | st.none()
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


def test_a_leaf_is_plain_json_a_stranger_can_read() -> None:
    data = encode(LEAF)
    assert data.startswith(b'{"v":1,"index":0,"prev":"AAAA')
    assert json.loads(data)["body"] == {"keys": ["k"], "len": 8, "commit": "A" * 43 + "="}
    assert parse(data) == LEAF


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.replace(b'"seq":4', b'"seq":4,"seq":4'),
        lambda d: d.replace(b'"index":0', b'"index": 0'),
        lambda d: d.replace(b'"index":0', b'"index":-0'),
        lambda d: d.replace(b'"index":0', b'"index":0.0'),
        lambda d: d.replace(b"0.9", b"0.90"),
        lambda d: d.replace(b"0.9", b"9e-1"),
        lambda d: d.replace(b"gpt-5", b"gpt\\u002d5"),
        lambda d: d.replace(b'"v":1', b'"v":2'),
        lambda d: d.replace(b'"v":1,', b""),
        lambda d: d.replace(b'"seq":4', b'"extra":4'),
        lambda d: d.replace(b"A=", b"B="),
        lambda d: d + b" ",
        lambda d: d + d,
        lambda d: b"\xef\xbb\xbf" + d,
        lambda d: d.replace(b"gpt-5", b"gpt-\xff"),
        lambda d: d.replace(b'{"gen_ai.request.model"', b'{"a":' + b"[" * 5000 + b',"x"'),
        lambda d: d.replace(b"gpt-5", b"x" * 70_000),
    ],
)
def test_any_other_spelling_of_a_leaf_is_refused(change) -> None:
    data = encode(LEAF)
    other = change(data)
    assert other != data, "the change did not change anything"
    with pytest.raises(FormatError):
        parse(other)


def test_a_leaf_fits_a_tile_entry_or_is_not_written() -> None:
    with pytest.raises(FormatError, match="65535"):
        encode(Leaf(1, 0, GENESIS, "i", "x", 1, 2, 3, "b", "s", "a", {"t": "x" * MAX_LEAF}))


def test_the_leaf_hash_is_rfc_6962s() -> None:
    empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"").hex() == empty


@given(st.dictionaries(names | st.text(max_size=20), values, max_size=12))
def test_whatever_is_admitted_in_clear_fits_leaf_and_columns(fields: dict[str, object]) -> None:
    clear, rest = split(fields)
    assert clear.keys() <= BY_NAME.keys()
    assert clear.keys() | rest.keys() == {k for k, v in fields.items() if v is not None}
    assert not clear.keys() & rest.keys()
    leaf = Leaf(1, 0, GENESIS, "i", "interaction", 1, 2, 3, "b", "s", "a", dict(clear))
    raw = encode(leaf)
    row = table([parse(raw)], [raw]).to_pylist()[0]
    for name, value in clear.items():
        assert row[BY_NAME[name].column] == value


@pytest.mark.parametrize(
    "value",
    [
        "maria@example.org", "Maria Keller", "", "x" * 201, "a\nb", "\x1b]0;x\x07", "a\u202eb",
        "=1+1", "-x", "@sum", "+49", "日本", "a\u00a0b", " a",
    ],
)  # fmt: skip
def test_sentences_addresses_and_tricks_never_stand_in_clear(value: str) -> None:
    assert admit("gen_ai.request.model", value) is None
    assert admit("aircon.tool.names", ["ok", value]) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gen_ai.usage.input_tokens", 2**60),
        ("gen_ai.usage.input_tokens", True),
        ("gen_ai.usage.input_tokens", "12"),
        ("gen_ai.request.temperature", float("nan")),
        ("gen_ai.request.temperature", float("inf")),
        ("gen_ai.request.stream", 1),
        ("enduser.id", "maria"),
        ("gen_ai.response.id", "resp_1"),
        ("aircon.tool.names", ["x"] * 65),
        ("aircon.tool.names", []),
    ],
)
def test_values_of_the_wrong_shape_never_stand_in_clear(name: str, value: object) -> None:
    assert admit(name, value) is None


def test_columns_cover_the_list_and_nothing_else() -> None:
    names = set(schema().names)
    assert set(BY_COLUMN) < names
    assert len(BY_COLUMN) == len(FIELDS) == len(BY_NAME)
    assert {"index", "leaf", "subjects", "body_len"} <= names


def test_every_stored_column_can_be_named_in_sql_without_quotes() -> None:
    import duckdb

    connection = duckdb.connect()
    said = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    keywords = {str(word) for (word,) in connection.execute(said).fetchall()}
    assert "by" in keywords, "the leaf's own word for it would need quotes"
    assert set(schema().names).isdisjoint(keywords)


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_bodies_come_back_and_commitments_bind(raw: bytes, nonce: bytes) -> None:
    one = body.Body(raw=raw, format="otlp.span", subjects=["a"], session="s", note={"x": [1]})
    content = body.encode(one)
    assert body.parse(content) == one
    commit = body.commitment(nonce, content)
    assert commit != body.commitment(nonce, content + b"\0")
    assert commit != body.commitment(bytes(a ^ 1 for a in nonce), content)


@given(st.binary(max_size=60))
def test_any_bytes_as_content_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        body.parse(data)


@given(st.integers(0, 2**40))
def test_padding_hides_most_of_a_length_and_costs_at_most_an_eighth(length: int) -> None:
    rounded = body.padded(length)
    assert length <= rounded <= length * 1.125 + 1
    assert body.padded(rounded) == rounded


def test_lengths_fall_into_few_classes() -> None:
    assert len({body.padded(n) for n in range(1000, 10_000)}) < 70


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_identifiers_are_uuid7_and_keep_their_time(moment: int, entropy: bytes) -> None:
    text, _ = uuid7s(moment, entropy.hex() * 2)
    parsed = uuid.UUID(text)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, text)
    assert milliseconds(text) == moment
