"""Cosignatures: a witness states at what time it saw a checkpoint (C2SP tlog-cosignature v1).

Two kinds: Ed25519 (type 0x04), which signs the whole note text, and ML-DSA-44 (type 0x06), which
holds against quantum computers, names its maker, and leaves extension lines unsigned. This file
only makes and reads the signatures; checking that a log really grew from what the witness saw
before is the witness's own duty. Callers bring the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logstore.errors import FormatError, TamperingFound
from logstore.formats import schemes
from logstore.formats.checkpointtext import parse_checkpoint_text
from logstore.formats.note import NoteSignature, Verifier


class Cosigner(Protocol):
    """A key that cosigns checkpoints."""

    def verifier(self) -> Verifier:
        """The public key."""
        ...

    def cosign(self, text: str, time: int) -> NoteSignature:
        """The signature line for a checkpoint text at a time in seconds since 1970 UTC."""
        ...


class Ed25519Cosigner:
    """An Ed25519 cosigner key (type 0x04). The seed is the secret.

    One key per cosigner: the signature does not say which name it was made under.

    Args:
        name: key name.
        seed: 32 random bytes, used for nothing else.

    Raises:
        FormatError: not a key name, or not 32 bytes.
    """

    __slots__ = ("_key", "_verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        _check_seed(seed)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self._verifier = Verifier.of(name, schemes.COSIGNATURE, public)

    def verifier(self) -> Verifier:
        """The public key."""
        return self._verifier

    def cosign(self, text: str, time: int) -> NoteSignature:
        """Cosign.

        Args:
            text: the checkpoint's note text.
            time: seconds since 1970 UTC, not 0: it says when the tree was the newest one seen.

        Raises:
            FormatError: not a checkpoint text, or not a time.
        """
        parse_checkpoint_text(text)
        _check_time(time)
        signature = self._key.sign(schemes.cosignature_message(text.encode(), time))
        return _line(self._verifier, time, signature)


class MldsaCosigner:
    """An ML-DSA-44 cosigner key (type 0x06). The seed is the secret.

    Args:
        name: key name, at most 255 bytes.
        seed: 32 random bytes.

    Raises:
        FormatError: not a key name, or not 32 bytes.
    """

    __slots__ = ("_key", "_verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        _check_seed(seed)
        self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self._verifier = Verifier.of(name, schemes.MLDSA, public)

    def verifier(self) -> Verifier:
        """The public key."""
        return self._verifier

    def cosign(self, text: str, time: int) -> NoteSignature:
        """Cosign; signatures of the same text differ, since ML-DSA signing is randomised.

        Args:
            text: the checkpoint's note text.
            time: seconds since 1970 UTC, not 0: it says when the tree was the newest one seen.

        Raises:
            FormatError: not a checkpoint text, not a time, or the key name is over 255 bytes.
        """
        checkpoint = parse_checkpoint_text(text)
        _check_time(time)
        message = schemes.subtree_message(self._verifier.name, checkpoint, time)
        return _line(self._verifier, time, self._key.sign(message))


@dataclass(frozen=True, slots=True)
class MldsaLogSigner:
    """A log's own second signature: an ML-DSA-44 key at one moment, as a note signer.

    Attributes:
        cosigner: the key; its name is the log's origin.
        time: seconds since 1970 UTC.
    """

    cosigner: MldsaCosigner
    time: int

    def verifier(self) -> Verifier:
        """The public key."""
        return self.cosigner.verifier()

    def sign(self, message: bytes) -> bytes:
        """The signature blob over a checkpoint text.

        Raises:
            FormatError: not a checkpoint text.
        """
        return self.cosigner.cosign(message.decode(), self.time).signature


def cosignature_time(signature: NoteSignature) -> int:
    """When a cosignature says it was made, in seconds since 1970 UTC. Verify it first.

    Raises:
        FormatError: too short for a cosignature, or the time is out of range.
    """
    if len(signature.signature) <= 8:
        raise FormatError("a cosignature starts with its time")
    return schemes.split_time(signature.signature)[0]


def verify_cosignature(verifier: Verifier, text: str, signature: NoteSignature) -> int:
    """Check one cosignature of a checkpoint text.

    Returns:
        Its time in seconds since 1970 UTC.

    Raises:
        FormatError: the key is no cosigner's, the line is another key's, or not a checkpoint.
        TamperingFound: the signature is wrong.
    """
    if verifier.type not in (schemes.COSIGNATURE, schemes.MLDSA):
        raise FormatError(f"key {verifier.name} is not a cosigner's")
    if (signature.name, signature.key_id) != (verifier.name, verifier.key_id):
        raise FormatError(f"the signature line is not {verifier.name}'s")
    parse_checkpoint_text(text)
    if not verifier.verify(text.encode(), signature.signature):
        raise TamperingFound(f"the cosignature of {verifier.name} is wrong")
    return cosignature_time(signature)


def _line(verifier: Verifier, time: int, signature: bytes) -> NoteSignature:
    return NoteSignature(verifier.name, verifier.key_id, time.to_bytes(8, "big") + signature)


def _check_seed(seed: bytes) -> None:
    if len(seed) != 32:
        raise FormatError("a cosigner's seed is 32 bytes long")


def _check_time(time: int) -> None:
    if not 0 < time <= schemes.MAX_TIME:
        raise FormatError("a cosignature carries its time")
