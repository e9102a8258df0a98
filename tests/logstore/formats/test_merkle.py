"""The tree, its frontier and its proofs, on trees of every shape."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError, UsageError
from logstore.formats import merkle


def leaves(count: int, salt: bytes = b"") -> list[bytes]:
    return [merkle.leaf_hash(salt + b"%d" % number) for number in range(count)]


def recursive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1 word for word, to hold the level-by-level code against."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = recursive_root(hashes[:split]), recursive_root(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def recursive_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1 word for word."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*recursive_path(index, hashes[:split]), recursive_root(hashes[split:])]
    return [*recursive_path(index - split, hashes[split:]), recursive_root(hashes[:split])]


def recursive_subproof(size: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 9162 section 2.1.4.1 word for word."""
    if size == len(hashes):
        return [] if whole else [recursive_root(hashes)]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = hashes[:split], hashes[split:]
    if size <= split:
        return [*recursive_subproof(size, left, whole=whole), recursive_root(right)]
    return [*recursive_subproof(size - split, right, whole=False), recursive_root(left)]


def refused(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except FormatError:
        return True
    return False


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def blocks(hashes: list[bytes], height: int) -> list[bytes]:
    width = 1 << height
    return [merkle.subtree_root(hashes[at : at + width]) for at in range(0, len(hashes), width)]


def block_of(hashes: list[bytes], index: int, height: int) -> list[bytes]:
    first = index >> height << height
    return hashes[first : first + (1 << height)]


def test_every_small_tree_has_the_root_and_the_proofs_the_rfc_spells_out() -> None:
    for size in range(1, 34):
        hashes = leaves(size)
        assert merkle.root(hashes) == recursive_root(hashes)
        for index in range(size):
            assert merkle.inclusion_proof(hashes, index) == recursive_path(index, hashes)
            proof = merkle.consistency_proof(hashes, index + 1)
            assert proof == recursive_subproof(index + 1, hashes)
    assert merkle.root([]) == merkle.EMPTY_ROOT == recursive_root([])


@given(size=st.integers(1, 600), data=st.data())
def test_a_proof_of_any_record_of_any_tree_verifies(size: int, data: st.DataObject) -> None:
    hashes = leaves(size, b"any")
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root(hashes)
    merkle.verify_inclusion(index, size, hashes[index], merkle.inclusion_proof(hashes, index), root)
    older = merkle.root(hashes[: index + 1])
    proof = merkle.consistency_proof(hashes, index + 1)
    merkle.verify_consistency(index + 1, size, proof, older, root)


@given(size=st.integers(2, 300), bit=st.integers(0, 255), data=st.data())
def test_an_inclusion_proof_with_one_bit_changed_anywhere_is_refused(
    size: int, bit: int, data: st.DataObject
) -> None:
    hashes = leaves(size, b"bit")
    index = data.draw(st.integers(0, size - 1))
    root, proof = merkle.root(hashes), merkle.inclusion_proof(hashes, index)
    check, leaf = merkle.verify_inclusion, hashes[index]
    assert refused(check, index, size, flip(leaf, bit), proof, root)
    assert refused(check, index, size, leaf, proof, flip(root, bit))
    for power in range(64):
        assert refused(check, index ^ 1 << power, size, leaf, proof, root)
    for at in range(len(proof)):
        changed = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
        assert refused(check, index, size, leaf, changed, root)
        assert refused(check, index, size, leaf, proof[:at] + proof[at + 1 :], root)
    assert refused(check, index, size, leaf, [*proof, leaf], root)


@given(size=st.integers(2, 300), bit=st.integers(0, 255), data=st.data())
def test_a_consistency_proof_with_one_bit_changed_anywhere_is_refused(
    size: int, bit: int, data: st.DataObject
) -> None:
    hashes = leaves(size, b"bit")
    size1 = data.draw(st.integers(1, size - 1))
    old, new = merkle.root(hashes[:size1]), merkle.root(hashes)
    proof, check = merkle.consistency_proof(hashes, size1), merkle.verify_consistency
    merkle.verify_consistency(size1, size, proof, old, new)
    assert refused(check, size1, size, proof, flip(old, bit), new)
    assert refused(check, size1, size, proof, old, flip(new, bit))
    for at in range(len(proof)):
        changed = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
        assert refused(check, size1, size, changed, old, new)
        assert refused(check, size1, size, proof[:at] + proof[at + 1 :], old, new)
    assert refused(check, size1, size, [*proof, old], old, new)
    assert refused(check, size, size1, proof, new, old)


@given(size=st.integers(2, 200), data=st.data())
def test_a_size_that_needs_another_path_is_refused(size: int, data: st.DataObject) -> None:
    # A changed size is caught when it changes the length or the turns of the path; where it does
    # neither, the signature over (size, root) catches it, since a root belongs to one size.
    hashes = leaves(size, b"size")
    index = data.draw(st.integers(0, size - 1))
    wrong = data.draw(st.integers(0, 1 << 20).filter(lambda number: number != size))
    proof, root = merkle.inclusion_proof(hashes, index), merkle.root(hashes)
    accepted = not refused(merkle.verify_inclusion, index, wrong, hashes[index], proof, root)
    assert not accepted or sides(index, wrong) == sides(index, size)


def sides(index: int, size: int) -> list[bool]:
    """For each step of the path to `index`: whether the sibling stands on the left."""
    return [end <= index for _, end in merkle.inclusion_ranges(index, size)]


@given(size=st.integers(1, 400), height=st.integers(0, 9), data=st.data())
def test_proofs_from_block_roots_equal_proofs_from_all_leaves(
    size: int, height: int, data: st.DataObject
) -> None:
    hashes = leaves(size, b"block")
    index = data.draw(st.integers(0, size - 1))
    roots, block = blocks(hashes, height), block_of(hashes, index, height)
    plain = merkle.inclusion_proof(hashes, index)
    assert merkle.inclusion_proof_blocks(index, size, roots, block, height) == plain
    plain = merkle.consistency_proof(hashes, index + 1)
    assert merkle.consistency_proof_blocks(index + 1, size, roots, block, height) == plain
    assert merkle.root(roots) == merkle.root(hashes)


def test_proofs_from_block_roots_equal_the_plain_ones_at_every_ragged_edge() -> None:
    for size in range(1, 70):
        hashes = leaves(size, b"ragged")
        for height in (0, 1, 3, 4, 7):
            roots = blocks(hashes, height)
            for index in range(size):
                block = block_of(hashes, index, height)
                made = merkle.inclusion_proof_blocks(index, size, roots, block, height)
                assert made == merkle.inclusion_proof(hashes, index)
                made = merkle.consistency_proof_blocks(index + 1, size, roots, block, height)
                assert made == merkle.consistency_proof(hashes, index + 1)


def test_block_proofs_refuse_roots_or_leaves_that_do_not_fit_the_size() -> None:
    hashes = leaves(20)
    roots, block = blocks(hashes, 3), block_of(hashes, 17, 3)
    with pytest.raises(FormatError, match="blocks"):
        merkle.inclusion_proof_blocks(17, 20, roots[:2], block, 3)
    with pytest.raises(FormatError, match="leaf hashes"):
        merkle.inclusion_proof_blocks(17, 20, roots, block[:3], 3)
    with pytest.raises(UsageError, match="at least one leaf"):
        merkle.subtree_root([])


@given(parts=st.lists(st.integers(0, 70), max_size=12), singly=st.booleans())
def test_a_frontier_grown_in_any_portions_has_the_root_of_the_whole(
    parts: list[int], singly: bool
) -> None:
    hashes = leaves(sum(parts), b"grow")
    frontier, at = merkle.Frontier(), 0
    for part in parts:
        portion = hashes[at : at + part]
        if singly and part % 2:
            for leaf in portion:
                frontier.append(leaf)
        else:
            frontier.extend(portion)
        at += part
        assert frontier.root() == merkle.root(hashes[:at])
        assert frontier.size == at
        twin = merkle.Frontier.from_bytes(frontier.to_bytes())
        assert (twin, hash(twin), twin.root()) == (frontier, hash(frontier), frontier.root())


@given(first=st.integers(0, 100), more=st.integers(1, 40))
def test_a_frontier_read_back_grows_as_the_original_and_a_copy_leaves_it_alone(
    first: int, more: int
) -> None:
    hashes = leaves(first + more, b"back")
    frontier = merkle.Frontier()
    frontier.extend(hashes[:first])
    before = frontier.to_bytes()
    read, copy = merkle.Frontier.from_bytes(before), frontier.copy()
    read.extend(hashes[first:])
    for leaf in hashes[first:]:
        copy.append(leaf)
    assert read.root() == copy.root() == merkle.root(hashes)
    assert frontier.to_bytes() == before


@given(st.binary(max_size=120))
def test_bytes_that_are_no_frontier_are_refused_or_come_back_unchanged(data: bytes) -> None:
    try:
        frontier = merkle.Frontier.from_bytes(data)
    except FormatError:
        return
    assert frontier.to_bytes() == data


def test_a_frontier_refuses_a_hash_of_wrong_length_and_stays_as_it_was() -> None:
    frontier = merkle.Frontier()
    frontier.extend(leaves(5))
    before = frontier.to_bytes()
    with pytest.raises(FormatError, match="32 bytes"):
        frontier.append(b"short")
    with pytest.raises(FormatError, match="32 bytes"):
        frontier.extend([*leaves(3), b"short"])
    assert frontier.to_bytes() == before
    assert frontier != before


def test_records_and_sizes_that_do_not_exist_have_no_proof() -> None:
    hashes = leaves(5)
    for index in (-1, 5, 2**63):
        with pytest.raises(UsageError, match="no record"):
            merkle.inclusion_proof(hashes, index)
    for size in (-1, 0, 6):
        with pytest.raises(UsageError, match="no consistency proof"):
            merkle.consistency_proof(hashes, size)


def test_a_proof_of_more_than_63_hashes_is_refused_before_any_hashing() -> None:
    leaf = merkle.leaf_hash(b"x")
    with pytest.raises(FormatError, match="allows 63"):
        merkle.verify_inclusion(0, 2**63 - 1, leaf, [leaf] * 64, leaf)
    with pytest.raises(FormatError, match="allows 63"):
        merkle.verify_consistency(1, 2**63 - 1, [leaf] * 64, leaf, leaf)
    with pytest.raises(FormatError, match="empty"):
        merkle.verify_consistency(3, 5, [], leaf, leaf)


@pytest.mark.slow
def test_a_million_leaf_hashes_are_integrated_fast_and_proved_from_blocks_at_once() -> None:
    hashes = leaves(1_000_000)
    started = time.perf_counter()
    frontier = merkle.Frontier()
    frontier.extend(hashes)
    root = frontier.root()
    rate = len(hashes) / (time.perf_counter() - started)
    roots, index = blocks(hashes, merkle.BLOCK_HEIGHT), 777_777
    block = block_of(hashes, index, merkle.BLOCK_HEIGHT)
    started = time.perf_counter()
    proof = merkle.inclusion_proof_blocks(index, len(hashes), roots, block)
    took = time.perf_counter() - started
    merkle.verify_inclusion(index, len(hashes), hashes[index], proof, root)
    assert len(proof) == 20
    assert rate > 150_000, f"{rate:,.0f} leaf hashes a second"  # 1.4 M/s on an idle machine
    assert took < 0.1, f"{took * 1000:.1f} ms for one proof"  # 1.3 ms on an idle machine


def test_a_proof_that_climbs_above_its_tree_is_refused_though_a_larger_tree_has_that_root() -> None:
    hashes = leaves(4)
    root, left = merkle.root(hashes), merkle.root(hashes[:2])
    with pytest.raises(FormatError, match="too long"):
        merkle.verify_inclusion(0, 1, hashes[1], [hashes[0]], merkle.root(hashes[:2]))
    with pytest.raises(FormatError, match="too long"):
        merkle.verify_consistency(1, 2, [hashes[3], left], hashes[2], root)
