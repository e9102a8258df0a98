"""Lines of styled text, the common currency between presenters and whatever shows them.

A presenter says *what* a piece of text is (its role); the terminal side decides how that looks.
Every role is also told apart by a word, glyph or place, never by its look alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

from console.text import one_line

Role = Literal[
    "plain", "dim", "strong", "title", "good", "bad", "warn", "user", "model", "tool", "mark", "key"
]
"""What a piece of text is."""


class Span(NamedTuple):
    """A piece of one line. `text` has passed `console.text.one_line`."""

    text: str
    role: Role = "plain"


Line = tuple[Span, ...]
"""One line of a view, from left to right."""


def line(*pieces: str | tuple[str, Role]) -> Line:
    """A line from untrusted pieces, each a text or a (text, role) pair."""
    return tuple(
        Span(one_line(piece)) if isinstance(piece, str) else Span(one_line(piece[0]), piece[1])
        for piece in pieces
    )


def width(spans: Iterable[Span]) -> int:
    """Terminal cells a line takes."""
    return sum(cell_len(span.text) for span in spans)


def clip(text: str, cells: int) -> str:
    """Safe text cut to at most `cells` cells, ending in ``…`` when something was cut."""
    # A cell holds at least a quarter of a visible character, so a long tail need not be measured.
    shown = one_line(text[: cells * 4 + 16])
    if len(text) <= cells * 4 + 16 and cell_len(shown) <= cells:
        return shown
    return set_cell_size(shown, cells - 1).rstrip() + "…" if cells > 0 else ""


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """Safe text cut or padded to exactly `cells` cells."""
    shown = clip(text, cells)
    missing = max(cells - cell_len(shown), 0)
    return " " * missing + shown if right else shown + " " * missing


def plain(lines: Iterable[Line]) -> str:
    """The lines without roles, for copying."""
    return "\n".join("".join(span.text for span in spans).rstrip() for spans in lines)
