"""Proofs in the Merkle tree over leaf hashes: RFC 9162 section 2.1, SHA-256.

Rules of this file:

1. Proofs are made for any pair of sizes, and checked without knowing how they were made: the
   checks take bytes from strangers, refuse anything over `MAX_PROOF` hashes first and raise
   `FormatError` for whatever does not add up.
2. A consistency check from size 0 is refused. "Everything extends the empty tree" is for callers
   to decide; it is no proof.
3. Nothing is stored. Callers keep leaf hashes, or the roots of aligned blocks (`*_blocks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from logstore.errors import FormatError, UsageError
from logstore.formats.frontier import Frontier
from logstore.formats.leaf import leaf_hash
from logstore.formats.treehash import (
    EMPTY_ROOT,
    HASH,
    MAX_SIZE,
    node_hash,
    root,
    subtree_root,
)

__all__ = [
    "BLOCK_HEIGHT",
    "EMPTY_ROOT",
    "HASH",
    "MAX_PROOF",
    "MAX_SIZE",
    "Frontier",
    "consistency_proof",
    "consistency_proof_blocks",
    "consistency_ranges",
    "inclusion_proof",
    "inclusion_proof_blocks",
    "inclusion_ranges",
    "leaf_hash",
    "node_hash",
    "root",
    "subtree_root",
    "verify_consistency",
    "verify_inclusion",
]

MAX_PROOF = 63
"""Most hashes in an inclusion or consistency proof of a tree within `MAX_SIZE`."""

BLOCK_HEIGHT = 10
"""Default height of the blocks of `inclusion_proof_blocks`: 2^10 leaves, near the square root of
a million, so that both halves of the work stay small."""


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges [start, end) whose roots prove leaf `index`, leaf's sibling first.

    Raises:
        UsageError: there is no such leaf in a tree of that size.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise UsageError(f"no record {index} in a log of {size}")
    ranges, start, end = [], 0, size
    while end - start > 1:
        split = start + _largest_power_below(end - start)
        if index < split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    return ranges[::-1]


def consistency_ranges(size1: int, size2: int) -> list[tuple[int, int]]:
    """The leaf ranges [start, end) whose roots prove that `size2` leaves extend `size1` leaves.

    Raises:
        UsageError: not 0 < size1 <= size2.
    """
    if not 0 < size1 <= size2 <= MAX_SIZE:
        raise UsageError(f"no consistency proof leads from size {size1} to size {size2}")
    ranges, start, end = [], 0, size2
    while end != size1:
        split = start + _largest_power_below(end - start)
        if size1 <= split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    if start:  # otherwise the old tree is a whole subtree, whose root the verifier already has
        ranges.append((start, end))
    return ranges[::-1]


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Prove that leaf `index` is in the tree of all `leaf_hashes` (RFC 9162 section 2.1.3.1).

    Raises:
        UsageError: there is no such leaf.
    """
    return [root(leaf_hashes[a:b]) for a, b in inclusion_ranges(index, len(leaf_hashes))]


def consistency_proof(leaf_hashes: Sequence[bytes], size1: int) -> list[bytes]:
    """Prove that the tree of all `leaf_hashes` extends that of the first `size1` of them.

    RFC 9162 section 2.1.4.1.

    Raises:
        UsageError: not 0 < size1 <= number of leaf hashes.
    """
    return [root(leaf_hashes[a:b]) for a, b in consistency_ranges(size1, len(leaf_hashes))]


def inclusion_proof_blocks(
    index: int,
    size: int,
    block_roots: Sequence[bytes],
    leaf_hashes: Sequence[bytes],
    height: int = BLOCK_HEIGHT,
) -> list[bytes]:
    """`inclusion_proof` from block roots and the leaf hashes of the one block that holds the leaf.

    Args:
        index: the leaf to prove.
        size: leaves in the tree.
        block_roots: `subtree_root` of each run of 2^height leaves; the last run may be shorter.
        leaf_hashes: every leaf hash of run ``index >> height``.
        height: base-2 logarithm of the run length.

    Raises:
        UsageError: there is no such leaf.
        FormatError: the number of roots or leaf hashes does not fit the size.
    """
    ranges = inclusion_ranges(index, size)
    find = _range_roots(index, size, block_roots, leaf_hashes, height)
    return [find(a, b) for a, b in ranges]


