"""Signature schemes of signed notes: key ids, and the exact bytes that each type signs.

    0x01  Ed25519             signs the note text
    0x04  Ed25519 cosigner    signs a header, the time and the note text
    0x06  ML-DSA-44 cosigner  signs a structure of its name, the time and the checkpoint

A signature blob is the bare signature (0x01), or u64be time || signature (0x04, 0x06).

Sources: C2SP signed-note v1.0.0 ("Signature types"), C2SP tlog-cosignature v1, RFC 8032, FIPS 204
with an empty context.
"""

from __future__ import annotations

import functools
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from logstore.errors import FormatError
from logstore.formats.checkpointtext import Checkpoint, parse_checkpoint_text

ED25519 = 0x01
"""Signature type: plain Ed25519."""

COSIGNATURE = 0x04
"""Signature type: Ed25519 cosignature/v1."""

MLDSA = 0x06
"""Signature type: ML-DSA-44 (sub)tree cosignature."""

KEY_SIZES = {ED25519: 32, COSIGNATURE: 32, MLDSA: 1312}
"""Public key length in bytes of every type this program knows."""

BLOB_SIZES = {ED25519: 64, COSIGNATURE: 8 + 64, MLDSA: 8 + 2420}
"""Signature blob length in bytes, after the key id, of every type this program knows."""

MAX_TIME = 2**63 - 1
"""Latest cosignature time, seconds since 1970 UTC."""

_SUBTREE_LABEL = b"subtree/v1\n\0"


def key_id(name: str, scheme: int, public_key: bytes) -> bytes:
    """SHA-256(name || 0x0A || type || public key)[:4], C2SP signed-note "Signatures"."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([scheme]) + public_key).digest()[:4]


def cosignature_message(text: bytes, time: int) -> bytes:
    """What an Ed25519 cosigner signs: header, POSIX time in seconds, whole note text.

    Raises:
        FormatError: the time is out of range.
    """
    _check_time(time)
    return b"cosignature/v1\ntime %d\n" % time + text


def subtree_message(cosigner: str, checkpoint: Checkpoint, time: int) -> bytes:
    """What an ML-DSA-44 cosigner signs: its name, the time, and the tree from leaf 0.

    Raises:
        FormatError: the time is out of range, or the name not 1 to 255 bytes long.
    """
    _check_time(time)
    name, origin = cosigner.encode(), checkpoint.origin.encode()
    if not 0 < len(name) <= 255:
        raise FormatError("a cosigner name is 1 to 255 bytes long")
    return b"".join(
        (
            _SUBTREE_LABEL,
            bytes([len(name)]) + name,
            time.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def split_time(blob: bytes) -> tuple[int, bytes]:
    """Part a cosignature blob into (seconds since 1970 UTC, signature).

    Raises:
        FormatError: the time is out of range.
    """
    time = int.from_bytes(blob[:8], "big")
    _check_time(time)
    return time, blob[8:]


def verify(scheme: int, name: str, public_key: bytes, message: bytes, blob: bytes) -> bool:
    """Whether `blob` is this key's signature of the note text `message`.

    False also for a blob of wrong length, a time out of range, a text that is no checkpoint where
    the scheme signs checkpoints, a scheme that is not known, and a public key that is none.
    """
    if len(blob) != BLOB_SIZES.get(scheme):
        return False
    try:
        if scheme == ED25519:
            return _ed25519(public_key, message, blob)
        time, signature = split_time(blob)
        if scheme == COSIGNATURE:
            return _ed25519(public_key, cosignature_message(message, time), signature)
        checkpoint = parse_checkpoint_text(message.decode())
        return _mldsa(public_key, subtree_message(name, checkpoint, time), signature)
    except (FormatError, UnicodeDecodeError):
        return False


def _check_time(time: int) -> None:
    if not 0 <= time <= MAX_TIME:
        raise FormatError("cosignature time is out of range")


def _ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        _ed25519_key(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@functools.lru_cache(256)
def _ed25519_key(public_key: bytes) -> Ed25519PublicKey:
    # Reading a key takes as long as a verification, and a log has one key for all its seals.
    return Ed25519PublicKey.from_public_bytes(public_key)


def _mldsa(public_key: bytes, message: bytes, signature: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    try:
        MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
