"""Every screen as a picture: what changes here was changed on purpose."""

from __future__ import annotations

import pytest
from support.console_pilot import press, seen, settle
from support.fake_explorer import session

from console.tui.app import ConsoleApp

SMALL, LARGE = (80, 24), (160, 50)

LOOKS = {
    "first-80": (SMALL, {}, ()),
    "first-160": (LARGE, {}, ()),
    "talk-80": (SMALL, {}, ("enter",)),
    "facts-160": (LARGE, {}, ("2",)),
    "raw-160": (LARGE, {}, ("3",)),
    "leaf-80": (SMALL, {}, ("4",)),
    "proof-80": (SMALL, {}, ("5",)),
    "pivot-80": (SMALL, {}, ("p",)),
    "filter-error-80": (SMALL, {}, ("slash", "ctrl+l", *"usr:x", "enter")),
    "range-80": (SMALL, {}, ("t", "left", "left", "shift+left")),
    "report-80": (SMALL, {}, ("v",)),
    "help-80": (SMALL, {}, ("question_mark",)),
    "unlock-80": (SMALL, {"locked": True}, ("u",)),
    "locked-160": (LARGE, {"locked": True}, ()),
    "empty-80": (SMALL, {"size": 0}, ()),
    "failing-80": (SMALL, {"fails": "select"}, ()),
    "huge-120": ((120, 36), {"size": 1_000_000}, ("home",)),
    "hostile-160": (LARGE, {"hostile": True, "size": 60}, ()),
    "tiny-40": ((40, 12), {}, ()),
}


@pytest.mark.parametrize("look", LOOKS)
def test_it_looks_as_it_did(look, snap_compare):
    size, modes, keys = LOOKS[look]
    app = ConsoleApp(session(**{"size": 5_000, **modes}))

    async def go(pilot):
        await settle(pilot)
        await press(pilot, *keys)

    assert snap_compare(app, terminal_size=size, run_before=go)


@pytest.mark.parametrize("theme", ["aircon-light", "aircon-contrast"])
def test_the_other_themes_look_as_they_did(theme, snap_compare):
    app = ConsoleApp(session(5_000))
    app.theme = theme

    async def go(pilot):
        await settle(pilot)

    assert snap_compare(app, terminal_size=SMALL, run_before=go)


@pytest.mark.parametrize(
    ("wished", "shown"),
    [
        ("aircon-light", "aircon-light"),
        ("textual-light", "textual-light"),
        ("nord", "nord"),
        ("no-such-look", "aircon-dark"),
        ("", "aircon-dark"),
    ],
)
async def test_the_look_that_the_environment_wishes_for_is_shown(
    wished, shown, monkeypatch, open_console
):
    monkeypatch.setenv("TEXTUAL_THEME", wished)
    async with open_console(session(60)) as pilot:
        assert pilot.app.theme == shown
        assert "60/60 records" in seen(pilot)
        await press(pilot, "T")
        assert pilot.app.theme.startswith("aircon-")


async def test_every_look_of_textual_shows_every_screen(open_console):
    async with open_console(session(60)) as pilot:
        for theme in pilot.app.available_themes:
            pilot.app.theme = theme
            await press(pilot, "enter", "v", "escape", "escape")
            assert "60/60 records" in seen(pilot), theme


def test_without_colour_it_looks_as_it_did(snap_compare, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def go(pilot):
        await settle(pilot)

    assert snap_compare(ConsoleApp(session(5_000)), terminal_size=SMALL, run_before=go)


def test_tampering_looks_as_it_did(snap_compare):
    fake = session(5_000)
    fake.verdict = "tampering"

    async def go(pilot):
        await settle(pilot)

    assert snap_compare(ConsoleApp(fake), terminal_size=LARGE, run_before=go)
