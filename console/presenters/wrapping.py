"""Break text into lines by terminal cells: words where there are spaces, cells where not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

from console.text import safe_text

_PIECES = re.compile(r"\s+|\S+")


def wrap(text: str, cells: int) -> Iterator[str]:
    """Safe lines of at most `cells` cells; own line breaks are kept, as are leading spaces."""
    cells = max(cells, 2)
    for paragraph in safe_text(text).split("\n"):
        yield from _wrap_paragraph(paragraph, cells)


def _wrap_paragraph(text: str, cells: int) -> Iterator[str]:
    if len(text) * 2 <= cells or cell_len(text) <= cells:
        yield text
        return
    built, used = "", 0
    for match in _PIECES.finditer(text):
        piece = match.group()
        taken = cell_len(piece)
        if used + taken <= cells:
            built, used = built + piece, used + taken
            continue
        if piece.isspace():
            yield built
            built, used = "", 0
            continue
        if used and taken <= cells:
            yield built.rstrip()
            built, used = piece, taken
            continue
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
