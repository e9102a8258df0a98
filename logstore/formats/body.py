"""The body: a record's personal content, as it stands inside the ciphertext.

Content is MessagePack of a `Body`, committed to in the leaf by SHA-256(nonce32 || content).
"""

from __future__ import annotations

import functools
import hashlib

import msgspec

from logstore.errors import FormatError

MAX_CONTENT = 64 * 2**20
"""Largest content in bytes."""

NONCE = 32
"""Length of the commitment nonce in bytes."""


class Body(msgspec.Struct, omit_defaults=True, gc=False):
    """The content of a body, before encryption.

    Attributes:
        raw: the source's own bytes for this interaction: the evidence.
        format: which decoder reads `raw`, e.g. ``otlp.span``; empty for system records.
        subjects: raw identities of the people concerned, as resolved at capture.
        session: raw session id, as resolved at capture.
        conversation: raw conversation id, as resolved at capture.
        actor: the platform's own word for who called (IAM ARN, API key alias).
        note: further facts: clear candidates that were refused, importer context, or a system
            record's private part (a query's text, a file's name).
        beside: content that `raw` only points at, as it was fetched at capture: the attribute that
            points at it, and the bytes that lay there.
    """

    raw: bytes = b""
    format: str = ""
    subjects: list[str] = []
    session: str | None = None
    conversation: str | None = None
    actor: str | None = None
    note: dict[str, object] = {}
    beside: dict[str, bytes] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Body)


def encode(body: Body) -> bytes:
    """Serialise content.

    Raises:
        FormatError: longer than `MAX_CONTENT`.
    """
    data = _encoder.encode(body)
    if len(data) > MAX_CONTENT:
        raise FormatError(f"content of {len(data)} bytes; the format allows {MAX_CONTENT}")
    return data


def parse(content: bytes) -> Body:
    """Read content back.

    Raises:
        FormatError: not MessagePack of a `Body`.
    """
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"content cannot be read: {error}") from None


def commitment(nonce: bytes, content: bytes) -> bytes:
    """SHA-256(nonce32 || content): hiding while the nonce is secret, binding always."""
    return hashlib.sha256(nonce + content).digest()


@functools.lru_cache(65_536)
def padded(length: int) -> int:
    """Length rounded up so that at most O(log log n) bits of it leak (Padmé, PURBs 2019)."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    kept = exponent.bit_length()
    mask = (1 << max(exponent - kept, 0)) - 1
    return (length + mask) & ~mask
