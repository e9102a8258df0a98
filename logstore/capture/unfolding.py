"""How far one request may unfold: its resource stands in the evidence of every span under it.

Each piece of evidence is read by itself later, so what a request says once for many pieces is
repeated in each of them. A sender chooses both numbers; their product is bounded here, for an
import and for the endpoint alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from logstore.capture.items import Bad, Item

MAX_UNFOLDED = 256 * 2**20
"""Most bytes of evidence made of one request, each piece counted with `PIECE` more."""

PIECE = 1024
"""Bytes counted for what goes with a piece in memory and on disk, however small it is."""

MAX_PIECES = MAX_UNFOLDED // PIECE
"""Most pieces of one request, which follows."""

TOO_FAR = "unfolds-too-far"
"""Why the rest of a request is refused."""

_KEPT = 2**20  # Bytes kept of the first piece that is refused.

T = TypeVar("T")


def bounded(found: Iterable[T], piece_of: Callable[[T], Item | Bad]) -> Iterator[T | Bad]:
    """What a splitter finds in one request, as far as it may unfold.

    Args:
        found: pieces of the request, not collected yet.
        piece_of: the evidence of one.

    Yields:
        What was found; where that is too much, one `Bad` in the place of all that is left.
    """
    left = MAX_UNFOLDED
    for each in found:
        piece = piece_of(each)
        left -= len(piece.raw) + PIECE
        if left < 0:
            yield Bad(piece.raw[:_KEPT], f"{piece.where} and all after it", TOO_FAR)
            return
        yield each
