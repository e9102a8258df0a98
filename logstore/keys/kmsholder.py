"""A key of AWS KMS holds the KEK: whoever opens the key store must be allowed to use that key.

Rules:

1. KMS sees the KEK, the log's origin and a number, and nothing else: neither keys of persons nor
   names. The encryption context, which AWS writes into its audit trail in clear, is ``purpose``,
   ``origin`` and ``generation``; KMS binds all three, so slots can not be swapped.
2. What lies on disk names the key by its ARN, and is opened with that key only.
3. The KEK is sent over TLS (plain HTTP on loopback only), by boto3's usual credentials.

AWS KMS API reference: Encrypt, Decrypt, "Encryption context".
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from logstore.errors import FormatError, KeyUnavailable, UsageError

PURPOSE = "aircon epoch key"
"""What the encryption context says it is for."""

_KEY = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_KEPT = "Nothing was changed."
_STATES = {"DisabledException", "KMSInvalidStateException", "KeyUnavailableException"}
_OTHERS = {"InvalidCiphertextException", "IncorrectKeyException"}
_DENIED = {"AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException",
           "InvalidSignatureException", "InvalidClientTokenId"}  # fmt: skip

_Text = Annotated[str, msgspec.Meta(max_length=2048)]


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: _Text
    region: _Text
    origin: _Text
    kek: Annotated[bytes, msgspec.Meta(max_length=8192)]


class KmsHolder:
    """Seals the KEK under a symmetric key of AWS KMS; implements `KekHolder`.

    Args:
        key: its id, ARN, or alias (``alias/...``); to open, what is on disk says which. Empty for a
            holder that only opens.
        origin: the log's name, for the encryption context.
        region: where the key is; None for what an ARN or boto3's configuration says.

    Raises:
        UsageError: they can not name a key or a region.
    """

    name = "aws-kms"

    def __init__(self, key: str = "", origin: str = "", region: str | None = None) -> None:
        if key and not _KEY.fullmatch(key):
            raise UsageError(f"{key[:200]!r} does not name a key of AWS KMS")
        if region is not None and not _REGION.fullmatch(region):
            raise UsageError(f"{region[:200]!r} is not the name of a region")
        self._key = key
        self._origin = origin
        self._region = region

    def check(self) -> None:
        """See that the key seals and opens, before anything rests on it.

        Raises:
            KeyUnavailable: it does not.
        """
        probe = secrets.token_bytes(32)
        if self.open(self.seal(probe, 0), 0) != probe:
            raise KeyUnavailable(f"AWS KMS gave back other bytes than {self._key} sealed")

    def seal(self, kek: bytes, generation: int) -> bytes:
        """See `KekHolder.seal`.

        Raises:
            KeyUnavailable: KMS can not be asked, or refuses.
        """
        client = connect(self._key, self._region)
        with _told(self._key):
            answer = client.encrypt(
                KeyId=self._key,
                Plaintext=kek,
                EncryptionContext=_context(self._origin, generation),
            )
        key, region = str(answer["KeyId"]), str(client.meta.region_name)
        return msgspec.json.encode(_Sealed(key, region, self._origin, answer["CiphertextBlob"]))

    def open(self, sealed: bytes, generation: int) -> bytes:
        """See `KekHolder.open`.

        Raises:
            KeyUnavailable: KMS can not be asked, or refuses.
            FormatError: not this holder's bytes.
        """
        try:
            found = msgspec.json.decode(sealed, type=_Sealed)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FormatError(f"key slot cannot be read: {error}") from None
        if not (_KEY.fullmatch(found.key) and _REGION.fullmatch(found.region)):
            raise FormatError("key slot names no key of AWS KMS")
        client = connect(found.key, found.region)
        with _told(found.key):
            answer = client.decrypt(
                KeyId=found.key,
                CiphertextBlob=found.kek,
                EncryptionContext=_context(found.origin, generation),
            )
        kek: bytes = answer["Plaintext"]
        if len(kek) != 32:
            raise FormatError("key slot holds no key of 32 bytes")
        # A new generation is sealed under the same key.
        self._key, self._origin, self._region = found.key, found.origin, found.region
        return kek


def connect(key: str, region: str | None) -> Any:
    """boto3's client for the region of a key; nothing is sent yet.

    Raises:
        KeyUnavailable: boto3 is not set up, or an endpoint without TLS is.
    """
    import boto3
    from botocore.config import Config

    parts = key.split(":")
    told = region or (parts[3] if len(parts) > 5 else None)
    retries = {"mode": "standard", "total_max_attempts": 4}
    with _told(key):
        client = boto3.session.Session().client(
            "kms",
            region_name=told,
            config=Config(
                retries=retries, connect_timeout=5, read_timeout=20, user_agent_extra="aircon"
            ),
        )
    where = urlsplit(client.meta.endpoint_url)
    if where.scheme != "https" and where.hostname not in _LOOPBACK:
        raise KeyUnavailable(
            f"AWS KMS would be asked without TLS, at {client.meta.endpoint_url}",
            kept=_KEPT,
            todo="Correct AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_KMS.",
        )
    return client


def _context(origin: str, generation: int) -> dict[str, str]:
    return {"purpose": PURPOSE, "origin": origin, "generation": str(generation)}


@contextlib.contextmanager
def _told(key: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        what, todo = _refusal(key, code)
        raise KeyUnavailable(what, kept=_KEPT, todo=todo) from error
    except BotoCoreError as error:
        raise KeyUnavailable(
            f"AWS KMS could not be asked for {key}: {error}"[:600],
            kept=_KEPT,
            todo="Check the network, the region and the credentials, then try again.",
        ) from error


def _refusal(key: str, code: str) -> tuple[str, str]:
    if code in _DENIED:
        return (
            f"AWS KMS does not let these credentials use {key} ({code})",
            "Let the key's policy allow kms:Encrypt and kms:Decrypt to whoever writes the log.",
        )
    if code in _STATES:
        return (
            f"the key {key} is disabled, or waits for its deletion ({code})",
            "Have it enabled, or its deletion cancelled: when it is gone, no content opens again.",
        )
    if code == "NotFoundException":
        return f"AWS KMS has no key {key} in this region", "Check its name and --kms-region."
    if code in _OTHERS:
        return (
            f"the key slot is not what {key} sealed for this log ({code})",
            "Put the key store back from a copy, and find out who changed it.",
        )
    return f"AWS KMS can not use {key} now ({code[:80]})", "Try again later."
