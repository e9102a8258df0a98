"""The command that the explorer offers to copy asks exactly what its screen shows."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from console import asking, cli
from console.commands import command
from console.presenters.command import prove, search, show
from logstore.query.filters import Filter

WORD = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=12)
MAYBE = st.none() | WORD
MOMENT = st.none() | st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1_000_000)
FILTERS = st.builds(
    Filter,
    text=st.just("") | WORD,
    regex=st.booleans(),
    exact=st.booleans(),
    field=st.sampled_from(["any", "input", "output", "system", "tool"]),
    user=MAYBE,
    session=MAYBE,
    conversation=MAYBE,
    model=MAYBE,
    model_version=MAYBE,
    application=MAYBE,
    environment=MAYBE,
    operation=MAYBE,
    source=MAYBE,
    kind=st.none() | st.sampled_from(["interaction", "access.query"]),
    errors_only=st.booleans(),
    since_us=MOMENT,
    until_us=MOMENT,
)


@given(FILTERS)
def test_a_copied_search_asks_the_same(wanted: Filter) -> None:
    program, verb, *words = shlex.split(search(wanted, "some store"))
    row = command(verb)
    assert program == "aircon"
    assert row is not None
    args = cli.parser(row).parse_args(words)
    assert args.store == "some store"
    assert asking.wanted(args, now_us=0) == wanted


def test_copied_records_and_proofs_are_valid_calls() -> None:
    for said in (show("0190-a", "s"), prove("0190-a")):
        _, verb, *words = shlex.split(said)
        row = command(verb)
        assert row is not None
        assert cli.parser(row).parse_args(words).record == "0190-a"
