"""Values of the key store and their bytes: key entries, tombstones, pages. Pure."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from logstore.errors import FormatError, TamperingFound, UsageError

MAX_IDENTITY = 65_536
"""Longest identity in bytes of UTF-8."""


class KeyEntry(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """One 256-bit key and whom it belongs to.

    Attributes:
        id: 32 random hexadecimal digits; for a person this is the token that stands in clear.
        scope: ``subject``, ``conversation``, ``source``, or ``local`` for the store's own secrets.
        identity: raw identity (user id, conversation id, source); only ever stored encrypted.
        month: ``YYYY-MM`` of the records it protects; empty for local secrets.
        generation: counts re-issues for one (scope, identity, month).
        key: 32 bytes.
        at: size of the log when it was flushed: the group commit at this index announces it.
    """

    id: str
    scope: str
    identity: str
    month: str
    generation: int
    key: bytes
    at: int = 0


class Tombstone(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """What stays of a destroyed key, so that a late record is not given a fresh one silently.

    Attributes:
        id: the destroyed key's id.
        tag: keyed hash of scope and identity; recognises the person, does not name them.
        month: month of the destroyed key.
    """

    id: str
    tag: bytes
    month: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[KeyEntry | Tombstone])


def seal_page(kek: bytes, page: list[KeyEntry | Tombstone], nonce: bytes, place: bytes) -> bytes:
    """Encrypt a page of the journal; `place` binds generation and offset."""
    return nonce + AESGCM(kek).encrypt(nonce, _encoder.encode(page), place)


def open_page(kek: bytes, sealed: bytes, place: bytes) -> list[KeyEntry | Tombstone]:
    """Decrypt a page of the journal.

    Raises:
        TamperingFound: it was changed, moved, or belongs to another key store.
        FormatError: the plaintext is not a page.
    """
    try:
        plain = AESGCM(kek).decrypt(sealed[:12], sealed[12:], place)
    except InvalidTag:
        raise TamperingFound(
            "a page of the key journal does not open with the key store's own key",
            todo="Restore the key store from a backup; the log itself is not affected.",
        ) from None
    try:
        return _decoder.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"a page of the key journal cannot be read: {error}") from None


def commitment(entry: KeyEntry) -> str:
    """Hexadecimal commitment to a key, for its ``key.created`` record.

    AES-GCM alone is not key-committing: without this an operator could hold two keys that open
    one ciphertext to two texts.
    """
    data = b"aircon/key-commitment/v1\0" + entry.id.encode() + b"\0" + entry.key
    return hashlib.sha256(data).hexdigest()


def identity_tag(secret: bytes, scope: str, identity: str) -> bytes:
    """Keyed hash by which a destroyed identity is recognised."""
    return hmac.digest(secret, f"{scope}\0{identity}".encode(), "sha256")[:16]


def check_identity(identity: str) -> None:
    """Refuse an identity that a page could not hold: it could be written and never read again.

    Raises:
        UsageError: it is not Unicode text, or longer than `MAX_IDENTITY`.
    """
    try:
        fits = isinstance(identity, str) and len(identity.encode()) <= MAX_IDENTITY
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise UsageError(
            "a person, conversation or source must be named by Unicode text"
            f" of at most {MAX_IDENTITY} bytes"
        )
