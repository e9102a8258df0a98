"""Hashing of the Merkle tree: RFC 6962 section 2.1 with SHA-256.

A node is SHA-256(0x01 || left || right); the root of no leaves is SHA-256 of nothing. A tree of n
leaves splits at the largest power of two below n, which is the same as pairing neighbours level
by level and carrying a lone last node up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from logstore.errors import UsageError

HASH = 32
"""Length of a hash in bytes."""

MAX_SIZE = 2**63 - 1
"""Largest tree, in leaves."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

_NODE = hashlib.sha256(b"\x01")


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, or over the roots of aligned blocks of one height.

    Only the last block may be smaller than its fellows: the tree's split rule makes both the same.
    """
    nodes = list(leaf_hashes)
    if not nodes:
        return EMPTY_ROOT
    while len(nodes) > 1:
        lone = nodes[-1:] if len(nodes) & 1 else []
        nodes = parents(nodes)
        nodes += lone
    return nodes[0]


def subtree_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root of one aligned block of at least one leaf, for the `*_blocks` functions.

    Raises:
        UsageError: the block is empty; empty blocks have no place in a tree.
    """
    if not leaf_hashes:
        raise UsageError("a block of a tree has at least one leaf")
    return root(leaf_hashes)


def parents(nodes: list[bytes]) -> list[bytes]:
    """The parents of neighbouring nodes of one level; a lone last node has none."""
    pairs, fresh, above = iter(nodes), _NODE.copy, []
    # Copying the hash state of the 0x01 prefix is measurably faster than a new hash object.
    for left, right in zip(pairs, pairs, strict=False):
        parent = fresh()
        parent.update(left + right)
        above.append(parent.digest())
    return above
