"""The log grows, questions take long or fail: the screen says so and stays alive."""

from __future__ import annotations

import threading

import pytest
from support.console_pilot import press, screen_of, seen, settle
from support.fake_explorer import session

from console.tui.screens.help import HelpScreen
from console.tui.screens.report import ReportScreen


async def test_following_keeps_up_and_scrolling_up_pauses(open_console):
    fake = session(500)
    async with open_console(fake) as pilot:
        await press(pilot, "f")
        assert "▶ FOLLOWING" in seen(pilot)
        fake.explorer.size = 540
        screen_of(pilot).look_again()
        await settle(pilot)
        assert screen_of(pilot).rows.cursor == 539
        await press(pilot, "up", "up")
        assert "‖ PAUSED" in seen(pilot)
        fake.explorer.size = 577
        screen_of(pilot).look_again()
        await settle(pilot)
        assert screen_of(pilot).rows.cursor == 537
        assert "37 new ↓" in seen(pilot)
        await press(pilot, "G")
        assert "new ↓" not in seen(pilot)
        assert "▶ FOLLOWING" in seen(pilot)
        await press(pilot, "f")
        assert "FOLLOWING" not in seen(pilot)


async def test_new_records_appear_by_themselves_within_two_seconds(open_console):
    fake = session(500)
    async with open_console(fake) as pilot:
        fake.explorer.size = 504
        await pilot.pause(1.9)
        await settle(pilot)
        assert "500/504 records" in seen(pilot)
        assert "4 new ↓" in seen(pilot)


async def test_an_empty_log_fills_by_itself(open_console):
    fake = session(0)
    async with open_console(fake) as pilot:
        assert "This log is empty." in seen(pilot)
        fake.explorer.size = 3
        screen_of(pilot).look_again()
        await settle(pilot)
        assert "3/3 calls" in seen(pilot)


@pytest.mark.parametrize("method", ["select", "rows"])
async def test_a_failure_is_told_with_what_to_do_and_can_be_tried_again(open_console, method):
    fake = session(300, fails=method)
    async with open_console(fake) as pilot:
        assert "cannot be read" in seen(pilot)
        assert "Run `aircon verify`" in seen(pilot)
        fake.explorer.fails = ""
        await press(pilot, "r")
        assert "300/300 records" in seen(pilot)


async def test_a_failing_detail_does_not_take_the_table_along(open_console):
    async with open_console(session(300, fails="detail")) as pilot:
        await press(pilot, "enter")
        assert "cannot be read (detail)" in seen(pilot)
        await press(pilot, "escape")
        assert "300/300 records" in seen(pilot)


async def test_a_tail_that_fails_is_shown_until_it_works_again(open_console):
    fake = session(300)
    async with open_console(fake) as pilot:
        fake.explorer.fails = "refresh"
        screen_of(pilot).look_again()
        await settle(pilot)
        assert "! NOT UPDATING" in seen(pilot)
        fake.explorer.fails = ""
        screen_of(pilot).look_again()
        await settle(pilot)
        assert "NOT UPDATING" not in seen(pilot)


async def test_a_slow_question_can_be_stopped_and_the_screen_stays_alive(open_console):
    fake = session(300, select_waits=threading.Event())
    async with open_console(fake, rest=False) as pilot:
        await pilot.pause(0.4)
        assert "Searching" in seen(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.press("escape")
        await settle(pilot)
        assert "Stopped." in seen(pilot)
        assert ("cancel",) in fake.explorer.calls
        fake.explorer.select_waits.set()
        await press(pilot, "r")
        assert "300/300 records" in seen(pilot)


async def test_quitting_does_not_wait_for_what_still_runs(open_console):
    fake = session(300, select_waits=threading.Event())
    fake.verify_waits = threading.Event()
    async with open_console(fake, rest=False) as pilot:
        await pilot.pause(0.1)
        await pilot.press("q")
    assert ("cancel",) in fake.explorer.calls


async def test_an_older_answer_never_replaces_a_newer_question(open_console):
    fake = session(300)
    async with open_console(fake) as pilot:
        screen = screen_of(pilot)
        old = screen.selection
        await press(pilot, "exclamation_mark")
        from console.tui.messages import Selected

        screen.post_message(Selected(1, old))
        await settle(pilot)
        assert screen.selection.filter.errors_only


async def test_verification_is_reported_repeated_and_never_only_a_colour(open_console):
    fake = session(300)
    fake.verdict = "tampering"
    async with open_console(fake) as pilot:
        assert "✘ TAMPERING FOUND" in seen(pilot)
        await press(pilot, "v")
        assert isinstance(pilot.app.screen, ReportScreen)
        assert "record 1234: leaf hash differs" in seen(pilot)
        assert "$ aircon verify" in seen(pilot)
        fake.verdict = "verified"
        await press(pilot, "r")
        assert fake.verified == 2
        assert "✔ VERIFIED" in seen(pilot)
        await press(pilot, "escape")
        assert "✔ VERIFIED" in seen(pilot)


async def test_a_running_verification_can_be_stopped(open_console):
    fake = session(300)
    fake.verify_waits = threading.Event()
    async with open_console(fake, rest=False) as pilot:
        await pilot.pause(0.3)
        assert "… VERIFYING 50 %" in seen(pilot)
        await pilot.press("v", "x")
        await settle(pilot)
        await press(pilot, "escape")
        assert "○ NOT VERIFIED (stopped)" in seen(pilot)
