from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from logstore.query.parts import (
    PART_RECORDS,
    Part,
    cover,
    gaps,
    merge_tail,
    parse_name,
    period_of,
    split_runs,
)

parts = st.builds(
    lambda first, count, month: Part(first, first + count, f"2026-{month:02d}"),
    st.integers(0, 500),
    st.integers(1, 200),
    st.integers(1, 12),
)


def us(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc]


@given(parts)
def test_a_file_name_tells_its_part(part: Part) -> None:
    assert parse_name(part.file_name) == part


def test_other_names_are_no_parts() -> None:
    for name in (
        "build.lock",
        "2026-11.000-001.duckdb",
        "x.duckdb",
        Part(0, 1, "2026-11").file_name + ".9.new",
    ):
        assert parse_name(name) is None
    assert parse_name("2026-11.000000000000005-000000000000005.duckdb") is None


@given(st.lists(parts, max_size=12), st.integers(0, 800))
def test_chosen_parts_and_gaps_tile_the_log_exactly(found: list[Part], end: int) -> None:
    chosen = cover(found, end)
    spans = sorted([(part.first, part.end) for part in chosen] + gaps(chosen, end))
    at = 0
    for first, stop in spans:
        assert first == at
        at = stop
    assert at == end


def test_a_merged_part_wins_over_the_small_ones_it_replaced() -> None:
    small = [Part(0, 10, "2026-11"), Part(10, 20, "2026-11")]
    whole = Part(0, 20, "2026-11")
    assert cover([*small, whole], 30) == [whole]


@given(st.lists(st.integers(us(2025, 1, 1), us(2027, 1, 1)), max_size=300), st.integers(0, 99))
def test_runs_cover_every_record_and_keep_periods_apart(moments: list[int], first: int) -> None:
    runs = split_runs(first, moments)
    assert sum(run.count for run in runs) == len(moments)
    for run in runs:
        assert {period_of(moments[at - first]) for at in range(run.first, run.end)} == {run.period}
        assert run.count <= PART_RECORDS


def test_a_period_is_a_utc_month_even_for_impossible_clocks() -> None:
    assert period_of(us(2026, 11, 30, 23, 59)) == "2026-11"
    assert period_of(us(2026, 12, 1)) == "2026-12"
    assert (period_of(10**30), period_of(-(10**30))) == ("9999-12", "0001-01")


def test_each_record_is_rewritten_only_a_few_times() -> None:
    present: list[Part] = []
    rewritten = 0
    step = 16_384
    for first in range(0, 64 * step, step):
        fresh = Part(first, first + step, "2026-11")
        old = merge_tail(present, fresh)
        rewritten += sum(part.count for part in old)
        present = [part for part in present if part not in old]
        present.append(Part(old[0].first if old else first, first + step, "2026-11"))
    assert len(present) <= 64 * step // PART_RECORDS + 5
    assert rewritten / (64 * step) < 6


def test_parts_of_another_period_or_beyond_the_limit_are_left_alone() -> None:
    fresh = Part(100, 200, "2026-12")
    assert merge_tail([Part(0, 100, "2026-11")], fresh) == []
    big = Part(0, PART_RECORDS - 50, "2026-12")
    assert merge_tail([big], Part(big.end, big.end + 100, "2026-12")) == []
