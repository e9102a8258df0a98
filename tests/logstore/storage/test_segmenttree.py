"""A block of leaves alone is held to the signed tree, wherever segments begin and end."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats.leaf import leaf_hashes
from logstore.formats.merkle import Frontier
from logstore.storage.edge import BLOCK, block_roots
from logstore.storage.seal import FORMAT, Seal
from logstore.storage.segmenttree import SegmentTree

LEAVES = [b"leaf %d" % n for n in range(5 * BLOCK)]
HASHES = leaf_hashes(LEAVES)


def edge(size: int) -> Frontier:
    made = Frontier()
    made.extend(HASHES[:size])
    return made


def seal(first: int, end: int) -> Seal:
    blocks = block_roots(edge(first), HASHES[first:end])
    return Seal(FORMAT, first, end - first, "", "", edge(end).to_bytes(), blocks, [], [])


SPANS = [
    (0, 1), (0, BLOCK), (0, BLOCK + 1), (0, 5 * BLOCK), (5, 9), (5, BLOCK), (5, BLOCK + 7),
    (BLOCK, 2 * BLOCK), (BLOCK - 1, BLOCK + 1), (700, 3000), (2048, 4100), (1, 5 * BLOCK - 1),
]  # fmt: skip


def pieces(first: int, end: int) -> Iterator[tuple[int, int]]:
    tree = SegmentTree(edge(first), seal(first, end))
    edges = {first, end - 1, (first + end) // 2, *range(first, end, 700)}
    for low in sorted(edges):
        for high in (low + 1, low + 40, end):
            if first <= low < high <= end:
                yield tree.around(low, high)


@pytest.mark.parametrize(("first", "end"), SPANS)
def test_the_logs_own_leaves_pass(first: int, end: int) -> None:
    tree = SegmentTree(edge(first), seal(first, end))
    for low, high in pieces(first, end):
        assert first <= low < high <= end
        tree.check(low, high, LEAVES[low:high])


@pytest.mark.parametrize(("first", "end"), SPANS)
def test_any_other_leaf_does_not(first: int, end: int) -> None:
    tree = SegmentTree(edge(first), seal(first, end))
    for low, high in pieces(first, end):
        for place in {low, high - 1, (low + high) // 2}:
            other = LEAVES[low:high]
            other[place - low] = b"another"
            with pytest.raises(FormatError, match="not those that were signed"):
                tree.check(low, high, other)
        with pytest.raises(FormatError, match="leaves for"):
            tree.check(low, high, LEAVES[low : high - 1])


@given(st.integers(0, 4 * BLOCK), st.integers(1, BLOCK), st.data())
def test_wherever_a_segment_lies(first: int, count: int, data: st.DataObject) -> None:
    end = first + count
    low = data.draw(st.integers(first, end - 1))
    high = data.draw(st.integers(low + 1, end))
    tree = SegmentTree(edge(first), seal(first, end))
    low, high = tree.around(low, high)
    tree.check(low, high, LEAVES[low:high])


def test_block_roots_that_somebody_else_wrote_are_refused() -> None:
    """The lists of a seal are not signed: an attacker may exchange them with the leaves."""
    true = seal(700, 3000)
    forged = [bytes(32), *true.blocks[1:]]
    for blocks in (forged, true.blocks[:-1], [*true.blocks, bytes(32)], true.blocks[::-1], []):
        with pytest.raises(FormatError, match="roots of other blocks"):
            SegmentTree(edge(700), msgspec.structs.replace(true, blocks=blocks))


def test_the_edge_of_another_segment_is_refused() -> None:
    with pytest.raises(FormatError, match="roots of other blocks"):
        SegmentTree(edge(701), seal(700, 3000))
