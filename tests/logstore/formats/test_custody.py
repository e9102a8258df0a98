"""What a log says of keeping and removing: a fold that nobody can be surprised by."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats.custody import (
    APPLIED,
    FINISHED,
    KINDS,
    PLACED,
    RELEASED,
    Applied,
    CustodyEvent,
    Finished,
    Placed,
    Released,
    custody_digest,
    fields_of,
    fold,
    to_clear,
)

DIGEST = "ab" * 32


def event(at: int, kind: str, clear: dict[str, object]) -> CustodyEvent:
    return CustodyEvent(at, kind, "ada", 1_000 + at, clear)


def placed(at: int, *records: int, onward: int | None = None, then: int = 0) -> CustodyEvent:
    return event(at, PLACED, to_clear(Placed(list(records), onward, "", then)))


def released(at: int, hold: int, keep_until_us: int = 0) -> CustodyEvent:
    return event(at, RELEASED, to_clear(Released(hold, keep_until_us)))


def applied(at: int, *names: str) -> CustodyEvent:
    return event(at, APPLIED, to_clear(Applied(DIGEST, 5, list(names))))


def finished(at: int, begun: int, *kept: str) -> CustodyEvent:
    return event(at, FINISHED, to_clear(Finished(begun, 1, list(kept))))


def test_a_hold_covers_its_ranges_its_own_record_and_what_comes_if_it_says_so() -> None:
    (hold,) = fold([placed(50, 3, 5, 9, 9)]).holds
    covered = [index for index in range(60) if hold.covers(index, index + 1)]
    assert covered == [3, 4, 5, 9, 50]
    assert not hold.covers(6, 9)
    assert hold.covers(0, 4)
    (onward,) = fold([placed(50, onward=40)]).holds
    assert [index for index in range(60) if onward.covers(index, index + 1)] == list(range(40, 60))


def test_two_holds_over_one_record_are_two() -> None:
    custody = fold([placed(10, 0, 4), placed(11, 4, 6), released(12, 10)])
    assert custody.holding(0, 1) is None
    kept = custody.holding(4, 5)
    assert kept is not None
    assert kept.number == 11
    first = custody.holding(0, 1, at=11)
    assert first is not None, "it was in force then"
    assert custody.holding(0, 1, at=13) is None


def test_what_is_released_or_finished_twice_or_never_began_changes_nothing() -> None:
    custody = fold([
        placed(10, 0, 4), released(12, 10, 99), released(13, 10, 5), released(14, 77),
        finished(15, 3), finished(16, 10), applied(17, "body/a"), finished(18, 17),
        finished(19, 17, "body/a"),
    ])  # fmt: skip
    assert [(hold.released, hold.keep_until_us) for hold in custody.holds] == [(12, 99)]
    assert [(each.at, each.finished, each.kept) for each in custody.removals] == [
        (17, 18, frozenset())
    ]
    assert custody.keep_until(0, 1) == 99
    assert custody.keep_until(5, 6) == 0


def test_an_object_is_gone_from_the_moment_its_removal_is_on_the_log_unless_it_was_kept() -> None:
    assert fold([applied(7, "body/a", "body/b")]).gone == {"body/a", "body/b"}
    custody = fold([applied(7, "body/a", "body/b"), finished(8, 7, "body/b")])
    assert custody.gone == {"body/a"}
    assert not custody.unfinished
    again = fold([applied(7, "body/b"), finished(8, 7, "body/b"), applied(9, "body/b")])
    assert again.removed_by["body/b"].at == 9
    assert [each.at for each in again.unfinished] == [9]


BAD: list[tuple[str, dict[str, Any]]] = [
    (PLACED, {}),
    (PLACED, {"records": []}),
    (PLACED, {"records": [1]}),
    (PLACED, {"records": [4, 1]}),
    (PLACED, {"records": [0, 4, 4, 6]}),
    (PLACED, {"records": [5, 6, 1, 2]}),
    (PLACED, {"records": [-1, 2]}),
    (PLACED, {"records": [0, 1], "onward": -1}),
    (PLACED, {"records": [0, 1], "review": "soon"}),
    (PLACED, {"records": [0, 1], "then_days": 36_501}),
    (PLACED, {"records": [0, 1], "who": "ada"}),
    (RELEASED, {"hold": "10"}),
    (APPLIED, {"digest": "ab", "until_us": 0, "objects": ["body/a"]}),
    (APPLIED, {"digest": DIGEST, "until_us": 0, "objects": ["index/a"]}),
    (APPLIED, {"digest": DIGEST, "until_us": 0, "objects": ["body/a", "body/a"]}),
    (FINISHED, {"applied": 1, "removed": 1}),
]


@pytest.mark.parametrize(("kind", "clear"), BAD)
def test_what_is_malformed_is_said_to_be_and_holds_and_removes_nothing(
    kind: str, clear: dict[str, Any]
) -> None:
    with pytest.raises(FormatError):
        fields_of(kind, clear)
    custody = fold([event(10, kind, clear)])
    assert (custody.holds, custody.removals) == ((), ())


_RANGES = st.lists(st.integers(0, 40), min_size=1, max_size=6, unique=True).map(sorted)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, int, set[int]]]:
    """(place, release or a large number, records) of some holds."""
    found = []
    for number in range(draw(st.integers(0, 5))):
        lows = draw(_RANGES)
        found.append((100 + 2 * number, draw(st.sampled_from([101, 103, 105, 999])), set(lows)))
    return [(at, max(until, at + 1), records) for at, until, records in found]


@given(histories(), st.integers(0, 40), st.integers(1, 8))
def test_holding_is_what_a_plain_look_at_every_record_says(
    history: list[tuple[int, int, set[int]]], first: int, length: int
) -> None:
    events = []
    for at, until, records in history:
        events.append(placed(at, *[end for record in sorted(records) for end in (record, record)]))
        if until < 999:
            events.append(released(1_000 + at, at))
    custody = fold(reversed(events))
    due = [
        at for at, until, records in history
        if until == 999 and not records.isdisjoint(range(first, first + length))
    ]  # fmt: skip
    held = custody.holding(first, first + length)
    assert (held.number if held else None) == min(due, default=None)


def test_the_digest_is_of_all_of_them_in_order() -> None:
    one, other = placed(10, 0, 4), released(12, 10)
    assert custody_digest([]) == ""
    digests = {custody_digest(each) for each in ([one], [other], [one, other], [other, one])}
    assert len(digests) == 4
    again = msgspec.json.decode(msgspec.json.encode(one), type=CustodyEvent)
    assert custody_digest([again]) == custody_digest([one])


def test_kinds_are_those_that_are_folded() -> None:
    assert {PLACED, RELEASED, APPLIED, FINISHED} == KINDS