def consistency_proof_blocks(
    size1: int,
    size2: int,
    block_roots: Sequence[bytes],
    leaf_hashes: Sequence[bytes],
    height: int = BLOCK_HEIGHT,
) -> list[bytes]:
    """`consistency_proof` from block roots and the leaf hashes of the block where `size1` ends.

    Args:
        size1: leaves in the older tree.
        size2: leaves in the newer tree.
        block_roots: `subtree_root` of each run of 2^height leaves of the newer tree; the last run
            may be shorter.
        leaf_hashes: every leaf hash the newer tree has in run ``(size1 - 1) >> height``.
        height: base-2 logarithm of the run length.

    Raises:
        UsageError: not 0 < size1 <= size2.
        FormatError: the number of roots or leaf hashes does not fit the sizes.
    """
    ranges = consistency_ranges(size1, size2)
    find = _range_roots(size1 - 1, size2, block_roots, leaf_hashes, height)
    return [find(a, b) for a, b in ranges]


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2).

    Raises:
        FormatError: the proof does not lead from leaf hash `leaf` at `index` to `expected_root`.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise FormatError(f"no record {index} in a tree of {size}")
    _check_hashes(proof, leaf, expected_root)
    node = leaf
    for step, left in _climb(index, size - 1, proof):
        node = node_hash(step, node) if left else node_hash(node, step)
    if node != expected_root:
        raise FormatError("inclusion proof leads to another root")


def verify_consistency(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Check a consistency proof (RFC 9162 section 2.1.4.2), strictly: size1 0 is refused.

    Raises:
        FormatError: the proof does not show that the tree (size2, root2) extends (size1, root1).
    """
    if not 0 < size1 <= size2 <= MAX_SIZE:
        raise FormatError(f"no consistency proof leads from size {size1} to size {size2}")
    if size1 == size2:  # nothing is hashed, so the roots are only compared
        if proof or root1 != root2:
            raise FormatError("one size with two roots, or a needless proof")
        return
    _check_hashes(proof, root1, root2)
    steps = [root1, *proof] if size1.bit_count() == 1 else list(proof)
    if not steps:
        raise FormatError("consistency proof is empty")
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = steps[0]
    for step, left in _climb(fn, sn, steps[1:]):
        if left:
            old, new = node_hash(step, old), node_hash(step, new)
        else:
            new = node_hash(new, step)
    if old != root1 or new != root2:
        raise FormatError("consistency proof leads to another root")


def _climb(fn: int, sn: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each step of a proof with whether it stands to the left; `fn` and `sn` as in RFC 9162.

    Raises:
        FormatError: the proof has more or fewer steps than there are levels.
    """
    for step in proof:
        if sn == 0:
            raise FormatError("proof is too long for its tree")
        left = bool(fn & 1) or fn == sn
        yield step, left
        while left and fn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise FormatError("proof is too short for its tree")


def _largest_power_below(width: int) -> int:
    """The largest power of two below `width`, which is at least 2."""
    return 1 << (width - 1).bit_length() - 1


def _range_roots(
    index: int,
    size: int,
    block_roots: Sequence[bytes],
    leaf_hashes: Sequence[bytes],
    height: int,
) -> Callable[[int, int], bytes]:
    """A function from leaf range to root, for ranges on the path to leaf `index`.

    Such a range is either a run of whole blocks (the last one perhaps ragged) or lies inside the
    leaf's own block, because every split falls on a multiple of the width it makes.
    """
    first = index >> height << height
    if len(block_roots) != -(-size >> height):
        raise FormatError(f"{len(block_roots)} blocks of 2^{height} do not make {size} records")
    if len(leaf_hashes) != min(1 << height, size - first):
        raise FormatError(f"{len(leaf_hashes)} leaf hashes are not the block of record {index}")

    def find(start: int, end: int) -> bytes:
        if start >= first and end <= first + len(leaf_hashes):
            return root(leaf_hashes[start - first : end - first])
        return root(block_roots[start >> height : -(-end >> height)])

    return find


def _check_hashes(proof: Sequence[bytes], *others: bytes) -> None:
    if len(proof) > MAX_PROOF:
        raise FormatError(f"proof of {len(proof)} hashes; the format allows {MAX_PROOF}")
    if any(len(each) != HASH for each in (*proof, *others)):
        raise FormatError(f"proof with a hash that is not {HASH} bytes long")
