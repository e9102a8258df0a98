"""What the leaves of one segment must hash to, known without the rest of the segment.

A seal carries the roots of whole blocks of leaves, unsigned. They are proven here: between the
tree's edge at the segment's start and its edge at the end, whose roots were signed, only the true
ones fit. So a block of leaves that was read alone is held to a signature, whoever delivered it.
"""

from __future__ import annotations

from collections.abc import Sequence

from logstore.errors import FormatError
from logstore.formats.leaf import leaf_hashes
from logstore.formats.merkle import HASH, Frontier
from logstore.storage.edge import BLOCK, partial
from logstore.storage.seal import Seal


class SegmentTree:
    """The part of a log's tree that one segment adds.

    Args:
        before: the tree's edge at its start; its root was found signed.
        seal: the segment's; its signatures and the root of its edge were found right.

    Raises:
        FormatError: the seal's block roots do not lead from one edge to the other.
    """

    def __init__(self, before: Frontier, seal: Seal) -> None:
        self._before, self._after = before, seal.edge()
        self._blocks = seal.blocks
        self._first, self._end = seal.first, seal.end
        above = _of_blocks(before)
        above.extend(seal.blocks)
        if before.size != seal.first or above != _of_blocks(self._after):
            raise FormatError(f"the seal of segment {seal.first} lists roots of other blocks")

    def around(self, first: int, end: int) -> tuple[int, int]:
        """The least range of its records that can be checked and holds these, at least one."""
        low, high = first - first % BLOCK, end + -end % BLOCK
        return max(low, self._first), min(high, self._end)

    def check(self, first: int, end: int, raw: Sequence[bytes]) -> None:
        """Check the leaves of a range that `around` gave.

        Args:
            first: index of the first.
            end: index behind the last.
            raw: their bytes.

        Raises:
            FormatError: they are not those of the log.
        """
        if len(raw) != end - first:
            raise FormatError(f"{len(raw)} leaves for {end - first} records")
        hashes = leaf_hashes(raw)
        at = first
        while at < end:
            start = at - at % BLOCK
            stop = min(start + BLOCK, self._end)
            edge = partial(self._before, start) if at > start else Frontier()
            edge.extend(hashes[at - first : stop - first])
            if edge.size != stop - start or edge.root() != self._root(start):
                raise FormatError(f"the leaves from record {at} on are not those that were signed")
            at = stop

    def _root(self, start: int) -> bytes:
        if start + BLOCK <= self._end:
            return self._blocks[start // BLOCK - self._first // BLOCK]
        return partial(self._after, start).root()


def _of_blocks(edge: Frontier) -> Frontier:
    """The edge of the tree of whole blocks, as if each of them were a leaf."""
    blocks = edge.size // BLOCK
    peaks = edge.to_bytes()[8 : 8 + HASH * blocks.bit_count()]
    return Frontier.from_bytes(blocks.to_bytes(8, "big") + peaks)
