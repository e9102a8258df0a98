"""Who holds the key-encryption key (KEK): the seam for a passphrase, a KMS, or nobody.

A holder turns a KEK into bytes that may lie on disk, and back. It never sees subject keys.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from logstore.errors import FormatError, PassphraseWrong

_N_MAX = 2**20


class KekHolder(Protocol):
    """Seals a 32-byte KEK so that only this holder can open it again."""

    name: str
    """Stands in the slot file: ``passphrase``, ``none`` ..."""

    def seal(self, kek: bytes, generation: int) -> bytes:
        """Bytes that may lie on disk; `generation` is bound in, so slots can not be swapped."""
        ...

    def open(self, sealed: bytes, generation: int) -> bytes:
        """The KEK again.

        Raises:
            PassphraseWrong: the holder can not open it.
            FormatError: not this holder's bytes.
        """
        ...


class PassphraseHolder:
    """Seals the KEK with AES-256-GCM under scrypt(passphrase) (RFC 7914).

    Args:
        passphrase: as the person typed it, UTF-8.
        cost: scrypt N; the default takes about 0.1 s and 64 MiB.
    """

    name = "passphrase"

    def __init__(self, passphrase: bytes, *, cost: int = 2**16) -> None:
        self._passphrase = passphrase
        self._cost = cost

    def seal(self, kek: bytes, generation: int) -> bytes:
        """See `KekHolder.seal`."""
        salt, nonce = os.urandom(16), os.urandom(12)
        wrapped = AESGCM(self._derive(salt, self._cost)).encrypt(nonce, kek, _bind(generation))
        fields = {"n": self._cost, "r": 8, "p": 1}
        blobs = {"salt": salt, "nonce": nonce, "kek": wrapped}
        return json.dumps(fields | {k: b64encode(v).decode() for k, v in blobs.items()}).encode()

    def open(self, sealed: bytes, generation: int) -> bytes:
        """See `KekHolder.open`."""
        try:
            fields = json.loads(sealed)
            cost = int(fields["n"])
            salt, nonce, wrapped = (
                b64decode(fields[k], validate=True) for k in ("salt", "nonce", "kek")
            )
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"key slot cannot be read: {error}") from None
        if not 2 <= cost <= _N_MAX or cost & (cost - 1) or len(nonce) != 12:
            raise FormatError("key slot asks for an unreasonable scrypt cost")
        try:
            return AESGCM(self._derive(salt, cost)).decrypt(nonce, wrapped, _bind(generation))
        except InvalidTag:
            raise PassphraseWrong(
                "the passphrase does not open the key store",
                kept="Nothing was changed.",
                todo="Try again; without the passphrase only clear fields can be read.",
            ) from None

    def _derive(self, salt: bytes, cost: int) -> bytes:
        return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(self._passphrase)


class NoHolder:
    """Keeps the KEK in clear. For demonstrations only; `doctor` says so loudly."""

    name = "none"

    def seal(self, kek: bytes, generation: int) -> bytes:
        """See `KekHolder.seal`."""
        return json.dumps({"generation": generation, "kek": b64encode(kek).decode()}).encode()

    def open(self, sealed: bytes, generation: int) -> bytes:
        """See `KekHolder.open`."""
        try:
            fields = json.loads(sealed)
            kek = b64decode(fields["kek"], validate=True)
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"key slot cannot be read: {error}") from None
        if fields.get("generation") != generation or len(kek) != 32:
            raise FormatError("key slot does not fit its generation")
        return kek


def _bind(generation: int) -> bytes:
    return b"aircon/kek/v1\0" + generation.to_bytes(8, "big")
