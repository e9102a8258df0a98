"""Widths of text in terminal cells. Pure; text must have passed `console.text` before."""

from __future__ import annotations

from unicodedata import category, east_asian_width

ELLIPSIS = "…"
"""What stands where text was cut off."""


def width(text: str) -> int:
    """How many cells a line of safe text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def clip(text: str, cells: int) -> str:
    """The text if it fits, else its start and an ellipsis; never wider than `cells`."""
    if width(text) <= cells:
        return text
    room = cells - 1
    kept = []
    for char in text:
        room -= _cells(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + ELLIPSIS if cells > 0 else ""


def pad(text: str, cells: int, *, right: bool = False) -> str:
    """The text with spaces behind it (or before it) to fill `cells`."""
    space = " " * max(cells - width(text), 0)
    return space + text if right else text + space


def shrink(widths: list[int], may: list[bool], room: int, least: int) -> list[int]:
    """Column widths that take at most `room` cells together, the widest narrowed first.

    Args:
        widths: cells each column would like.
        may: which of them may be narrowed.
        room: cells there are.
        least: no column is made narrower than this; where that is not enough, the sum stays larger.
    """
    fitting = list(widths)
    for _ in range(max(sum(widths) - room, 0)):
        wide = [at for at, free in enumerate(may) if free and fitting[at] > least]
        if not wide:
            break
        fitting[max(wide, key=lambda at: fitting[at])] -= 1
    return fitting


def wrap(text: str, cells: int) -> list[str]:
    """One line broken at spaces, or anywhere where there are none, into lines that fit."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if width(longer) <= cells:
            line = longer
            continue
        if line:
            lines.append(line)
        *whole, line = _chop(word, cells)
        lines += whole
    return [*lines, line]


def _chop(word: str, cells: int) -> list[str]:
    pieces = [""]
    room = cells
    for char in word:
        taken = _cells(char)
        if taken > room and pieces[-1]:
            pieces.append("")
            room = cells
        pieces[-1] += char
        room -= taken
    return pieces


def _cells(char: str) -> int:
    if char < "\u0300":
        return 1
    if category(char) in ("Mn", "Me") or char in "\u200c\u200d":
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
