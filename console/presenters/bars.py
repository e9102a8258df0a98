"""Bars of a time histogram in eighths of a cell, and the axis under them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from console.presenters.figures import axis
from console.presenters.spans import fit

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(counts: Sequence[int], height: int) -> list[str]:
    """Rows of bar glyphs from top to bottom; anything above zero shows at least a sliver."""
    top = max(counts, default=0)
    if top <= 0:
        return [" " * len(counts)] * height
    levels = [max(1, round(number * height * 8 / top)) if number > 0 else 0 for number in counts]
    return [
        "".join(_EIGHTHS[min(max(level - 8 * row, 0), 8)] for level in levels)
        for row in reversed(range(height))
    ]


def ticks(start_us: int, end_us: int, cells: int) -> str:
    """Times under the bars: the first and the last, and between them as many as fit well."""
    span = end_us - start_us
    first, last = axis(start_us, span), axis(end_us, span)
    taken = max(cell_len(first), cell_len(last))
    if cells < 2 * taken + 3:
        return fit(first, cells)
    slots = max(min(cells // (taken + 8), 8), 2)
    out = [" "] * cells
    for slot in range(slots):
        at = round(slot * (cells - taken) / (slots - 1))
        instant = start_us if slot == 0 else start_us + span * (at + taken // 2) // cells
        label = last if slot == slots - 1 else axis(instant, span)
        out[at : at + len(label)] = label
    return "".join(out)[:cells]


def span_of(first: int, last: int, start_us: int, end_us: int, buckets: int) -> tuple[int, int]:
    """The time from bucket `first` to bucket `last`, both included: (since, until) in µs."""
    first, last = min(first, last), max(first, last)
    span = end_us - start_us
    return start_us + span * first // buckets, start_us + -(-span * (last + 1) // buckets)
