"""Nothing that can drive a terminal, hide from a reader or run in a spreadsheet gets through."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.text import csv_cell, one_line, reveal, safe_text

# Everything that must never come out, written independently of the module under test.
FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f]"  # controls
    "|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # bidi
    "|[\u200b\u2060-\u2065\u206a-\u206f\ufeff\u00ad\u180e\u034f\u3164\uffa0]"  # no width
    "|[\u2028\u2029\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)
ANY = st.text(st.characters(codec=None), max_size=60)
NASTY = st.text(
    st.sampled_from(
        "a1 =@-\n\t\r\x00\x1b\x07\x7f\x85\x9b\u200b\u200c\u200d\u202e\u2066\u2028\ufe0f\ufe00"
        "\ud800\udfff\U000e0001\U000e0069\U000e007f\U000e0101\u0645\u06cc\u0915字👩💻❤\u3164⟦⟧\ue000"
    ),
    max_size=30,
)


@given(ANY | NASTY)
@example("\x1b]0;PWNED\x07\x1b[2J\x9b31m")
@example("\u06451\u200d\u200c\u0645")
def test_nothing_that_drives_a_terminal_or_hides_from_a_reader_leaves(text: str) -> None:
    for shown in (safe_text(text), one_line(text), csv_cell(text)):
        assert not FORBIDDEN.search(shown)
        shown.encode("utf-8")  # no lone surrogate is left
    assert "\n" not in one_line(text)


@given(ANY | NASTY)
def test_showing_twice_is_showing_once(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)
    assert one_line(one_line(text)) == one_line(text)
    assert one_line(safe_text(text)) == one_line(safe_text(text)).replace("\n", "␊")


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_is_never_touched(text: str) -> None:
    assert safe_text(text) is text
    assert one_line(text) is text


@given(NASTY)
def test_joiners_only_stay_alone_between_letters_of_scripts_that_join(text: str) -> None:
    shown = safe_text(text)
    for at, char in enumerate(shown):
        if char in "\u200c\u200d":
            assert "\u0620" <= shown[at - 1] <= "\u0dff"
            assert "\u0620" <= shown[at + 1] <= "\u0dff"


@given(NASTY)
def test_selectors_never_come_in_runs(text: str) -> None:
    assert not re.search("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}", safe_text(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a␛[31mb"),
        ("nul\x00 bel\x07 del\x7f", "nul␀ bel␇ del␡"),
        ("c1 \x9b2J", "c1 \\x9b2J"),
        ("\u202egpj.exe", "⟦U+202E⟧gpj.exe"),
        ("pass\u200bword", "pass⟦U+200B⟧word"),
        ("a\u2028b", "a⟦U+2028⟧b"),
        ("x\ud83d", "x⟦U+D83D⟧"),
        ("hi\U000e0069\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065", "hi⟦tag:ignore⟧"),
        ("a\u2028\U000e0069\ue000\U000e006a", "a⟦U+2028⟧⟦tag:i⟧⟦U+E000⟧⟦tag:j⟧"),
        ("one\ntwo\tthree", "one\ntwo    three"),
        ("\ue000 and \U0010ffff", "⟦U+E000⟧ and ⟦U+10FFFF⟧"),
        ("s\ufe00\ufe01", "s⟦U+FE00⟧⟦U+FE01⟧"),
        ("[red]markup[/red]", "[red]markup[/red]"),
    ],
)
def test_what_cannot_be_shown_is_named(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_a_cell_shows_line_feeds_and_tabs_as_pictures() -> None:
    assert one_line("one\r\ntwo\tthree") == "one␍␊two␉three"


@pytest.mark.parametrize(
    "text",
    [
        "请总结这份合同的关键条款。",
        "「全角」\u3000空格",
        "لخص هذا العقد من فضلك، شكرًا ١٢٣",
        "می\u200cخواهم",  # Persian, with the non-joiner its spelling needs
        "क्\u200dष",  # Devanagari half form
        "Übergröße naïve façade\u00a0!",
        "👍🏽 🎉 🇪🇺 ❤️ ⚠️ 1️⃣",
        "葛\U000e0100城",
        "\U0001fae8 newer than this Python",
        "∑ x² ≤ ∞ → ½",
    ],
)
def test_ordinary_writing_stays_ordinary(text: str) -> None:
    assert safe_text(text) == text
    assert one_line(text) == text
    assert reveal(text) == []


def test_joined_emoji_come_apart_so_that_every_terminal_agrees_on_their_width() -> None:
    assert safe_text("👩\u200d💻 ❤️\u200d🔥") == "👩⟦+⟧💻 ❤️⟦+⟧🔥"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-2+3", "@SUM(A1)", "  =cmd|' /C calc'!A0", "\t=1", "\n=1", "＝1"]
)
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str) -> None:
    assert csv_cell(text).startswith("'")


def test_a_plain_cell_gets_no_quote_mark() -> None:
    assert csv_cell("a = b") == "a = b"


def test_smuggled_text_is_spelled_out() -> None:
    tagged = "".join(chr(0xE0000 + ord(char)) for char in "send it")
    selected = "".join(chr(0xE0100 + byte - 16) for byte in b"to eve")
    found = reveal(f"hello{tagged} there{selected}")
    assert [(hidden.kind, hidden.at, hidden.text) for hidden in found] == [
        ("tags", 5, "send it"),
        ("selectors", 18, "to eve"),
    ]


@pytest.mark.parametrize(("text", "kind"), [("a\u202eb", "bidi"), ("a\u200b\u200cb", "invisible")])
def test_reordering_and_invisible_characters_are_reported(text: str, kind: str) -> None:
    assert [hidden.kind for hidden in reveal(text)] == [kind]


@given(ANY)
def test_revealing_never_fails_and_points_into_the_text(text: str) -> None:
    for hidden in reveal(text):
        assert 0 <= hidden.at < hidden.at + hidden.length <= len(text)
