"""Break text into lines by terminal cells: words where there are spaces, cells where not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

from console.text import safe_text

_PIECES = re.compile(r"\s+|\S+")


def wrap(text: str, cells: int) -> Iterator[str]:
    """Safe lines of at most `cells` cells.

    Own line breaks are kept, and so are leading spaces: what is broken off stands under them.
    """
    cells = max(cells, 2)
    for paragraph in safe_text(text).split("\n"):
        if len(paragraph) * 2 <= cells or cell_len(paragraph) <= cells:
            yield paragraph
            continue
        words = paragraph.lstrip(" ")
        indent = min(len(paragraph) - len(words), cells // 2)
        for made in _wrap_words(words, cells - indent):
            yield " " * indent + made


def _wrap_words(text: str, cells: int) -> Iterator[str]:
    built, used = "", 0
    for match in _PIECES.finditer(text):
        piece = match.group()
        taken = cell_len(piece)
        if used + taken <= cells:
            built, used = built + piece, used + taken
        elif piece.isspace():
            yield built
            built, used = "", 0
        elif used and taken <= cells:
            yield built.rstrip()
            built, used = piece, taken
        else:
            *whole, built = _chop(built, used, piece, cells)
            yield from whole
            used = cell_len(built)
    if built:
        yield built.rstrip()


def _chop(built: str, used: int, piece: str, cells: int) -> list[str]:
    """A word that fits on no line (or has no spaces at all, as Chinese): cut between cells."""
    if used > cells * 2 // 3:
        return [built.rstrip(), *chop_cells(piece, cells)]
    return chop_cells(built + piece, cells)
