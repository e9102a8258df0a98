"""Two sources of the same calls, compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.query.reconciling import VERDICTS, Call, Side, compare, pairs

HOUR = 3_600_000_000


def side(*records: dict[str, Any], name: str = "") -> Side:
    """Records with `response`, `span`, `call`, `likely`, `at` (microseconds) and `model`."""
    models = sorted({str(each.get("model", "")) for each in records}) or [""]

    def numbers(key: str, kind: Any) -> Any:
        return np.array([each.get(key, 0) for each in records], dtype=kind)

    return Side(
        time_us=numbers("at", np.int64),
        keys=tuple(numbers(key, np.uint64) for key in ("span", "response", "call")),
        likely=numbers("likely", np.uint64),
        model=np.array([models.index(str(each.get("model", ""))) for each in records], np.int32),
        models=models,
        place=lambda at: f"{name}{at}",
    )


def test_a_call_is_in_both_by_any_id_and_counts_once() -> None:
    log = side({"response": 1, "span": 7}, {"span": 7, "call": 9}, {"response": 3})
    other = side({"call": 9}, {"response": 3}, {"response": 3}, {"response": 4})
    assert compare(log, other).totals() == {
        "both": 2, "likely": 0, "only-log": 0, "only-other": 1,
    }  # fmt: skip


def test_what_has_no_id_in_common_is_likely_the_same_by_model_tokens_and_time() -> None:
    log = side({"likely": 5, "at": 10_000_000}, {"likely": 5, "at": 20_000_000})
    other = side({"likely": 5, "at": 11_900_000}, {"likely": 6, "at": 20_000_000})
    found = compare(log, other)
    assert found.totals() == {"both": 0, "likely": 1, "only-log": 1, "only-other": 1}


def test_each_is_paired_once() -> None:
    log = side(*({"likely": 5, "at": at} for at in (0, 1, 2)))
    other = side({"likely": 5, "at": 1})
    assert compare(log, other).totals() == {
        "both": 0, "likely": 1, "only-log": 2, "only-other": 0,
    }  # fmt: skip


def test_nothing_is_likely_where_tokens_are_not_known() -> None:
    assert compare(side({"at": 1}), side({"at": 1})).totals()["likely"] == 0


def test_what_is_missing_is_listed_by_time_with_its_place() -> None:
    log = side({"response": 1, "at": 5, "model": "b"}, name="#")
    other = side(
        {"response": 2, "at": 9, "model": "a"}, {"response": 3, "at": 2, "model": "b"}, name="line "
    )
    assert list(compare(log, other).missing()) == [
        Call("only-other", 2, "b", "line 1"),
        Call("only-log", 5, "b", "#0"),
        Call("only-other", 9, "a", "line 0"),
    ]


def test_counts_by_hour_and_model_and_within_a_time() -> None:
    log = side({"response": 1, "at": 10, "model": "a"}, {"response": 2, "at": HOUR, "model": "b"})
    other = side({"response": 1, "at": 12, "model": "x/a"}, {"response": 3, "at": -1})
    found = compare(log, other)
    assert found.by_hour() == [(-HOUR, [0, 0, 0, 1]), (0, [1, 0, 0, 0]), (HOUR, [0, 0, 1, 0])]
    assert found.by_model() == [("", [0, 0, 0, 1]), ("a", [1, 0, 0, 0]), ("b", [0, 0, 1, 0])]
    assert found.within(0, HOUR).totals()["both"] == 1
    assert sum(found.within(0, HOUR).totals().values()) == 1


@pytest.mark.parametrize("empty", ["left", "right", "both"])
def test_a_side_may_be_empty(empty: str) -> None:
    one, none = side({"response": 1}), side()
    left, right = {"left": (none, one), "right": (one, none), "both": (none, none)}[empty]
    found = compare(left, right)
    assert sum(found.totals().values()) == (0 if empty == "both" else 1)
    assert found.by_hour() == [] or len(found.by_hour()) == 1


records = st.lists(
    st.fixed_dictionaries(
        {
            "response": st.integers(0, 4),
            "span": st.integers(0, 3),
            "likely": st.integers(0, 2),
            "at": st.integers(0, 5_000_000),
        }
    ),
    max_size=12,
)


@given(records, records)
def test_every_call_is_counted_once_and_sides_may_be_swapped(
    left: list[dict[str, Any]], right: list[dict[str, Any]]
) -> None:
    there = compare(side(*left), side(*right)).totals()
    back = compare(side(*right), side(*left)).totals()
    assert there["both"] == back["both"]
    assert (there["only-log"], there["only-other"], there["likely"]) == (
        back["only-other"], back["only-log"], back["likely"],
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(1, 2), st.integers(0, 6_000_000), st.booleans()), max_size=20)
)
def test_pairs_are_of_two_sides_near_in_time_and_no_call_is_in_two(
    calls: list[tuple[int, int, bool]],
) -> None:
    likely = np.array([key for key, _, _ in calls], dtype=np.uint64)
    times = np.array([at for _, at, _ in calls], dtype=np.int64)
    verdict = np.array([3 if right else 2 for _, _, right in calls], dtype=np.int8)
    found = pairs(likely, times, verdict)
    used = [at for pair in found for at in pair]
    assert len(used) == len(set(used))
    for left, right in found:
        assert (VERDICTS[verdict[left]], VERDICTS[verdict[right]]) == ("only-log", "only-other")
        assert likely[left] == likely[right]
        assert abs(times[left] - times[right]) <= 2_000_000
