"""Body blocks: how content stands in a sealed segment.

One block holds all (or one part) of the content that one set of keys opens in one segment:

    AES-256-GCM( raw length u32 | packed length u32 | zstd(entries) | zeros up to a Padmé length )
    entry = index offset u32 | length u32 | nonce32 | content

The block key is HKDF-SHA256 over *all* keys of the set, bound to origin and segment, so a record
that concerns several people opens only while every one of their keys exists. The GCM nonce is
derived from key and plaintext (as in SIV): sealing the same records again after a crash gives the
same bytes, and other bytes can never meet the same nonce.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from logstore.errors import FormatError, KeyUnavailable
from logstore.formats.body import NONCE, padded
from logstore.formats.group import Content

if TYPE_CHECKING:
    import pyarrow as pa

MAX_RAW = 256 * 2**20
"""Most bytes of entries in one block, before compression."""

_LENGTHS = struct.Struct("<II")
_LEVEL = 1  # level 3 saves 2 % more and takes half as long again


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What a block is bound to.

    Attributes:
        origin: the log's origin.
        first: first index of the segment.
        count: records in the segment.
    """

    origin: str
    first: int
    count: int

    def bind(self, key_ids: Sequence[str], part: int) -> bytes:
        """Associated data of one block."""
        head = b"aircon/block/v1\0" + self.origin.encode() + b"\0"
        place = struct.pack("<QQI", self.first, self.count, part)
        return head + place + "\0".join(key_ids).encode()


def block_key(keys: Sequence[bytes], key_ids: Sequence[str], context: BlockContext) -> bytes:
    """The 256-bit key of a set of keys for one segment (HKDF, RFC 5869).

    Args:
        keys: the 32-byte keys, in the order of `key_ids`.
        key_ids: their ids, sorted.
        context: the segment.
    """
    info = b"aircon/block-key/v1\0" + context.bind(key_ids, 0)
    # HKDF without salt and for one block of output, written out: a third of the time.
    extracted = hmac.digest(bytes(32), b"".join(keys), "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def seal(key: bytes, entries: Iterable[tuple[int, Content]], associated: bytes) -> bytes:
    """Compress, pad and encrypt entries of (index offset in the segment, nonce32 || content)."""
    pieces: list[Content] = []
    for offset, body in entries:
        pieces.append(_LENGTHS.pack(offset, len(body)))
        pieces.append(body)
    raw = b"".join(pieces)
    packed = _codec().compress(raw, asbytes=True)
    size = _LENGTHS.size + len(packed)
    lengths, zeros = _LENGTHS.pack(len(raw), len(packed)), bytes(padded(size) - size)
    plain = b"".join((lengths, packed, zeros))
    digest = hashlib.sha256(associated)
    digest.update(plain)
    nonce = hmac.digest(key, b"nonce\0" + digest.digest(), "sha256")[:12]
    return nonce + AESGCM(key).encrypt(nonce, plain, associated)


@functools.cache
def _codec() -> pa.Codec:
    import pyarrow as pa

    return pa.Codec("zstd", compression_level=_LEVEL)


def open_block(key: bytes, block: bytes, associated: bytes) -> list[tuple[int, bytes]]:
    """Decrypt a block into (index offset, nonce32 || content) entries.

    Raises:
        KeyUnavailable: the key does not open it, or bytes were changed.
        FormatError: the plaintext does not add up.
    """
    import pyarrow as pa

    try:
        plain = AESGCM(key).decrypt(block[:12], block[12:], associated)
    except InvalidTag:
        raise KeyUnavailable("a body block does not open with its keys") from None
    if len(plain) < _LENGTHS.size:
        raise FormatError("body block shorter than its header")
    raw_size, packed_size = _LENGTHS.unpack_from(plain)
    if raw_size > MAX_RAW or _LENGTHS.size + packed_size > len(plain):
        raise FormatError("body block states sizes it cannot have")
    packed = plain[_LENGTHS.size : _LENGTHS.size + packed_size]
    try:
        raw = _codec().decompress(packed, raw_size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"body block does not decompress: {error}") from None
    return _entries(raw)


def _entries(raw: bytes) -> list[tuple[int, bytes]]:
    entries: list[tuple[int, bytes]] = []
    at = 0
    while at < len(raw):
        if at + _LENGTHS.size > len(raw):
            raise FormatError("body block ends inside an entry")
        offset, size = _LENGTHS.unpack_from(raw, at)
        at += _LENGTHS.size
        if size < NONCE or at + size > len(raw):
            raise FormatError("body block ends inside an entry")
        entries.append((offset, raw[at : at + size]))
        at += size
    return entries
