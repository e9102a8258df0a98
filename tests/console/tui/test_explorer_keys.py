"""Every key, click and command of the explorer does what it says."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from support.console_pilot import press, screen_of, seen, settle
from support.fake_explorer import session

from console.tui.keys import ACTIONS, DETAIL_BAR, FILTER_BAR, TABLE_KEYS, TABLE_KEYS_DEEP, TIME_BAR
from console.tui.screens.help import HelpScreen, help_lines
from console.tui.widgets.histogram import TimeHistogram


@pytest.mark.parametrize(
    ("size", "turn"),
    [((80, 24), ["rows", "histogram"]), ((160, 50), ["rows", "detail-lines", "histogram"])],
)
async def test_tab_goes_round_what_is_in_sight_and_out_of_the_filter(open_console, size, turn):
    def focused():
        return screen_of(pilot).focused.id

    async with open_console(session(60), size=size) as pilot:
        went = [focused()]
        for _ in turn:
            await press(pilot, "tab")
            went.append(focused())
        assert went == [*turn, "rows"]
        await press(pilot, "shift+tab")
        assert focused() == "histogram"
        await press(pilot, "slash", *"xyz", "tab")
        assert focused() == "rows"
        assert "xyz" not in seen(pilot)


@pytest.mark.parametrize("cells", [46, 78, 158])
def test_help_fits_any_width_and_loses_no_word(cells):
    texts = ["".join(span.text for span in spans) for spans in help_lines(cells)]
    whole = ["".join(span.text for span in spans) for spans in help_lines(1_000)]
    assert max(map(cell_len, texts)) <= cells
    assert " ".join(texts).split() == " ".join(whole).split()


async def test_help_lays_itself_out_for_the_terminal(open_console):
    async with open_console(session(60)) as pilot:
        await press(pilot, "question_mark", "end")
        assert "a checkpoint over it" in " ".join(seen(pilot).split())
        assert "not that what a record says is true." in " ".join(seen(pilot).split())
        await pilot.resize_terminal(60, 24)
        await press(pilot, "end")
        assert "not that what a record says is true." in " ".join(seen(pilot).split())


async def test_the_histogram_zooms_by_dragging(open_console):
    async with open_console(session(1_000)) as pilot:
        histogram = screen_of(pilot).query_one(TimeHistogram)
        await pilot.mouse_down(histogram, offset=(10, 1))
        await pilot.hover(histogram, offset=(30, 1))
        await pilot.mouse_up(histogram, offset=(30, 1))
        await settle(pilot)
        wanted = screen_of(pilot).trail.here.filter
        assert wanted.since_us is not None
        assert wanted.until_us is not None


async def test_clicks_move_the_cursor_and_a_double_click_opens(open_console):
    async with open_console(session(1_000)) as pilot:
        rows = screen_of(pilot).rows
        await pilot.click(rows, offset=(5, 3))
        await settle(pilot)
        assert rows.cursor == 1_000 - (rows.size.height - 1) + 2
        await pilot.double_click(rows, offset=(5, 3))
        await settle(pilot)
        assert screen_of(pilot).reading


async def test_themes_go_round(open_console):
    async with open_console(session(60)) as pilot:
        looks = [pilot.app.theme]
        for _ in range(3):
            await press(pilot, "T")
            looks.append(pilot.app.theme)
        assert looks == ["aircon-dark", "aircon-light", "aircon-contrast", "aircon-dark"]


async def test_the_palette_runs_an_action_by_name(open_console):
    async with open_console(session(60)) as pilot:
        await press(pilot, "ctrl+p", *"errors only")
        await pilot.pause(0.4)
        await press(pilot, "enter")
        assert screen_of(pilot).trail.here.filter.errors_only


@pytest.mark.parametrize(
    "bar", [DETAIL_BAR, TIME_BAR, FILTER_BAR], ids=["detail", "time", "filter"]
)
def test_no_key_bar_has_more_than_seven_entries(bar):
    assert len(bar) <= 7


@pytest.mark.parametrize("names", [TABLE_KEYS, TABLE_KEYS_DEEP])
def test_every_key_of_the_table_bar_is_an_action(names):
    assert len(names) <= 7
    assert set(names) <= {action.action for action in ACTIONS}


async def test_every_key_in_the_bar_of_the_table_does_something(open_console):
    for name in ("slash", "enter", "p", "f", "e", "question_mark"):
        async with open_console(session(60)) as pilot:
            before = seen(pilot)
            await press(pilot, name)
            assert seen(pilot) != before, name
            await press(pilot, "escape")
            assert pilot.app.screen is screen_of(pilot), name


async def test_a_click_in_the_key_bar_does_what_the_key_does(open_console):
    async with open_console(session(60)) as pilot:
        at = seen(pilot).splitlines()[-1].index("? Help")
        await pilot.click("#keys", offset=(at, 0))
        await settle(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)
        assert all(action.help in seen(pilot) for action in ACTIONS[:5])
