"""A person looks around: filters, pivots, reads, follows, and every key does what it says."""

from __future__ import annotations

import threading
import time

import pytest
from rich.cells import cell_len
from support.console_pilot import go_to, press, screen_of, seen, settle
from support.fake_explorer import START_US, STEP_US, FakeExplorer, FakeSession, session

from console.tui.keys import ACTIONS, DETAIL_BAR, FILTER_BAR, TABLE_KEYS, TABLE_KEYS_DEEP, TIME_BAR
from console.tui.screens.choice import ChoiceScreen
from console.tui.screens.help import HelpScreen, help_lines
from console.tui.screens.report import ReportScreen
from console.tui.widgets.histogram import TimeHistogram
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
        assert "100/100 records" in seen(pilot)
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
        assert "3/3 records" in seen(pilot)


async def test_nothing_found_says_what_was_asked_and_how_to_go_on(open_console):
    async with open_console(session(60)) as pilot:
        await press(pilot, "slash", "ctrl+l", *"nowhere", "enter")
        assert "No record matches." in seen(pilot)
        assert 'text "nowhere"' in seen(pilot)
        await press(pilot, "enter", "e", "escape", "y", "p")
        assert "There is no record under the cursor." in seen(pilot)


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
