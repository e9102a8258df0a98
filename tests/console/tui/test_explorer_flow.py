"""A person looks around: filters, pivots, the histogram, and back to where one was."""

from __future__ import annotations

import time

import pytest
from support.console_pilot import go_to, press, screen_of, seen, settle
from support.fake_explorer import START_US, STEP_US, FakeExplorer, FakeSession, session

from console.tui.screens.choice import ChoiceScreen
from logstore.query.filters import Filter


async def test_the_first_screen_shows_the_newest_rows_and_how_far_they_are_verified(open_console):
    async with open_console(session(1_000)) as pilot:
        screen = seen(pilot)
        assert "✔ VERIFIED 963/1,000, 37 unsealed" in screen
        assert "$ aircon search" in screen
        assert "1,000/1,000 records" in screen
        assert screen_of(pilot).rows.cursor == 999
        assert "omar@example" in screen


async def test_verifying_waits_until_the_first_rows_are_in_sight(open_console):
    fake = session(1_000)
    rows = fake.explorer.rows
    verified_before: list[int] = []

    def slow(*asked):
        time.sleep(0.2)
        verified_before.append(fake.verified)
        return rows(*asked)

    fake.explorer.rows = slow
    async with open_console(fake) as pilot:
        assert verified_before[0] == 0
        assert "✔ VERIFIED" in seen(pilot)


async def test_a_typed_filter_is_applied_and_shown_as_a_command(open_console):
    async with open_console(session(600)) as pilot:
        await press(pilot, "slash", "ctrl+l", *"user:li.wei", "enter")
        assert screen_of(pilot).trail.here.filter == Filter(user="li.wei")
        assert "aircon search --user li.wei --kind '*'" in seen(pilot)
        assert screen_of(pilot).focused is screen_of(pilot).rows


async def test_a_wrong_filter_is_explained_in_place_and_nothing_else_changes(open_console):
    async with open_console(session(600)) as pilot:
        before = screen_of(pilot).trail.here
        await press(pilot, "slash", "ctrl+l", *"usr:maria", "enter")
        assert "! usr: at character 1 is not a filter key; did you mean user:?" in seen(pilot)
        assert screen_of(pilot).trail.here == before
        await press(pilot, "x")
        assert "did you mean" not in seen(pilot)


async def test_leaving_the_filter_line_drops_what_was_typed(open_console):
    async with open_console(session(60)) as pilot:
        await press(pilot, "slash", *"abc", "escape")
        assert "kind:interaction abc" not in seen(pilot)
        assert screen_of(pilot).focused is screen_of(pilot).rows


async def test_the_filter_line_remembers_what_was_asked_before(open_console):
    async with open_console(session(60)) as pilot:
        await press(pilot, "slash", "ctrl+l", *"is:error", "enter")
        await press(pilot, "slash", "ctrl+l", *"order", "enter")
        await press(pilot, "slash", "up", "up")
        field = screen_of(pilot).query_one("#filter").field
        assert field.value == "is:error"
        await press(pilot, "down")
        assert field.value == "order"


async def test_pasted_control_characters_never_stand_in_the_filter_line(open_console):
    async with open_console(session(60)) as pilot:
        field = screen_of(pilot).query_one("#filter").field
        field.value = "a\x1b]0;PWNED\x07\u202eb"
        await settle(pilot)
        assert field.value == "a␛]0;PWNED␇⟦U+202E⟧b"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("u", Filter(user="maria.keller")),
        ("s", Filter(session="sess-000007")),
        ("m", Filter(model_version="gpt-5-2026-08-07")),
        ("a", Filter(application="support-bot")),
    ],
)
async def test_a_pivot_leads_to_the_others_and_back_to_where_one_was(open_console, key, expected):
    async with open_console(session(600)) as pilot:
        await go_to(pilot, 21)
        row = screen_of(pilot).row
        assert row is not None
        known = {
            "u": row.user,
            "s": row.session,
            "m": row.model_version or row.model,
            "a": row.application,
        }[key]
        await press(pilot, "p", key)
        here = screen_of(pilot).trail.here.filter
        assert known in (here.user, here.session, here.model, here.model_version, here.application)
        assert here == expected
        await press(pilot, "b")
        assert screen_of(pilot).trail.here.filter == Filter(kind="interaction")
        assert screen_of(pilot).row is not None
        assert screen_of(pilot).row.index == 21


async def test_similar_text_becomes_a_place_of_its_own(open_console):
    async with open_console(session(600)) as pilot:
        await press(pilot, "p", "t")
        assert "similar to record 599" in seen(pilot)
        assert "100/100 calls" in seen(pilot)
        await press(pilot, "b")
        assert "600/600 records" in seen(pilot)


async def test_the_same_call_is_found_or_said_to_be_missing(open_console):
    async with open_console(session(600)) as pilot:
        await go_to(pilot, 13)
        await press(pilot, "p", "c")
        assert "same call as record 13" in seen(pilot)
        assert "2/2 records" in seen(pilot)
        await press(pilot, "b", "up", "p", "c")
        assert "No other record of this call" in seen(pilot)
        assert screen_of(pilot).rows.count == 600


async def test_a_pivot_that_is_not_possible_says_why(open_console):
    async with open_console(session(60, locked=True)) as pilot:
        await press(pilot, "p", "u")
        assert isinstance(pilot.app.screen, ChoiceScreen)
        assert "content is locked" in seen(pilot)
        await press(pilot, "escape")
        assert screen_of(pilot).trail.depth == 1


async def test_going_back_from_the_start_says_so(open_console):
    async with open_console(session(60)) as pilot:
        await press(pilot, "b")
        assert "This is where you started." in seen(pilot)


async def test_nothing_found_says_what_was_asked_and_how_to_go_on(open_console):
    async with open_console(session(60)) as pilot:
        await press(pilot, "slash", "ctrl+l", *"nowhere", "enter")
        assert "No record matches." in seen(pilot)
        assert 'text "nowhere"' in seen(pilot)
        await press(pilot, "enter", "e", "escape", "y", "p")
        assert "There is no record under the cursor." in seen(pilot)


async def test_the_histogram_zooms_by_keys_and_out_again(open_console):
    async with open_console(session(1_000)) as pilot:
        await press(pilot, "t", "left", "left", "shift+left")
        assert "Enter zooms in" in seen(pilot)
        await press(pilot, "enter")
        wanted = screen_of(pilot).trail.here.filter
        assert START_US < wanted.since_us < wanted.until_us <= START_US + 1_000 * STEP_US
        assert "--since 2025-11-01T" in seen(pilot)
        await press(pilot, "z")
        assert screen_of(pilot).trail.here.filter.since_us is None


async def test_a_resize_changes_the_layout_and_keeps_the_place(open_console):
    async with open_console(session(600)) as pilot:
        await go_to(pilot, 300)
        await pilot.resize_terminal(160, 50)
        await settle(pilot)
        assert screen_of(pilot).row.index == 300
        assert screen_of(pilot).detail.bundle.detail.row.index == 300
        await pilot.resize_terminal(40, 12)
        await settle(pilot)
        assert screen_of(pilot).row.index == 300
        assert "NOT" not in seen(pilot)


def test_the_fake_follows_the_contract_of_the_session():
    from console.tui.session import ExplorerLike, Session

    made: Session = FakeSession(FakeExplorer(1))
    explorer: ExplorerLike = made.explorer
    assert explorer.refresh() == 1
