"""JSON values are cut from any stream, however it is laid out and wherever it is broken."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.capture import scanning
from logstore.capture.scanning import Value, values

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
structures = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=6), structures, max_size=4)


class Drip(io.RawIOBase):
    """Gives a few bytes at a time, as a slow pipe does."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = data, step

    def read(self, size: int = -1) -> bytes:
        piece, self.data = self.data[: self.step], self.data[self.step :]
        return piece


def cut(data: bytes, step: int = 1 << 20) -> list[Value]:
    return list(values(Drip(data, step)))  # type: ignore[arg-type]


@given(st.lists(objects, max_size=6), st.integers(1, 40), st.booleans(), st.booleans())
@settings(max_examples=120)
def test_elements_of_an_array_and_values_in_a_row_read_the_same(
    rows: list[object], step: int, as_array: bool, pretty: bool
) -> None:
    written = [json.dumps(row, indent=2 if pretty else None) for row in rows]
    text = f" [{' , '.join(written)}] " if as_array else "\r\n".join(written)
    found = cut(text.encode(), step)
    assert [value.refused for value in found] == [None] * len(rows)
    assert [value.number for value in found] == list(range(1, len(rows) + 1))
    assert [json.loads(value.data) for value in found] == rows


def test_a_broken_element_leaves_its_neighbours_whole() -> None:
    found = cut(b'[{"a":1},{"b":tru},{"c":"]}"},{"d":]]}, {"e":5}]')
    good = [msgspec.json.decode(v.data) for v in (found[0], found[2])]
    assert good == [{"a": 1}, {"c": "]}"}]


def test_a_value_cut_short_is_refused() -> None:
    (first, second) = cut(b'[{"a":1},{"b":"never ends')
    assert first.refused is None
    assert second.refused == "cut-short"
    assert b"never ends" in second.data


def test_deep_nesting_is_refused_and_the_rest_goes_on() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    found = cut(b'{"a":' + deep + b'}\n{"b":2}')
    assert [value.refused for value in found] == ["too-deep", None]


@pytest.mark.parametrize("step", [7, 1000])
def test_what_is_too_large_is_dropped_without_being_held(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(scanning, "MAX_VALUE", 2000)
    monkeypatch.setattr(scanning, "MAX_KEPT", 100)
    monkeypatch.setattr(scanning, "_CHUNK", 500)
    many = b'{"big":[' + b'{"x":1},' * 2000 + b"0]}"
    found = cut(b'[{"a":1},' + many + b',{"b":2}]', step)
    assert [value.refused for value in found] == [None, "too-large", None]
    assert len(found[1].data) <= 100


def test_a_string_that_never_ends_ends_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MAX_VALUE", 2000)
    found = cut(b'{"a":1} {"b":"' + b"x" * 100_000)
    assert [value.refused for value in found] == [None, "too-large"]


@given(st.binary(max_size=200), st.integers(1, 30))
@settings(max_examples=200)
def test_any_bytes_end_in_values_never_in_an_exception(data: bytes, step: int) -> None:
    for value in cut(data, step):
        assert len(value.data) <= len(data)
