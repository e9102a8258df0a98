"""Which bucket a store's home stands for: the file ``remote.json``.

    {"aircon_remote": 1, "bucket": "evidence", "prefix": "aircon/eu", "endpoint_url": null,
     "region": "eu-central-1", "ca_bundle": null, "kms_key": null}

It holds no credentials: those come from where boto3 looks for them. An endpoint without TLS is
taken on loopback only, since whoever stands in between could answer that all is locked.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from logstore.errors import FormatError, UsageError
from logstore.s3.address import Address

REMOTE_FILE = "remote.json"
"""Its name in a home."""

MAX_FILE = 16 * 2**10
"""Most bytes of it."""

_VERSION = 1
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_KMS_KEY = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")
_PLAIN_URL = re.compile(r"[!-~]{1,512}")
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9a-f]*:[0-9a-f:.]*")

_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    aircon_remote: int
    bucket: _Text
    prefix: _Text
    endpoint_url: _Text | None
    region: _Text | None
    ca_bundle: _Text | None
    kms_key: _Text | None


_DECODER = msgspec.json.Decoder(_File)


@dataclass(frozen=True, slots=True)
class Remote:
    """A bucket and how it is reached.

    Attributes:
        address: bucket and prefix.
        endpoint_url: where its server is; None for Amazon's own.
        region: the region to sign for; None for what boto3 is set up with.
        ca_bundle: a PEM file of the authorities that the server's certificate is checked against;
            None for boto3's.
        kms_key: the AWS KMS key that the server encrypts new objects under; None for what the
            bucket is set up with.

    Raises:
        UsageError: one of them can not be what it is meant for.
    """

    address: Address
    endpoint_url: str | None = None
    region: str | None = None
    ca_bundle: str | None = None
    kms_key: str | None = None

    def __post_init__(self) -> None:
        if self.endpoint_url is not None:
            _check_endpoint(self.endpoint_url)
        if self.region is not None and not _REGION.fullmatch(self.region):
            raise UsageError(f"{self.region!r} is not the name of a region")
        if self.kms_key is not None and not _KMS_KEY.fullmatch(self.kms_key):
            raise UsageError(f"{self.kms_key!r} does not name a key of AWS KMS")
        if self.ca_bundle is not None and not _is_path(self.ca_bundle):
            raise UsageError(
                f"{self.ca_bundle!r} is not an absolute path",
                todo="Name the file with the authorities' certificates by its absolute path.",
            )


def encode(remote: Remote) -> bytes:
    """The bytes of ``remote.json``, indented for people."""
    return msgspec.json.format(msgspec.json.encode(_file(remote)), indent=1) + b"\n"


def parse(data: bytes) -> Remote:
    """Read ``remote.json``.

    Raises:
        FormatError: it is not one in the one spelling that `encode` has, white space aside; of
            another version; or it names what can not be a bucket, an endpoint, a region or a file.
    """
    if len(data) > MAX_FILE:
        raise FormatError(f"{REMOTE_FILE} has at most {MAX_FILE:,} bytes")
    try:
        found = _DECODER.decode(data)
        spelled = msgspec.json.format(data, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{REMOTE_FILE} does not say which bucket: {error}") from None
    if found.aircon_remote != _VERSION:
        raise FormatError(f"{REMOTE_FILE} is of version {found.aircon_remote}; {_VERSION} is known")
    if spelled != msgspec.json.encode(found):
        raise FormatError(f"{REMOTE_FILE} has repeated or misplaced keys")
    try:
        return Remote(
            Address(found.bucket, found.prefix),
            found.endpoint_url, found.region, found.ca_bundle, found.kms_key,
        )  # fmt: skip
    except UsageError as error:
        raise FormatError(f"{REMOTE_FILE}: {error.what}", todo=error.todo) from None


def _file(remote: Remote) -> _File:
    return _File(
        _VERSION, remote.address.bucket, remote.address.prefix,
        remote.endpoint_url, remote.region, remote.ca_bundle, remote.kms_key,
    )  # fmt: skip


def _check_endpoint(url: str) -> None:
    try:
        found = urlsplit(url) if _PLAIN_URL.fullmatch(url) else None
        host = found.hostname if found else None
        _ = found.port if found else None
    except ValueError:
        found = host = None
    if (
        found is None
        or not (host and _HOST.fullmatch(host))
        or found.scheme not in {"https", "http"}
        or "@" in found.netloc
        or url.rstrip("/") != f"{found.scheme}://{found.netloc}"
    ):
        raise UsageError(
            f"{url[:200]!r} is not the address of a server",
            todo="Say it as https://HOST or https://HOST:PORT, without credentials or a path.",
        )
    if found.scheme == "http" and not _is_loopback(host):
        raise UsageError(
            f"{url} would be reached without TLS",
            todo="Use https; plain http is taken on this machine's loopback only.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_path(text: str) -> bool:
    return text.startswith("/") and text.isprintable()
