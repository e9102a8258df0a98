"""Roots and proofs of any tree that a log had, from seals and the leaves of at most one block.

What comes out is worked out from stored bytes; whoever uses it checks it against a signed root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from logstore.formats.leaf import leaf_hash, leaf_hashes
from logstore.formats.merkle import (
    EMPTY_ROOT,
    consistency_proof_blocks,
    inclusion_proof_blocks,
    root,
)
from logstore.storage.edge import BLOCK, block_roots, partial
from logstore.storage.seal import Seal


class _Unsealed(Protocol):
    @property
    def leaves(self) -> Sequence[bytes]: ...


class TreeSource(Protocol):
    """What proofs are worked out from: seals, and the leaves that they do not spare reading."""

    @property
    def seals(self) -> Sequence[Seal]:
        """Seals of all segments, oldest first."""
        ...

    @property
    def sealed(self) -> int:
        """Records in sealed segments."""
        ...

    @property
    def tail(self) -> _Unsealed:
        """The records behind them."""
        ...

    def leaves(self, first: int, count: int) -> list[bytes]:
        """Leaves from anywhere."""
        ...


def root_at(reader: TreeSource, size: int) -> bytes:
    """Root of the tree of the first `size` records, no more than there are."""
    return root(roots_of_blocks(reader, size)) if size else EMPTY_ROOT


def inclusion(reader: TreeSource, index: int, size: int) -> list[bytes]:
    """Proof that record `index` is among the first `size`."""
    hashes = _block_of(reader, index, size)
    return inclusion_proof_blocks(index, size, roots_of_blocks(reader, size), hashes)


def consistency(reader: TreeSource, old: int, size: int) -> list[bytes]:
    """Proof that the first `size` records extend the first `old`, at least one."""
    hashes = _block_of(reader, old - 1, size)
    return consistency_proof_blocks(old, size, roots_of_blocks(reader, size), hashes)


def roots_of_blocks(reader: TreeSource, size: int) -> list[bytes]:
    """Roots of every block of the tree of the first `size` records, the last perhaps ragged."""
    whole = size // BLOCK
    roots = [block for seal in reader.seals for block in seal.blocks][:whole]
    if len(roots) < whole and reader.seals:
        after = leaf_hashes(reader.tail.leaves)
        roots += block_roots(reader.seals[-1].edge(), after)[: whole - len(roots)]
    elif len(roots) < whole:
        hashes = leaf_hashes(reader.tail.leaves[: whole * BLOCK])
        roots = [root(hashes[at : at + BLOCK]) for at in range(0, whole * BLOCK, BLOCK)]
    return [*roots, _ragged(reader, whole * BLOCK, size)] if size > whole * BLOCK else roots


def _ragged(reader: TreeSource, start: int, size: int) -> bytes:
    """Root of the last block, from the tree's edge where that saves reading its leaves."""
    if start < reader.sealed <= size:
        last = partial(reader.seals[-1].edge(), start)
        last.extend(leaf_hashes(reader.tail.leaves[: size - reader.sealed]))
        return last.root()
    return root(_hashes(reader, start, size - start))


def _block_of(reader: TreeSource, index: int, size: int) -> list[bytes]:
    start = index - index % BLOCK
    return _hashes(reader, start, min(BLOCK, size - start))


def _hashes(reader: TreeSource, first: int, count: int) -> list[bytes]:
    return [leaf_hash(leaf) for leaf in reader.leaves(first, count)]
