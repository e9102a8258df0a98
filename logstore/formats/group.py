"""The payload of one group commit in the write-ahead log.

    first u64 | count u32 | leaves u32 | note u16 | 2 zero | leaf lengths count x u16
    | leaves | checkpoint note | nonce 12 | AES-256-GCM( body lengths count x u32 | bodies )

A body is nonce32 || content; the length of an absent one is 0xFFFFFFFF. All bodies of a group are
one encryption under the WAL key: at 2 KB per record one call per record costs four times as much.
The associated data binds origin, first index and count.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from logstore.errors import FormatError, KeyUnavailable

Content = bytes | memoryview
"""nonce32 || content of one record, perhaps as a view of something larger."""

_HEAD = struct.Struct("<QIIH2x")
_ABSENT = 0xFFFFFFFF
_NONCE = 12
_TAG = 16


@dataclass(frozen=True, slots=True)
class Group:
    """One group commit as read back; bodies still encrypted.

    Attributes:
        first: index of its first record.
        leaves: leaf bytes in order.
        note: the signed checkpoint that covers the log up to and including this group.
        sealed: GCM nonce and ciphertext of the bodies, perhaps a view of what was read.
    """

    first: int
    leaves: list[bytes]
    note: bytes
    sealed: Content

    @property
    def end(self) -> int:
        """Index just behind its last record."""
        return self.first + len(self.leaves)


@dataclass(frozen=True, slots=True)
class Plain:
    """A group to be written.

    Attributes:
        first: index of its first record.
        leaves: leaf bytes in order.
        bodies: nonce32 || content of each record, or None.
        note: the signed checkpoint that covers it.
    """

    first: int
    leaves: Sequence[bytes]
    bodies: Sequence[bytes | None]
    note: bytes


def _associated(origin: str, first: int, count: int) -> bytes:
    return b"aircon/wal/v1\0" + origin.encode() + struct.pack("<QI", first, count)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Encrypts and decrypts the bodies of group commits.

    Attributes:
        origin: the log's origin, bound into every encryption.
        aead: AES-256-GCM under the WAL key.
    """

    origin: str
    aead: AESGCM

    def payload(self, group: Plain, nonce: bytes, *, room: int = 0) -> bytearray:
        """The payload of one group commit, its bodies encrypted.

        Args:
            group: what it holds.
            nonce: 12 fresh random bytes.
            room: free bytes to leave in front, for a frame's header.
        """
        sizes = [_ABSENT if body is None else len(body) for body in group.bodies]
        lengths = struct.pack(f"<{len(sizes)}I", *sizes)
        plain = b"".join((lengths, *filter(None, group.bodies)))
        head = encode(group.first, group.leaves, group.note, nonce)
        # Encrypted in its place: at a megabyte each further copy costs as much as the cipher.
        buffer = bytearray(room + len(head) + len(plain) + _TAG)
        with memoryview(buffer) as view:
            view[room : room + len(head)] = head
            associated = _associated(self.origin, group.first, len(sizes))
            self.aead.encrypt_into(nonce, plain, associated, view[room + len(head) :])
        return buffer

    def open(self, group: Group) -> list[bytes | None]:
        """Decrypt a group's bodies, in record order.

        Raises:
            KeyUnavailable: this is not the key they were encrypted with, or bytes were changed.
            FormatError: the plaintext does not add up.
        """
        return [None if body is None else bytes(body) for body in self.views(group)]

    def views(self, group: Group) -> list[memoryview | None]:
        """`open` without copying: each body keeps the plaintext of its whole group in memory.

        Raises:
            KeyUnavailable: this is not the key they were encrypted with, or bytes were changed.
            FormatError: the plaintext does not add up.
        """
        count = len(group.leaves)
        try:
            plain = self.aead.decrypt(
                group.sealed[:_NONCE],
                group.sealed[_NONCE:],
                _associated(self.origin, group.first, count),
            )
        except InvalidTag:
            raise KeyUnavailable(
                "a group of the write-ahead log does not open with its key"
            ) from None
        return _split(memoryview(plain), count)


def _split(plain: memoryview, count: int) -> list[memoryview | None]:
    if len(plain) < 4 * count:
        raise FormatError("bodies of a group are shorter than their table of lengths")
    sizes = struct.unpack_from(f"<{count}I", plain)
    at = 4 * count
    bodies: list[memoryview | None] = []
    for size in sizes:
        if size == _ABSENT:
            bodies.append(None)
            continue
        bodies.append(plain[at : at + size])
        at += size
    if at != len(plain):
        raise FormatError("bodies of a group do not fill their ciphertext exactly")
    return bodies


def encode(first: int, leaves: Sequence[bytes], note: bytes, sealed: Content) -> bytes:
    """The payload of one group commit."""
    lengths = [len(leaf) for leaf in leaves]
    return b"".join(
        (
            _HEAD.pack(first, len(leaves), sum(lengths), len(note)),
            struct.pack(f"<{len(lengths)}H", *lengths),
            *leaves,
            note,
            sealed,
        )
    )


def parse(payload: bytes | memoryview) -> Group:
    """Read a payload back.

    Raises:
        FormatError: lengths that do not add up.
    """
    if len(payload) < _HEAD.size:
        raise FormatError("group shorter than its header")
    first, count, size, note_size = _HEAD.unpack_from(payload)
    at = _HEAD.size + 2 * count
    if not count or len(payload) < at + size + note_size + _NONCE + _TAG:
        raise FormatError("group shorter than its header says")
    lengths = struct.unpack_from(f"<{count}H", payload, _HEAD.size)
    if sum(lengths) != size:
        raise FormatError("leaf lengths of a group do not add up")
    data = bytes(payload[at : at + size + note_size])
    leaves = []
    start = 0
    for length in lengths:
        leaves.append(data[start : start + length])
        start += length
    return Group(first, leaves, data[start:], memoryview(payload)[at + size + note_size :])
