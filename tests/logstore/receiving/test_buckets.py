"""Rates: what is admitted over any time, and whether the wait that is told is the truth."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstore.receiving.buckets import BURST_S, MAX_WAIT_S, Meter, Rate

rates = st.integers(1, 10_000)
costs = st.integers(1, 20_000)
steps = st.lists(st.tuples(st.floats(0, 30), costs), min_size=1, max_size=60)


def test_a_burst_then_the_rate() -> None:
    meter = Meter(Rate(records_per_s=10), 0)
    assert [meter.charge(0, records=10) for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    assert meter.charge(0.9, records=10) == 1
    assert meter.charge(1, records=10) == 0


def test_a_batch_larger_than_a_bucket_is_slowed_down_and_not_shut_out() -> None:
    meter = Meter(Rate(records_per_s=10), 0)
    assert meter.charge(0, records=512) == 0
    assert meter.charge(0, records=1) == 47
    assert meter.charge(46, records=1) == 1
    assert meter.charge(47, records=1) == 0


def test_who_exceeds_one_limit_is_charged_for_none() -> None:
    meter = Meter(Rate(records_per_s=10, bytes_per_s=1_000), 0)
    assert meter.charge(0, records=50, size=1) == 0
    for _ in range(20):
        assert meter.charge(0, records=1, size=4_000) == 1
    assert meter.charge(0, size=4_999) == 0


def test_without_limits_everything_is_admitted() -> None:
    meter = Meter(Rate(), 0)
    assert not any(meter.charge(0, records=10**9, size=10**12) for _ in range(100))


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    meter = Meter(Rate(records_per_s=1), 100)
    assert meter.charge(100, records=5) == 0
    assert meter.charge(-1e9, records=1) == 1
    assert meter.charge(100.5, records=1) == 1
    assert meter.charge(101, records=1) == 0


@given(rates, steps)
def test_no_more_than_the_rate_is_admitted(rate: int, asked: list[tuple[float, int]]) -> None:
    now, admitted = 0.0, 0
    meter = Meter(Rate(records_per_s=rate), now)
    largest = max(cost for _, cost in asked)
    for pause, cost in asked:
        now += pause
        admitted += cost if meter.charge(now, records=cost) == 0 else 0
        assert admitted <= rate * (BURST_S + now) + largest + 1e-3


@given(rates, rates, steps)
@example(1, 6, [(1.2339875731905394, 109), (1.0131418284210447, 8064), (0.0, 5)])
def test_who_waits_as_told_is_admitted(
    records: int, size: int, asked: list[tuple[float, int]]
) -> None:
    now = 0.0
    meter = Meter(Rate(records, size), now)
    for pause, cost in asked:
        now += pause
        wait = meter.charge(now, records=cost, size=cost * 7)
        while wait:
            assert 1 <= wait <= MAX_WAIT_S
            longest = wait == MAX_WAIT_S
            now += wait
            wait = meter.charge(now, records=cost, size=cost * 7)
            assert wait == 0 or longest


@pytest.mark.parametrize("cost", [0, -1])
def test_nothing_costs_nothing(cost: int) -> None:
    meter = Meter(Rate(records_per_s=1), 0)
    assert meter.charge(0, records=500) == 0
    assert meter.charge(0, records=cost) == 0
    assert meter.charge(0, records=1) == 496


@given(rates, rates, st.lists(st.tuples(st.floats(0, 3), costs, costs), min_size=1, max_size=60))
def test_a_request_sent_away_leaves_every_bucket_as_if_it_had_never_come(
    records: int, size: int, asked: list[tuple[float, int, int]]
) -> None:
    now = 0.0
    meter, calm = Meter(Rate(records, size), now), Meter(Rate(records, size), now)
    for pause, count, length in asked:
        now += pause
        if meter.charge(now, size=length):
            continue
        if meter.charge(now, records=count):  # its bytes are paid when its records are counted
            meter.refund(size=length)
            continue
        assert calm.charge(now, size=length) == 0
        assert calm.charge(now, records=count) == 0
    for cost in (1, size, size * BURST_S):  # what is left is the same
        assert abs(meter.charge(now, size=cost) - calm.charge(now, size=cost)) <= 1


def test_a_refund_fills_no_bucket_beyond_its_brim() -> None:
    meter = Meter(Rate(records_per_s=10, bytes_per_s=10), 0)
    assert meter.charge(0, records=20, size=20) == 0
    assert meter.charge(60, records=1) == 0
    meter.refund(records=20, size=20)
    assert meter.charge(60, records=50, size=50) == 0
    assert meter.charge(60, records=1) == meter.charge(60, size=1) == 1


def test_who_was_sent_away_for_its_records_is_not_looked_at_before_the_time_it_was_told() -> None:
    meter = Meter(Rate(records_per_s=10, bytes_per_s=10), 100)
    assert meter.early(100) == 0
    assert meter.charge(100, records=50) == 0
    assert meter.charge(100, records=12) == 2
    assert [meter.early(at) for at in (100, 100.5, 101, 101.9, 102)] == [2, 2, 1, 1, 0]
    assert meter.charge(102, records=12) == 0
    assert meter.charge(102, size=60) == 0
    assert meter.charge(102, size=60) == 6  # which is known before anything is decoded
    assert meter.early(102) == 0


def test_who_comes_meanwhile_moves_nobodys_time() -> None:
    meter = Meter(Rate(records_per_s=10), 0)
    assert meter.charge(0, records=50) == 0
    assert meter.charge(0, records=12) == 2
    assert meter.charge(0, records=500) == 5  # they were on their way when the first one was told
    assert meter.charge(0, records=1) == 2
    assert meter.early(1) == 1
    assert meter.early(2) == 0


@given(rates, st.floats(0, 1e9), steps)
def test_who_waits_as_told_is_looked_at(
    rate: int, now: float, asked: list[tuple[float, int]]
) -> None:
    meter = Meter(Rate(records_per_s=rate), now)
    for pause, cost in asked:
        now += pause
        told = meter.early(now) or meter.charge(now, records=cost)
        assert told <= MAX_WAIT_S
        assert meter.early(now + told) == 0
