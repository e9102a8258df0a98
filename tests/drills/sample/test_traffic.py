"""When people come, and who gets which model version."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from drills.sample.company import DAY, END, HOUR, START, at, support_version
from drills.sample.dice import Dice
from drills.sample.people import People
from drills.sample.traffic import moment, moments, sessions, share_of


@given(st.floats(0, 0.999))
def test_moment_and_share_undo_each_other(share: float) -> None:
    assert START <= moment(share) < END
    assert abs(share_of(moment(share)) - share) < 1e-6


@given(st.integers(1, 60), st.integers(0, 13 * 24), st.integers(1, 24), st.integers(0, 99))
def test_moments_are_in_order_and_inside(count: int, hour: int, hours: int, seed: int) -> None:
    first = START + hour * HOUR
    found = list(moments(Dice(seed), count, first, first + hours * HOUR))
    assert found == sorted(found)
    assert len(found) == count
    assert first <= found[0]
    assert found[-1] <= first + hours * HOUR + HOUR


def test_days_are_busier_than_nights_and_weekdays_than_sundays() -> None:
    hours: Counter[int] = Counter()
    days: Counter[int] = Counter()
    for start, turns in sessions(Dice("rhythm"), People(1, 300), 12_000):
        size = sum(len(turn.calls) for turn in turns)
        hours[(start - START) % DAY // HOUR] += size
        days[(start - START) // DAY % 7] += size
    assert hours[14] > 8 * hours[3]
    assert days[1] > 1.5 * days[6]


def test_a_few_customers_come_again_and_again() -> None:
    seen: Counter[str] = Counter()
    for _, turns in sessions(Dice("zipf"), People(1, 600), 6000):
        seen[turns[0].who.user] += 1
    del seen[""]
    ranked = [count for _, count in seen.most_common()]
    assert ranked[0] > 8
    assert ranked[len(ranked) // 2] <= 3


def test_a_canary_is_sticky_and_only_grows() -> None:
    order = ["1.4.2", "1.5.0", "1.5.1"]
    for bucket in range(100):
        met = [support_version("wren-web", START + h * HOUR, bucket) for h in range(336)]
        ranks = [order.index(version) for version in met]
        assert ranks == sorted(ranks)
    share = [support_version("wren-web", at(10, 12), bucket) for bucket in range(100)]
    assert share.count("1.5.1") == 40
