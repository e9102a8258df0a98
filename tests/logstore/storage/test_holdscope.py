"""What a person asks to hold, as ranges of records: never less than was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import UsageError
from logstore.formats.custody import Hold, Placed, fields_of, to_clear
from logstore.storage.holdscope import MOST_RANGES, parse_records, words


def covered(scope: Placed, end: int) -> set[int]:
    hold = Hold(10**9, "ada", 0, scope)
    return {index for index in range(end) if hold.covers(index, index + 1)}


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ("3", "3"),
        ("10-20,31", "10-20,31"),
        ("31, 10-20", "10-20,31"),
        ("1-5,4-9,10", "1-10"),
        ("100-", "100-"),
        ("3,100-,50-", "3,50-"),
        ("3-7,8-", "3-"),
        ("3-7,20-30,25-", "3-7,20-"),
        ("0-", "0-"),
    ],
)
def test_words_are_read_and_said_in_one_form(said: str, again: str) -> None:
    scope = parse_records(said, "", 0)
    assert words(scope) == again
    assert parse_records(again, "", 0) == scope


@pytest.mark.parametrize("said", ["", "-", "a", "5-3", "1,,2", "-4", "1-2-3", "1;2", "9" * 16])
def test_what_names_no_records_is_refused(said: str) -> None:
    with pytest.raises(UsageError):
        parse_records(said, "", 0)


_SPANS = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 20)).map(lambda s: (s[0], s[0] + s[1])),
    min_size=1,
    max_size=30,
)


@given(_SPANS, st.none() | st.integers(0, 320))
def test_exactly_what_was_asked_for_is_held(
    spans: list[tuple[int, int]], onward: int | None
) -> None:
    said = [f"{first}-{last}" for first, last in spans]
    scope = parse_records(",".join(said if onward is None else [*said, f"{onward}-"]), "", 0)
    wanted = {index for first, last in spans for index in range(first, last + 1)}
    wanted |= set() if onward is None else set(range(onward, 400))
    assert covered(scope, 400) == wanted
    assert fields_of("hold.placed", to_clear(scope)) == scope


def test_too_many_ranges_are_joined_where_the_gaps_are_narrow_and_hold_more() -> None:
    starts = [100 * number + (number % 7) for number in range(2 * MOST_RANGES)]
    scope = parse_records(",".join(map(str, starts)), "", 0)
    assert len(scope.records) <= 2 * MOST_RANGES
    hold = Hold(10**9, "ada", 0, scope)
    assert all(hold.covers(index, index + 1) for index in starts)
    assert scope.records[0] == starts[0]
    assert scope.records[-1] == starts[-1]
