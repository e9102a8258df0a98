"""The growing edge of a Merkle tree: enough to add leaves and to know the root, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from logstore.errors import FormatError
from logstore.formats.treehash import EMPTY_ROOT, HASH, MAX_SIZE, node_hash, parents


class Frontier:
    """A growing tree of which only the roots of its whole power-of-two subtrees are kept.

    At most 63 hashes, whatever the size. Not safe for concurrent use.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        # _peaks[level] is the root of the whole subtree of 2^level leaves at the right edge, or
        # empty where that bit of the size is 0.
        self._peaks: list[bytes] = []
        self._size = 0

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash.

        Raises:
            FormatError: it is not 32 bytes long.
        """
        if len(leaf) != HASH:
            raise FormatError(f"a leaf hash is {HASH} bytes long, this one {len(leaf)}")
        peaks, node, level = self._peaks, leaf, 0
        while level < len(peaks) and peaks[level]:
            node = node_hash(peaks[level], node)
            peaks[level] = b""
            level += 1
        if level == len(peaks):
            peaks.append(node)
        else:
            peaks[level] = node
        self._size += 1

    def extend(self, leaf_hashes: Sequence[bytes]) -> None:
        """Add many leaf hashes at once, level by level; nothing is added when one is refused.

        Raises:
            FormatError: one is not 32 bytes long.
        """
        if not set(map(len, leaf_hashes)) <= {HASH}:
            raise FormatError(f"a leaf hash is {HASH} bytes long; one of these is not")
        peaks, nodes, level = self._peaks, list(leaf_hashes), 0
        while nodes:
            if level == len(peaks):
                peaks.append(b"")
            if peaks[level]:
                nodes.insert(0, peaks[level])
            peaks[level] = nodes[-1] if len(nodes) & 1 else b""
            nodes = parents(nodes)
            level += 1
        self._size += len(leaf_hashes)

    def root(self) -> bytes:
        """The root of the tree so far."""
        whole = [peak for peak in self._peaks if peak]
        if not whole:
            return EMPTY_ROOT
        node = whole[0]
        for peak in whole[1:]:
            node = node_hash(peak, node)
        return node

    def copy(self) -> Frontier:
        """An independent frontier of the same tree."""
        twin = Frontier()
        twin._peaks = self._peaks.copy()
        twin._size = self._size
        return twin

    def to_bytes(self) -> bytes:
        """u64be size, then the subtree roots, largest subtree first."""
        return self._size.to_bytes(8, "big") + b"".join(reversed(self._peaks))

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Read `to_bytes` back.

        Raises:
            FormatError: not exactly such bytes.
        """
        size = int.from_bytes(data[:8], "big")
        if size > MAX_SIZE or len(data) != 8 + HASH * size.bit_count():
            raise FormatError("a tree frontier whose length does not fit its size")
        frontier, end = cls(), len(data)
        for level in range(size.bit_length()):
            width = HASH * (size >> level & 1)
            frontier._peaks.append(data[end - width : end])
            end -= width
        frontier._size = size
        return frontier

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frontier) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())
