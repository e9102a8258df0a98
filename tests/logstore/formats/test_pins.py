"""Pins come back from the records that carry them, and from nothing that only looks like them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats.leaf import GENESIS, Leaf, encode
from logstore.formats.pins import (
    MAX_SPAN,
    SUPPLEMENT,
    ObjectPin,
    SupplementPin,
    supplement_from_clear,
    supplements_among,
    supplements_digest,
    to_clear,
)

BODY = ObjectPin("body/log=x/date=2026-11-23/sup-000000000007-00.parquet", 9, "ab", "cd", 5)
PIN = SupplementPin(7, 3, 2, BODY)


def leaf(clear: dict[str, object], kind: str = SUPPLEMENT) -> Leaf:
    return Leaf(
        1, 12, GENESIS, "0190a0b0-0000-7000-8000-000000000000", kind, 1, 1, 1, "0" * 8, "a", "b",
        clear,
    )  # fmt: skip


@given(
    st.integers(0, 2**53), st.integers(1, MAX_SPAN), st.data(), st.text(max_size=20),
    st.integers(-(2**53), 2**53),
)  # fmt: skip
def test_a_supplement_s_pin_comes_back_from_its_record(
    first: int, count: int, data: st.DataObject, key: str, until: int
) -> None:
    records = data.draw(st.integers(1, count))
    pin = SupplementPin(first, count, records, ObjectPin(key, 1, "a", "b", until))
    assert supplement_from_clear(to_clear(pin)) == pin
    assert (pin.end, pin.last) == (first + count, first + count - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"first": -1}, {"count": 0, "records": 0}, {"records": 0}, {"records": 4}, {"first": "7"},
        {"count": MAX_SPAN + 1}, {"body": None}, {"more": 1}, {"first": 7.0}, {"body": {}},
    ],
)  # fmt: skip
def test_what_is_no_pin_of_a_supplement_is_refused(changes: dict[str, Any]) -> None:
    clear = {**to_clear(PIN), **changes}
    with pytest.raises(FormatError):
        supplement_from_clear(clear)
    assert supplements_among([leaf(clear), leaf(to_clear(PIN)), leaf({}, "other")]) == [PIN]


def test_members_in_another_order_are_refused() -> None:
    with pytest.raises(FormatError, match="spelling"):
        supplement_from_clear(dict(reversed(to_clear(PIN).items())))


def test_the_digest_is_that_of_the_clear_objects_as_they_stand_in_leaves() -> None:
    pins = [PIN, SupplementPin(0, 1, 1, BODY)]
    spelled = []
    for pin in pins:
        raw = encode(leaf(to_clear(pin)))
        start = raw.index(b'"clear":') + len(b'"clear":')
        _, end = json.JSONDecoder().raw_decode(raw.decode(), start)
        spelled.append(raw[start:end])
    assert supplements_digest(pins) == hashlib.sha256(b"\n".join(spelled)).hexdigest()
    assert supplements_digest([]) == ""
    assert len({supplements_digest(each) for each in (pins, pins[::-1], pins[:1])}) == 3
