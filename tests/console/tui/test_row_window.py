"""The table holds a million rows by holding almost none of them."""

from __future__ import annotations

from support.console_pilot import press, screen_of, seen, settle
from support.fake_explorer import session

from console.tui.widgets.pages import KEPT, PAGE, Pages


async def test_a_million_rows_cost_a_handful_of_pages(open_console):
    fake = session(1_000_000)
    async with open_console(fake, (120, 40)) as pilot:
        rows = screen_of(pilot).rows
        assert rows.fetches <= 3
        assert "1,000,000/1,000,000" in seen(pilot)
        await press(pilot, "home")
        assert rows.cursor == 0
        assert rows.fetches <= 6
        for position in range(0, 1_000_000, 25_000):
            rows.go_to(position)
            await settle(pilot)
        assert rows.pages_held <= KEPT
        assert rows.fetches <= 6 + 40 * 4
        asked = [call for call in fake.explorer.calls if call[0] == "rows"]
        assert max(count for _, _, count in asked) <= PAGE


async def test_dragging_through_a_million_rows_fetches_what_is_seen_at_the_end(open_console):
    fake = session(1_000_000)
    async with open_console(fake) as pilot:
        rows = screen_of(pilot).rows
        before = rows.fetches
        for y in range(0, 1_000_000, 1_000):
            rows.scroll_to(y=y, animate=False, immediate=True)
        await settle(pilot)
        assert rows.fetches - before <= 8


async def test_moving_within_a_page_fetches_nothing(open_console):
    async with open_console(session(1_000)) as pilot:
        rows = screen_of(pilot).rows
        rows.go_to(500)
        await settle(pilot)
        before = rows.fetches
        await press(pilot, "up", "down", "k", "j")
        assert rows.fetches == before
        assert rows.cursor == 500


async def test_pages_and_ends_are_reached_by_keys(open_console):
    async with open_console(session(1_000)) as pilot:
        rows = screen_of(pilot).rows
        await press(pilot, "g")
        assert rows.cursor == 0
        await press(pilot, "pagedown", "space", "ctrl+d")
        assert rows.cursor > 30
        await press(pilot, "pageup", "ctrl+u", "pageup")
        assert rows.cursor == 0
        await press(pilot, "G")
        assert rows.cursor == 999


def test_the_page_that_was_not_full_is_fetched_again_when_the_log_grows():
    pages = Pages()
    pages.count = 130
    pages.put(0, ["row"] * PAGE)
    pages.put(1, ["row"] * 2)
    assert pages.missing(0, 129) is None
    pages.grow(140)
    assert pages.missing(0, 139) == 1


def test_nothing_is_missing_where_there_are_no_rows():
    assert Pages().missing(0, 20) is None
