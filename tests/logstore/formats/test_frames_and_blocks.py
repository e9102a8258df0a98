"""Frames, group commits and body blocks: what was written comes back, anything else is refused."""

from __future__ import annotations

import contextlib
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.errors import FormatError, KeyUnavailable
from logstore.formats import blocks, frame, group

leaves = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8)
bodies = st.lists(st.none() | st.binary(max_size=80), min_size=1, max_size=8)
CONTEXT = blocks.BlockContext("logs.example.com/x", 100, 50)


@given(st.lists(st.binary(max_size=50), max_size=6), st.binary(max_size=60))
def test_frames_are_read_until_the_first_damage(payloads: list[bytes], tail: bytes) -> None:
    data = b"".join(frame.encode(frame.WAL_GROUP, payload) for payload in payloads)
    assert [bytes(f.payload) for f in frame.scan(data)] == payloads
    if frame.read(tail) is None:
        assert [bytes(f.payload) for f in frame.scan(data + tail)] == payloads


def test_every_flipped_bit_of_a_frame_is_noticed() -> None:
    data = frame.encode(frame.KEY_PAGE, b"a page of keys")
    for at in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << at % 8
        assert frame.read(bytes(damaged)) is None


def test_whole_frames_behind_damage_are_found_and_a_torn_tail_has_none() -> None:
    one, two = frame.encode(2, b"one" * 30), frame.encode(2, b"two")
    assert frame.resumes_after(b"x" * 7 + two, 0) == 7
    assert frame.resumes_after(one[:50] + two, 0) == 50
    assert frame.resumes_after(one[:50], 0) is None
    assert frame.resumes_after(one[:50] + bytes(400), 0) is None
    assert frame.resumes_after(one[:50] + two[:-1], 0) is None


@given(leaves, st.binary(max_size=30), st.data())
def test_groups_come_back(rows: list[bytes], note: bytes, data: st.DataObject) -> None:
    contents = [data.draw(st.none() | st.binary(max_size=50)) for _ in rows]
    sealer = group.Sealer("logs.example.com/x", AESGCM(bytes(32)))
    plain = group.Plain(7, rows, contents, note)
    payload = sealer.payload(plain, os.urandom(12), room=5)
    assert payload[:5] == bytes(5)
    read = group.parse(memoryview(payload)[5:])
    assert (read.first, read.end, read.leaves, read.note) == (7, 7 + len(rows), rows, note)
    assert sealer.open(read) == contents
    for other in (
        group.Sealer("logs.example.com/y", AESGCM(bytes(32))),
        group.Sealer("logs.example.com/x", AESGCM(b"\1" * 32)),
    ):
        with pytest.raises(KeyUnavailable):
            other.open(read)
    with pytest.raises(KeyUnavailable):
        sealer.open(group.Group(8, read.leaves, read.note, read.sealed))


@given(st.binary(max_size=120))
def test_any_bytes_as_a_group_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        group.parse(data)


@settings(max_examples=30)
@given(bodies)
def test_blocks_come_back_the_same_way_every_time(contents: list[bytes | None]) -> None:
    entries = [(n, bytes(32) + c) for n, c in enumerate(contents) if c is not None]
    key = blocks.block_key([b"k" * 32], ["id"], CONTEXT)
    place = CONTEXT.bind(["id"], 0)
    block = blocks.seal(key, entries, place)
    assert blocks.seal(key, entries, place) == block, "sealing again must give the same bytes"
    assert blocks.open_block(key, block, place) == entries


def test_a_block_opens_only_with_all_keys_in_its_own_place() -> None:
    maria, tom = b"m" * 32, b"t" * 32
    key = blocks.block_key([maria, tom], ["a", "b"], CONTEXT)
    block = blocks.seal(key, [(0, bytes(32) + b"both")], CONTEXT.bind(["a", "b"], 0))
    elsewhere = blocks.BlockContext(CONTEXT.origin, 101, 50)
    for wrong_key, place in [
        (blocks.block_key([maria], ["a"], CONTEXT), CONTEXT.bind(["a", "b"], 0)),
        (blocks.block_key([tom, maria], ["a", "b"], CONTEXT), CONTEXT.bind(["a", "b"], 0)),
        (blocks.block_key([maria, tom], ["a", "b"], elsewhere), CONTEXT.bind(["a", "b"], 0)),
        (key, CONTEXT.bind(["a", "b"], 1)),
        (key, elsewhere.bind(["a", "b"], 0)),
        (key, CONTEXT.bind(["a"], 0)),
    ]:
        with pytest.raises(KeyUnavailable):
            blocks.open_block(wrong_key, block, place)


def test_other_plaintext_never_meets_the_same_nonce() -> None:
    key, place = bytes(32), CONTEXT.bind(["id"], 0)
    nonces = {blocks.seal(key, [(0, bytes(32) + bytes([n]))], place)[:12] for n in range(200)}
    assert len(nonces) == 200


@pytest.mark.parametrize("plain", [b"", b"\0" * 7, b"\xff" * 8, b"\0\0\0\x7f" * 4])
def test_a_block_with_impossible_lengths_is_refused(plain: bytes) -> None:
    place = CONTEXT.bind(["id"], 0)
    block = bytes(12) + AESGCM(bytes(32)).encrypt(bytes(12), plain, place)
    with pytest.raises(FormatError):
        blocks.open_block(bytes(32), block, place)
