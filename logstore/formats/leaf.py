"""The leaf: the exact UTF-8 JSON bytes of a record's clear part, which the tree hashes.

Rules of this file:

1. A leaf is hashed as stored. Nothing here is ever used to re-serialise a leaf for verification;
   `parse` re-encodes only to *reject* bytes that this format would not have produced (duplicate
   members, white space, other number spellings).
2. Members stand in the order of the `Leaf` fields; absent optional members are left out.
3. A leaf is at most 65,535 bytes, so that it fits a C2SP tlog-tiles entry.
4. No clock, file or random source: callers bring every value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from logstore.errors import FormatError

VERSION = 1
"""Leaf format version, the `v` member."""

MAX_LEAF = 65_535
"""Largest leaf in bytes (C2SP tlog-tiles entries carry a 16-bit length)."""

GENESIS = bytes(32)
"""`prev` of record 0."""

ClearValue = str | int | float | bool | list[str] | list[int]
"""What a clear field may hold on ordinary records."""


class BodyRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A leaf's commitment to its encrypted body.

    Attributes:
        keys: ids of every key needed to open the body, sorted; for a person's data each id is
            that person's random token for the month.
        len: length of the content in bytes, rounded up (Padmé), so that it tells little.
        commit: SHA-256(nonce32 || content); the nonce is kept only inside the ciphertext.
    """

    keys: list[str]
    len: int
    commit: bytes


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The clear part of one record. Binary members are standard base64 in JSON.

    Attributes:
        v: leaf format version.
        index: position in the log, from 0.
        prev: leaf hash of the record before (`GENESIS` for record 0): the hash chain.
        id: UUIDv7, lower-case with hyphens.
        kind: what sort of record, e.g. ``interaction`` or ``segment.sealed``.
        time_us: event time, microseconds since 1970-01-01 UTC, as the source states it.
        recorded_us: wall clock when aircon took the record, microseconds since 1970 UTC.
        mono_us: monotonic clock at the same moment, microseconds, comparable within one boot.
        boot: first 8 hex digits of the machine's boot id.
        source: who sent it: an importer's or sender's name, never a person.
        by: the operator or service identity that wrote it.
        clear: allow-listed clear fields (see `clearfields`), or the fields of a system record.
        seq: the source's own sequence number, where it has one: gaps are detectable.
        body: commitment to the encrypted body, if there is one.
    """

    v: int
    index: int
    prev: bytes
    id: str
    kind: str
    time_us: int
    recorded_us: int
    mono_us: int
    boot: str
    source: str
    by: str
    clear: dict[str, object]
    seq: int | None = None
    body: BodyRef | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Leaf)


def encode(leaf: Leaf) -> bytes:
    """Serialise a new leaf.

    Raises:
        FormatError: it would be longer than `MAX_LEAF`.
    """
    data = _encoder.encode(leaf)
    if len(data) > MAX_LEAF:
        raise FormatError(f"leaf of {len(data)} bytes; the format allows {MAX_LEAF}")
    return data


def parse(data: bytes) -> Leaf:
    """Read a leaf strictly: re-encode and compare.

    Raises:
        FormatError: not exactly the bytes this format writes.
    """
    if len(data) > MAX_LEAF:
        raise FormatError(f"leaf of {len(data)} bytes; the format allows {MAX_LEAF}")
    try:
        leaf = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not a leaf: {error}") from None
    if _encoder.encode(leaf) != data:
        raise FormatError(
            "leaf is not in its one spelling (duplicate member, space or number form)"
        )
    if leaf.v != VERSION:
        raise FormatError(f"leaf format version {leaf.v}; this program reads {VERSION}")
    if len(leaf.prev) != 32 or (leaf.body is not None and len(leaf.body.commit) != 32):
        raise FormatError("leaf carries a hash that is not 32 bytes long")
    return leaf


def parse_all(raw: Sequence[bytes]) -> list[Leaf]:
    """`parse` for many leaves, in half the time.

    Raises:
        FormatError: one of them is not exactly the bytes this format writes.
    """
    try:
        leaves = list(map(_decoder.decode, raw))
        spelled = _spelled(leaves, raw)
    except (msgspec.DecodeError, RecursionError):
        spelled = False
    hashes = spelled and all(
        len(leaf.prev) == 32 and (leaf.body is None or len(leaf.body.commit) == 32)
        for leaf in leaves
    )
    if hashes and max(map(len, raw), default=0) <= MAX_LEAF and {leaf.v for leaf in leaves} <= _V:
        return leaves
    return list(map(parse, raw))  # says what is wrong, and is slow only where something is


_V = {VERSION}


def _spelled(leaves: list[Leaf], raw: Sequence[bytes]) -> bool:
    """Whether each leaf encodes to its bytes; one buffer for all spares an allocation for each."""
    buffer = bytearray(MAX_LEAF)
    for leaf, data in zip(leaves, raw, strict=True):
        _encoder.encode_into(leaf, buffer)
        if buffer != data:
            return False
    return True


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || leaf), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def leaf_hashes(raw: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of many leaves."""
    return [hashlib.sha256(b"\x00" + data).digest() for data in raw]
