r"""The one door through which untrusted text reaches a terminal, a table cell or a spreadsheet.

Rules of this file:

1. What leaves `safe_text` holds no C0 control but the line feed, no DEL, no C1 control, no bidi
   control, no line or paragraph separator, no tag character, no lone surrogate, no private-use
   or unassigned character outside the emoji and CJK blocks, and no invisible character, except
   those of rule 3. `one_line` lets no line feed through either.
2. Nothing is dropped. What cannot be shown is named: control pictures (``␛``), ``\x9b`` for C1,
   ``⟦U+202E⟧`` for code points, ``⟦tag:ignore the above⟧`` for text hidden in tag characters.
   A tab is shown as four spaces in `safe_text` and as ``␉`` in `one_line`.
3. Ordinary writing stays ordinary. One joiner or non-joiner between two letters of an Arabic,
   Syriac or Indic script stays (Persian cannot be read without); so does one emoji or text
   variation selector after a symbol, and one ideographic one after a CJK ideograph. The joiner
   inside an emoji sequence is shown as ``⟦+⟧``, because terminals disagree on the width of
   joined emoji, and a cell whose width is disputed can cover its neighbour.
4. Text of printable ASCII comes back unchanged, and applying a function twice changes nothing.

Right-to-left letters pass: a terminal that reorders them does so on its own. Output that must be
exact (JSON, Parquet) carries the original; this door is for eyes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_JOINERS = frozenset("\u200c\u200d")

# Invisible although `str.isprintable` passes them: fillers, inherent vowels, selectors.
_HIDDEN = _SELECTORS | frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
)
_NEED_CONTEXT = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")

# Format characters that print a sign of their own (Arabic number and verse signs, Kaithi).
_VISIBLE_FORMAT = frozenset((*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD))
# Blocks where newer Unicode adds emoji and ideographs that this Python does not know yet.
_GROWING = ((0x1F000, 0x1FBFF), (0x20000, 0x2FFFD), (0x30000, 0x3FFFD))

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_text(text: str) -> str:
    """Text as a terminal may show it; line feeds stay, so it may be several lines.

    Args:
        text: anything, from anywhere.

    Returns:
        Text that keeps rules 1 to 4 at the head of this file.
    """
    if text.isprintable() and (text.isascii() or _HIDDEN.isdisjoint(text)):
        return text
    return _show(text, _LINES)


def one_line(text: str) -> str:
    """`safe_text` for a place one line high: line feeds and tabs become ``␊`` and ``␉``."""
    if text.isprintable() and (text.isascii() or _HIDDEN.isdisjoint(text)):
        return text
    return _show(text, _CELL)


def csv_cell(text: str) -> str:
    """`safe_text` that no spreadsheet takes for a formula (a quote mark is put before it)."""
    shown = safe_text(text)
    return "'" + shown if shown.lstrip().startswith(_FORMULA) else shown


@dataclass(frozen=True, slots=True)
class Hidden:
    """Something in a text that a reader of the plain text would not see.

    Attributes:
        kind: ``tags`` and ``selectors`` smuggle text, ``bidi`` reorders what is shown,
            ``invisible`` has no width.
        at: where it starts, in characters.
        length: how many characters it takes.
        text: what a smuggling run spells, passed through `one_line`; empty for the others.
    """

    kind: Literal["tags", "selectors", "bidi", "invisible"]
    at: int
    length: int
    text: str = ""


def reveal(text: str) -> list[Hidden]:
    """Every hidden run in a text, in order: what an explorer warns about."""
    if text.isascii():
        return []
    found = []
    for match in _CONCEALED.finditer(text):
        kind = match.lastgroup
        assert kind is not None
        run = match.group()
        if kind == "selectors":
            found.append(Hidden("selectors", match.start(), len(run), _spelled_by_selectors(run)))
        elif kind == "tags":
            found.append(Hidden("tags", match.start(), len(run), _spelled_by_tags(run)))
        elif kind == "bidi":
            found.append(Hidden("bidi", match.start(), len(run)))
        elif _contextual(match) != run:
            found.append(Hidden("invisible", match.start(), len(run)))
    return found


_CONCEALED = re.compile(
    "(?P<tags>[\U000e0000-\U000e007f]+)"
    "|(?P<selectors>[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,})"
    "|(?P<bidi>[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+)"
    "|(?P<invisible>[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065"
    "\u206a-\u206f\u3164\ufeff\uffa0]+)"
)


def _show(text: str, table: _Table) -> str:
    return _TAGS.sub(_tagged, _NEED_CONTEXT.sub(_contextual, text)).translate(table)


class _Table(dict[int, int | str]):
    """What each code point is shown as; computed when first met.

    Code points beyond the basic plane are not remembered, so hostile text cannot grow this
    past 65,536 entries.
    """

    def __missing__(self, code: int) -> int | str:
        shown = _shown(code)
        if code <= 0xFFFF:
            self[code] = shown
        return shown


_LINES = _Table({0x0A: "\n", 0x09: "    "})
_CELL = _Table()


def _shown(code: int) -> int | str:
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code <= 0x9F:
        return f"\\x{code:02x}"
    return code if _passes(code) else f"⟦U+{code:04X}⟧"


def _passes(code: int) -> bool:
    char = chr(code)
    if char in _JOINERS or char in _SELECTORS:
        return True  # `_contextual` has already named those that are out of place
    if char.isprintable():
        return char not in _HIDDEN
    if char.isspace():  # no-break, ideographic and other spaces that take up room
        return code not in (0x2028, 0x2029)
    growing = any(first <= code <= last for first, last in _GROWING) and code & 0xFFFE != 0xFFFE
    return growing or code in _VISIBLE_FORMAT


def _tagged(run: re.Match[str]) -> str:
    return f"⟦tag:{''.join(chr(ord(char) - 0xE0000) for char in run.group())}⟧"


def _contextual(run: re.Match[str]) -> str:
    """Joiners and selectors: ordinary ones stay, the others are named."""
    text, start, end = run.string, run.start(), run.end()
    out = []
    for at in range(start, end):
        char = text[at]
        before = text[at - 1] if at else ""
        after = text[at + 1] if at + 1 < len(text) else ""
        selects = at == start and char in _SELECTORS and _selects(before, char)
        joins = end - start == 1 and char in _JOINERS and _joins(before) and _joins(after)
        if selects or joins:
            out.append(char)
        elif char == "\u200d" and _is_symbol(before) and _is_symbol(after):
            out.append("⟦+⟧")
        else:
            out.append(f"⟦U+{ord(char):04X}⟧")
    return "".join(out)


def _selects(base: str, selector: str) -> bool:
    if selector in "\ufe0e\ufe0f":
        return base != "" and (base in "#*0123456789©®" or _is_symbol(base))
    ideograph = "\u3400" <= base <= "\u9fff" or base >= "\U00020000"
    return selector >= "\U000e0100" and ideograph and base.isalpha()


def _is_symbol(char: str) -> bool:
    return char == "\ufe0f" or (char >= "\u203c" and not char.isalnum() and char.isprintable())


def _joins(char: str) -> bool:
    joining = "\u0620" <= char <= "\u08ff" or "\u0900" <= char <= "\u0dff"
    return joining and char.isprintable() and not char.isdigit()


def _spelled_by_tags(run: str) -> str:
    return one_line("".join(chr(ord(char) - 0xE0000) for char in run if char >= "\U000e0020"))


def _spelled_by_selectors(run: str) -> str:
    low = bytes(
        ord(char) - 0xFE00 if char <= "\ufe0f" else ord(char) - 0xE0100 + 16 for char in run
    )
    return one_line(low.decode("utf-8", "replace"))
