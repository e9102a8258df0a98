"""Whether a server holds the bytes of a put against the hash that was signed with them.

Every request carries the SHA-256 of its payload (``x-amz-content-sha256``), which SigV4 signs.
`refuses_other_bytes` tries whether the server looks at it, with one put of a few bytes that are
exchanged on the way. A server that does needs no MD5 beside it, which costs more than all other
work of a put.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from typing import Any

from logstore.errors import StoreAway
from logstore.s3 import failures
from logstore.s3.address import Address
from logstore.s3.capabilities import PROBES
from logstore.s3.client import S3
from logstore.s3.meant import BEFORE_PUT

WORTH_ASKING = 2**20
"""Bytes of an object from which asking takes less time than its MD5."""

_REFUSALS = {"XAmzContentSHA256Mismatch", "BadDigest"}
_RIGHT, _OTHER = b"the bytes that were signed", b"other bytes of that length"


class PayloadChecks:
    """What is known of how one server checks payloads. Thread-safe.

    Args:
        client: puts objects.
        address: where.
    """

    def __init__(self, client: S3, address: Address) -> None:
        self._client = client
        self._address = address
        self._by_signature: bool | None = None
        self._asking = threading.Lock()

    def md5_of(self, data: bytes) -> bytes | None:
        """The MD5 to send with some bytes; None where the server does without."""
        if len(data) >= WORTH_ASKING and self._server_looks():
            return None
        return hashlib.md5(data, usedforsecurity=False).digest()

    def _server_looks(self) -> bool:
        with self._asking:
            if self._by_signature is None:
                found, _ = refuses_other_bytes(self._client, self._address)
                self._by_signature = bool(found)
            return self._by_signature


def refuses_other_bytes(client: S3, address: Address) -> tuple[bool | None, str]:
    """Whether a server refuses a put whose bytes are not those that were signed.

    Returns:
        Whether it does, None when that could not be found out; and what was seen.
    """
    name = f"{PROBES}{secrets.token_hex(8)}/other-bytes"
    where = {"Bucket": address.bucket, "Key": address.key(name)}
    exchange = _Exchange(name)
    client.meta.events.register(BEFORE_PUT, exchange.on_the_way, unique_id=name)
    try:
        with failures.told("put other bytes than were signed"):
            made = client.put_object(**where, Body=_RIGHT)
    except StoreAway as error:
        code = failures.code_of(error.__cause__ or error)
        return (True, code) if code in _REFUSALS else (None, error.what)
    finally:
        client.meta.events.unregister(BEFORE_PUT, unique_id=name)
    version = {"VersionId": made["VersionId"]} if made.get("VersionId") else {}
    with contextlib.suppress(StoreAway), failures.told("remove a probe"):
        client.delete_object(**where, **version)
    return (False, "the server took them") if exchange.made else (None, "they were not exchanged")


class _Exchange:
    """Exchanges the bytes of one put, behind its signature."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.made = False

    def on_the_way(self, request: Any, **_: object) -> None:
        """Whatever else is put meanwhile goes through."""
        if request.url.partition("?")[0].endswith(self._name):
            request.body = _OTHER
            self.made = True
