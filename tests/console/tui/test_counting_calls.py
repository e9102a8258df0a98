"""How many calls? What was recorded twice counts once, in the header and in the bars alike."""

from __future__ import annotations

import threading
from argparse import Namespace
from pathlib import Path

import pytest
from support.commands import line
from support.console_pilot import press, screen_of, seen, settle
from support.fake_explorer import session

from console.__main__ import main
from console.opening import OpenStore
from console.presenters.figures import tally
from console.tui.screens import counts
from console.tui.widgets.histogram import TimeHistogram

MINUTE_US = 60_000_000
START = 1_795_000_000_000_000


def said(at: int, **more: object) -> str:
    start = START + at * MINUTE_US
    known = {"start_us": start, "end_us": start + 1_000, "response_id": f"resp-{at:016d}"}
    return line(f"question {at}", f"answer {at}", "maria", **(known | more))


@pytest.fixture
def shared_store(tmp_path: Path) -> Path:
    """Twelve calls, four of which a gateway recorded too."""
    store, app, gateway = (tmp_path / name for name in ("evidence", "app.jsonl", "gateway.jsonl"))
    app.write_text("".join(said(at) + "\n" for at in range(12)))
    told = [said(at, subjects=[], format="litellm", grade="gateway") for at in range(3, 7)]
    gateway.write_text("".join(each + "\n" for each in told))
    assert main(["init", str(store), "--insecure-no-passphrase", "--origin", "t.example/log"]) == 0
    assert main(["import", str(app), str(gateway), "--store", str(store)]) == 0
    return store


def opened(store: Path, *, clear_only: bool = False) -> OpenStore:
    args = Namespace(
        store=str(store), keys=None, policy=None, clear_only=clear_only, reason=None,
        insecure_no_passphrase=not clear_only, passphrase_fd=None, passphrase_file=None,
    )  # fmt: skip
    return OpenStore(args, "console")


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
@pytest.mark.parametrize("look", ["aircon-dark", "aircon-light", "no colour"])
async def test_a_log_with_shared_calls_says_how_many_calls_and_records(
    shared_store, open_console, monkeypatch, size, look
):
    monkeypatch.setenv("TEXTUAL_THEME", look)
    if look == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    with opened(shared_store) as store:
        async with open_console(store, size) as pilot:
            assert "12 calls (16/16 records)" in seen(pilot)
            assert sum(screen_of(pilot).counted.counts) == 12
            await press(pilot, "t", "left", *["shift+left"] * size[0])
            words = "12 calls (16 records) Enter" if size[0] == 160 else "12 calls Enter zooms in"
            assert words in seen(pilot)
            await press(pilot, "escape", "slash", "ctrl+l", *"user:maria", "enter")
            assert "12/12 calls" in seen(pilot)


async def test_without_the_passphrase_it_says_records(shared_store, open_console):
    with opened(shared_store, clear_only=True) as store:
        async with open_console(store) as pilot:
            assert "16/16 records" in seen(pilot)
            assert "calls" not in seen(pilot)


async def test_first_rows_do_not_wait_until_it_is_known_which_records_are_of_one_call(
    open_console,
):
    fake = session(1_000)
    fake.explorer.rows_wait = wait = threading.Event()
    async with open_console(fake, rest=False) as pilot:
        await pilot.pause(0.2)
        assert ("find_calls",) not in fake.explorer.calls
        wait.set()
        await settle(pilot)
        assert ("find_calls",) in fake.explorer.calls
        assert "900 calls (1,000/1,000 records)" in seen(pilot)


async def test_where_calls_cannot_be_told_apart_records_are_counted(open_console):
    async with open_console(session(1_000, fails="find_calls")) as pilot:
        assert " 1,000/1,000 records" in seen(pilot)
        assert "omar@example" in seen(pilot)


async def test_what_came_since_is_counted_by_and_by(open_console, monkeypatch):
    fake = session(500)
    async with open_console(fake) as pilot:
        assert "450 calls (500/500 records)" in seen(pilot)
        fake.explorer.size = 540
        screen_of(pilot).look_again()
        await settle(pilot)
        assert "~490 calls (500/540 records)" in seen(pilot)
        monkeypatch.setattr(counts, "RECOUNT_S", 0.0)
        fake.explorer.size = 550
        screen_of(pilot).look_again()
        await pilot.pause(0.2)
        await settle(pilot)
        assert " 495 calls (500/550 records)" in seen(pilot)


async def test_a_log_that_stopped_growing_is_counted_to_its_end(open_console, monkeypatch):
    monkeypatch.setattr(counts, "RECOUNT_S", 0.3)
    fake = session(500)
    async with open_console(fake) as pilot:
        fake.explorer.size = 540
        screen_of(pilot).look_again()
        await pilot.pause(0.6)
        await settle(pilot)
        assert " 486 calls (500/540 records)" in seen(pilot)


async def test_bars_and_header_count_the_same(open_console):
    async with open_console(session(5_000)) as pilot:
        await press(pilot, "exclamation_mark")
        chosen, counted = screen_of(pilot).selection, screen_of(pilot).counted
        assert sum(counted.records) == chosen.count
        shown = screen_of(pilot).query_one(TimeHistogram)
        assert sum(counted.counts) == chosen.count
        assert shown.buckets == len(counted.counts)
        assert f"/{chosen.count} calls" in seen(pilot)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"records": 1}, "1 record"),
        ({"records": 1, "calls": 1}, "1 call"),
        ({"records": 1_310, "calls": 1_204}, "1,204 calls (1,310 records)"),
        ({"records": 1_310, "calls": 1_204, "at": "7"}, "1,204 calls (7/1,310 records)"),
        ({"records": 1_310, "calls": 1_204, "settled": False}, "~1,204 calls (1,310 records)"),
        ({"records": 9, "calls": 9, "settled": False, "at": "9"}, "9/9 records"),
        ({"records": 9, "calls": 9, "at": "9"}, "9/9 calls"),
        ({"records": 300, "calls": 0}, "0 calls (300 records)"),
    ],
)
def test_the_words_for_how_many(asked, words):
    assert tally(**asked) == words
