"""A hostile record on every screen of a real console in a real terminal: its bytes are searched.

Textual itself sends control sequences, so each forbidden sequence here is one that only the
record could have brought.
"""

from __future__ import annotations

import re

import pytest
from support.console_in_terminal import Terminal

FORBIDDEN = {
    "a window title": b"\x1b]0;",
    "a C1 control": b"\xc2\x9b",
    "a raw C1 byte": b"\x9b31m",
    "a bidi override": "\u202e".encode(),
    "a bidi pop": "\u202c".encode(),
    "NUL": b"\x00",
    "BEL": b"\x07",
    "hidden tag characters": "\U000e0069".encode(),
    "an erase": b"\x1b[2J \x9b",
    "a hyperlink": b"\x1b]8;",
}

SCREENS = [
    ("table", "", "time UTC"),
    ("talk", "\r", "[1 talk]"),
    ("facts", "2", "[2 facts]"),
    ("raw", "3", "[3 raw]"),
    ("leaf", "4", "[4 leaf]"),
    ("proof", "5", "[5 proof]"),
    ("pivot menu", "\x1bp", "same user"),
    ("a pivot by a hostile name", "u", "--user"),
    ("editing a hostile filter", "/", "Apply"),
    ("copy menu", "\x1b\x1by", "record id"),
    ("export menu", "\x1be", "rows as CSV"),
    ("export path", "c", "A new file"),
    ("report", "\x1b\x1bv", "VERIFICATION"),
    ("help", "\x1b?", "FILTER WORDS"),
    ("similar", "\x1bpt", "similar to record"),
    ("histogram", "t\x1b[D", "Enter zooms in"),
    ("palette", "\x1b\x10", "one step back"),
]


def _assert_harmless(sent: bytes, where: str) -> None:
    sent = re.sub(rb"\x1b\]22;[a-z-]*\x07", b"", sent)  # the mouse pointer's shape, by Textual
    leaked = [what for what, needle in FORBIDDEN.items() if needle in sent]
    assert not leaked, f"on: {where}"


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "rows"), [(80, 40), (160, 50)])
def test_nothing_of_a_hostile_record_reaches_the_terminal_on_any_screen(columns, rows):
    with Terminal("hostile", columns, rows) as terminal:
        terminal.until("PWNED")
        terminal.until("✔ VERIFIED")
        terminal.rest()
        for where, keys, expected in SCREENS:
            for key in re.findall(r"\x1b\[.|.", keys, re.DOTALL):
                terminal.press(key)
                # A lone Esc must not meet the next key, or both become Alt and that key.
                terminal.rest(0.4)
            assert terminal.shows(expected), f"never got to: {where}"
            _assert_harmless(terminal.sent, where)
        shown = terminal.sent.decode("utf-8", "replace")
        for spelled in ("␛]0;PWNED", "⟦U+202E⟧", "⟦tag:ignore⟧", "[@click=app.bell]", "[/nope]"):
            assert spelled in shown, f"{spelled} should be visible instead"
        assert "[red]VERIFIED[/red]" in shown


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["locked", "failing"])
def test_locked_and_failing_screens_are_harmless_too(mode):
    with Terminal(mode, 100, 30) as terminal:
        terminal.until("LOCKED" if mode == "locked" else "cannot be read")
        terminal.press("\r")
        terminal.rest()
        _assert_harmless(terminal.sent, mode)


def test_no_color_means_no_colour_code_at_all():
    with Terminal("plain", 80, 24, NO_COLOR="1") as terminal:
        terminal.until("VERIFIED")
        terminal.rest()
        codes = re.findall(rb"\x1b\[([0-9;]*)m", terminal.sent)
        numbers = {int(n) for code in codes for n in code.split(b";") if n}
        coloured = {n for n in numbers if 30 <= n <= 38 or 40 <= n <= 48 or 90 <= n <= 107}
        assert not coloured
        assert 7 in numbers, "without colour the cursor is told by reverse video"
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_terminal_that_cannot_move_its_cursor_is_told_what_to_use_instead():
    with Terminal("plain", 80, 24, TERM="dumb") as terminal:
        assert terminal.ended() == 3
        assert b"aircon search" in terminal.sent
        assert b"\x1b[" not in terminal.sent
