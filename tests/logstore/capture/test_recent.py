"""What is remembered of senders' names is bounded in bytes, whatever they call things."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.capture import linking
from logstore.capture.decoders.otlp_identity import MAX_ID, TraceIdentities, memorable, weight
from logstore.capture.interaction import Subject
from logstore.capture.items import Context
from logstore.capture.linking import Linker, Sighting
from logstore.capture.recent import Recent

MIB = 2**20
BOUND = 4 * MIB


def long(name: str, number: int) -> str:
    """A name as long as one may be, with characters of four bytes."""
    return f"{name}{number}".ljust(MAX_ID, "\U0001f600")


def who(number: int, people: int = 4) -> Context:
    """Somebody whose every name is long."""
    subjects = (
        Subject(long(f"p{each}-", number), long("f", each), "sdk") for each in range(people)
    )
    return Context(tuple(subjects), long("s", number), long("c", number), long("a", number))


def grown(work: Callable[[], object]) -> int:
    """Bytes that are held after some work."""
    tracemalloc.start()
    try:
        kept = work()
        held, _ = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return held


@pytest.mark.parametrize("spans_a_trace", [1, 50, 5_000])
def test_long_names_of_spans_stay_within_the_bound(spans_a_trace: int) -> None:
    def fill() -> TraceIdentities:
        known = TraceIdentities(200_000, BOUND)
        for number in range(2_000):
            trace = long("t", number // spans_a_trace)
            known.saw(trace, long("n", number), long("u", number), who(number))
        assert BOUND / 10 < known.weight <= BOUND
        return known

    assert grown(fill) < 1.2 * BOUND


def test_many_short_spans_take_what_they_are_taken_to_take() -> None:
    def fill() -> TraceIdentities:
        known = TraceIdentities(200_000, BOUND)
        for number in range(20_000):
            known.saw(f"{number:032x}", f"{number:016x}", "", None)
        assert 0.9 * BOUND < known.weight <= BOUND
        return known

    assert grown(fill) < 1.2 * BOUND


@pytest.mark.parametrize("is_trace", [True, False])
def test_what_a_linker_waits_for_and_whom_it_knows_stays_within_the_bound(
    is_trace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "MAX_BYTES", BOUND)

    def fill() -> Linker:
        linker = Linker()
        for number in range(3_000):
            trace = long("t", number) if is_trace else ""
            talk = None if is_trace else long("c", number)
            named = None if is_trace or number % 2 else who(number)
            unnamed = named is None
            seen = Sighting("live/x", trace, "", long("u", number), None, named, talk, unnamed)
            linker.stored([(seen, number)])
        return linker

    assert grown(fill) < 2.4 * BOUND  # what waits, and the people of conversations


def test_names_that_are_too_long_are_not_remembered() -> None:
    known = TraceIdentities()
    known.saw("t" * (MAX_ID + 1), "s", "", who(1))
    known.saw("t", "s" * (MAX_ID + 1), "", who(1))
    assert known.size == 0
    endless = Context((Subject("x" * (MAX_ID + 1), "enduser.id", "sdk"),))
    assert memorable(endless) is None
    assert memorable(who(1)) is not None
    assert weight(memorable(who(1, people=500))) < 33 * 2 * 4 * (MAX_ID + 200)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 5), st.integers(0, 900)), max_size=60
    )
)
def test_counts_and_sizes_are_those_of_what_is_held(steps: list[tuple[str, int, int]]) -> None:
    recent: Recent[int] = Recent(10, 3_000)
    for key, count, size in steps:
        if size % 7 == 0:
            recent.forget(key)
        else:
            recent.put(key, size, count=count, size=size)
        left = [each for each in "abcdef" if recent.get(each) is not None]
        assert recent.size == sum(map(recent.size_of, left))
        assert len(left) <= 1 or (recent.count <= 10 and recent.size <= 3_000)
    for each in "abcdef":
        recent.forget(each)
    assert recent.count == recent.size == 0
