"""Facts into words and cells, without a terminal."""

from __future__ import annotations

import shlex
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from support.fake_explorer import START_US, STEP_US, FakeExplorer

from console.presenters import command, evidence, rows
from console.presenters.bars import bars, span_of, ticks
from console.presenters.figures import duration, moment, short
from console.presenters.spans import clip, fit, width
from console.presenters.talk import talk
from console.presenters.verdict import Standing, mark, summary
from console.presenters.wrapping import wrap
from console.text import one_line, safe_text
from logstore.query.filters import Filter

ANY_TEXT = st.text(max_size=400)


@given(ANY_TEXT, st.integers(1, 60), st.booleans())
def test_a_cell_is_exactly_as_wide_as_it_should_be(text, cells, right):
    assert cell_len(fit(text, cells, right=right)) == cells


@given(ANY_TEXT, st.integers(0, 60))
def test_a_clipped_text_fits_and_a_text_that_fits_is_whole(text, cells):
    shown = clip(text, cells)
    assert cell_len(shown) <= cells
    if cell_len(one_line(text)) <= cells:
        assert shown == one_line(text)


@given(ANY_TEXT, st.integers(4, 40))
def test_wrapping_loses_nothing_but_spaces_and_never_overflows(text, cells):
    lines = list(wrap(text, cells))
    assert all(cell_len(line) <= cells for line in lines)
    told = "".join("".join(lines).split())
    assert told == "".join(safe_text(text).split())


@pytest.mark.parametrize("cells", range(20, 200, 7))
def test_every_row_is_as_wide_as_its_columns(cells):
    columns = rows.layout(cells)
    made = FakeExplorer(100, hostile=True)
    wanted = width(rows.heading(columns))
    for index in range(40):
        assert width(rows.cells(made.row(index), columns, Standing())) == wanted
    assert width(rows.waiting(columns)) == wanted


def test_a_wider_table_never_loses_a_column():
    names = [{c.name for c in rows.layout(cells)} for cells in range(60, 240)]
    assert all(narrow <= wide for narrow, wide in pairwise(names))


def test_verified_is_said_only_of_what_a_checkpoint_covers():
    standing = Standing("verified", checkpoint=10, size=15, sealed=10)
    assert mark(9, standing)[0] == "✔"
    assert mark(10, standing)[0] == "○"
    words = "".join(span.text for span in summary(standing))
    assert words == "✔ VERIFIED to checkpoint 10 of 15 records, 5 unsealed"
    assert mark(9, Standing("tampering", checkpoint=10, size=15, sealed=10))[0] == "●"


def test_a_bucket_that_does_not_answer_is_said_beside_the_verdict():
    standing = Standing("verified", checkpoint=10, size=15, sealed=10, away=True)
    words = "".join(span.text for span in summary(standing))
    assert words.endswith(", 5 unsealed, bucket away")


@given(st.text(min_size=1, max_size=60).filter(str.isprintable))
def test_the_command_line_can_be_given_to_a_shell(text):
    said = shlex.split(command.search(Filter(text=text, kind="interaction")))
    assert said[:2] == ["aircon", "search"]
    assert said[-1] == text


def test_control_characters_in_a_command_are_escaped_never_raw():
    said = command.search(Filter(user="a\x1b]0;x\x07'\u202e"))
    assert said.isprintable()
    assert r"$'a\x1b]0;x\x07\'\u202e'" in said


def test_bars_show_even_a_single_record():
    assert bars([1, 1_000], 2)[1][0] == "▁"
    assert bars([], 2) == ["", ""]
    assert bars([0, 0], 1) == ["  "]


@given(st.integers(1, 10**15), st.integers(1, 300))
def test_the_axis_is_exactly_as_wide_as_the_bars(span, cells):
    assert cell_len(ticks(START_US, START_US + span, cells)) == cells


@given(st.integers(1, 200), st.data())
def test_a_picked_range_covers_its_buckets(buckets, data):
    first, last = (data.draw(st.integers(0, buckets - 1)) for _ in range(2))
    since, until = span_of(first, last, START_US, START_US + 1_000 * STEP_US, buckets)
    assert START_US <= since < until <= START_US + 1_000 * STEP_US


def test_a_message_sent_again_is_folded():
    made = FakeExplorer(10)
    first = made.detail(0)
    text = "\n".join("".join(s.text for s in line) for line in talk([first, first], 0, 80))
    assert text.count("You are a helpful support assistant.") == 1
    assert "3 earlier messages sent again" in text


def test_bytes_that_are_no_text_are_shown_in_hex():
    import msgspec

    detail = FakeExplorer(10).detail(0)
    body = msgspec.structs.replace(detail.body, raw=bytes(range(256)))
    from dataclasses import replace

    shown = evidence.raw(replace(detail, body=body), 80)
    text = "\n".join("".join(s.text for s in line) for line in shown)
    assert "00000010  10 11 12" in text


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (None, ""),
        (12, "12 µs"),
        (4_500, "4 ms"),
        (2_500_000, "2.5 s"),
        (3_700_000_000, "1 h 1 min"),
    ],
)
def test_durations_read_well(us, said):
    assert duration(us) == said


def test_figures_outside_the_calendar_do_not_crash():
    assert moment(2**62) == f"@{2**62}"
    assert short(123_456_789) == "123M"
