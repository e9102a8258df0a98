"""A person reads a record: five views, beside the table or in its place, locked or not."""

from __future__ import annotations

import threading

import pytest
from support.console_pilot import go_to, press, screen_of, seen, settle
from support.fake_explorer import session


async def test_a_record_is_read_in_five_views(open_console):
    async with open_console(session(600)) as pilot:
        await go_to(pilot, 12)
        await press(pilot, "enter")
        assert "TOOL CALL lookup_order" in seen(pilot)
        assert "aircon show 019a3b5c" in seen(pilot)
        await press(pilot, "2")
        assert "only claimed by the caller" in seen(pilot)
        await press(pilot, "3")
        assert "SOURCE BYTES openai.pair" in seen(pilot)
        await press(pilot, "4", "end")
        assert "EXACT BYTES" in seen(pilot)
        await press(pilot, "5")
        assert "✔ yes, leaf, chain and tree" in seen(pilot)
        await press(pilot, "right_square_bracket")
        assert screen_of(pilot).rows.cursor == 13
        await press(pilot, "left_square_bracket", "left_square_bracket", "escape")
        assert screen_of(pilot).rows.cursor == 11
        assert not screen_of(pilot).reading


async def test_enter_on_a_row_that_is_still_being_fetched_opens_it_when_it_is_here(open_console):
    fake = session(600)
    async with open_console(fake) as pilot:
        fake.explorer.rows_wait = threading.Event()
        await pilot.press("home", "enter")
        await pilot.pause()
        assert "The record under the cursor is still being fetched." in seen(pilot)
        assert not screen_of(pilot).reading
        fake.explorer.rows_wait.set()
        await settle(pilot)
        assert screen_of(pilot).reading
        assert screen_of(pilot).detail.bundle.detail.row.index == 0


@pytest.mark.parametrize("key", ["down", "escape", "end"])
async def test_whoever_goes_on_meanwhile_is_not_pulled_into_the_record(open_console, key):
    fake = session(600)
    async with open_console(fake) as pilot:
        fake.explorer.rows_wait = threading.Event()
        await pilot.press("home", "enter", key)
        fake.explorer.rows_wait.set()
        await settle(pilot)
        assert not screen_of(pilot).reading


async def test_another_question_drops_the_wish_to_open_a_row(open_console):
    fake = session(600)
    async with open_console(fake) as pilot:
        last = (600 - 6) // 17  # of what failed; the cursor will stand there again
        fake.explorer.rows_wait = threading.Event()
        screen_of(pilot).rows.go_to(last)
        await pilot.press("enter", "exclamation_mark")
        fake.explorer.rows_wait.set()
        await settle(pilot)
        assert screen_of(pilot).rows.cursor == last
        assert screen_of(pilot).trail.here.filter.errors_only
        assert not screen_of(pilot).reading


async def test_side_by_side_the_detail_follows_the_cursor(open_console):
    async with open_console(session(600), (160, 50)) as pilot:
        await press(pilot, "home")
        await settle(pilot)
        assert screen_of(pilot).detail.bundle.detail.row.index == 0
        assert "#0" in seen(pilot)


async def test_content_whose_key_is_gone_is_said_to_be_gone(open_console):
    async with open_console(session(60)) as pilot:
        await go_to(pilot, 7)
        await press(pilot, "enter")
        assert "destroyed on purpose" in seen(pilot)


async def test_locked_content_shows_clear_fields_and_how_to_unlock(open_console):
    fake = session(300, locked=True)
    async with open_console(fake) as pilot:
        assert "⊘ LOCKED" in seen(pilot)
        assert "(locked)" in seen(pilot)
        await press(pilot, "u")
        assert "AIRCON_PASSPHRASE" in seen(pilot)
        await press(pilot, *"wrong", "enter")
        assert "The passphrase does not open" in seen(pilot)
        assert "wrong" not in seen(pilot).replace("passphrase", "")
        await press(pilot, "u", *"correct", "space", *"horse", "enter")
        assert "LOCKED" not in seen(pilot)
        assert "What is our refund policy" in seen(pilot)
