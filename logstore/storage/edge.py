"""Proofs for records near the end of a log, from the tree's edge at some base and what follows."""

from __future__ import annotations

from collections.abc import Sequence

from logstore.formats.merkle import HASH, Frontier, inclusion_ranges, root

BLOCK = 1024
"""Leaves per block whose roots a seal carries (2^BLOCK_HEIGHT of `merkle`)."""


def partial(frontier: Frontier, start: int) -> Frontier:
    """The edge of the subtree that begins at leaf `start` and reaches to the frontier's end.

    `start` must be a multiple of the largest power of two that is not above `size - start`.
    """
    size = frontier.size - start
    peaks = frontier.to_bytes()[8:]
    width = HASH * size.bit_count()
    return Frontier.from_bytes(size.to_bytes(8, "big") + peaks[len(peaks) - width :])


def inclusion(frontier: Frontier, after: Sequence[bytes], index: int) -> list[bytes]:
    """Inclusion proof of leaf `index` in the tree of everything.

    Args:
        frontier: the tree's edge at its base, at most `index` leaves.
        after: leaf hashes of every leaf from the base on.
        index: the leaf to prove, at or behind the base.
    """
    base, size = frontier.size, frontier.size + len(after)
    return [_range_root(frontier, after, base, span) for span in inclusion_ranges(index, size)]


def _range_root(
    frontier: Frontier, after: Sequence[bytes], base: int, span: tuple[int, int]
) -> bytes:
    start, end = span
    if start >= base:
        return root(after[start - base : end - base])
    if end > base:
        edge = partial(frontier, start)
        edge.extend(after[: end - base])
        return edge.root()
    # Wholly before the base, and a sibling on the way of a leaf behind it: one of the peaks.
    peaks = frontier.to_bytes()[8:]
    number = (base >> (end - start).bit_length()).bit_count()
    return peaks[HASH * number : HASH * (number + 1)]


def block_roots(frontier: Frontier, after: Sequence[bytes]) -> list[bytes]:
    """Roots of every aligned block of `BLOCK` leaves that becomes whole behind the base."""
    base = frontier.size
    roots = []
    start = base - base % BLOCK
    edge = partial(frontier, start) if base % BLOCK else Frontier()
    at = 0
    while start + BLOCK <= base + len(after):
        take = BLOCK - edge.size
        edge.extend(after[at : at + take])
        roots.append(edge.root())
        at += take
        start += BLOCK
        edge = Frontier()
    return roots
