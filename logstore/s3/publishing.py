"""One put that makes an immutable object, and everything that can be known of it afterwards.

Rules:

1. One object is one put, create-only: in several parts the lock is lost on some servers. Its
   digests travel in headers: SHA-256, signed payload, MD5; each server checks at least one. A large
   object goes without MD5 where this server was just seen to refuse other bytes than were signed.
2. No answer is believed. Whatever came back (success, "exists already", nothing at all before
   botocore tried again), the versions of the name decide: the one put first is the object. Ceph RGW
   16.2 lets every put succeed; then the order is the only truth that all writers see alike.
3. The first version is ours when it carries the nonce of this call, or holds the same bytes: then a
   call before a crash, or one whose answer was lost, had put it. Anything else is another writer's.
4. A lock is there when the server shows it. Servers that do not know a header say nothing of it.
"""

from __future__ import annotations

import base64
import hashlib
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from logstore.errors import StoreAway, StoreRefused, TamperingFound
from logstore.s3 import failures
from logstore.s3.objects import Head, Lock
from logstore.s3.payloads import PayloadChecks
from logstore.s3.reading import MOST_OF_ONE, BucketReader
from logstore.s3.versions import NO_VERSION, Version

CONFLICT_TRIES = 6
"""How often a put is made that the server declines because another one is under way (409)."""

_FIRST_PAUSE_S = 0.05


class NameTaken(TamperingFound):
    """Other bytes lie under a name that was to be given.

    Attributes:
        found: the versions under it, the one put first in front.
    """

    def __init__(self, what: str, found: list[Version]) -> None:
        super().__init__(
            what,
            kept="What lies there was not changed, and what was to be put is still here.",
            todo="Look for a second writer; run `aircon verify`.",
        )
        self.found = found


class LockMissing(StoreRefused):
    """The server took an object and does not show the lock that was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object to be made.

    Attributes:
        name: where.
        data: its bytes.
        lock: its retention, or None.
        hold: whether it is put under legal hold.
        nonce: random, to know what this call has put; hexadecimal.
        sha256: of the bytes.
        md5: of the bytes; None where the server needs none.
    """

    name: str
    data: bytes
    lock: Lock | None
    hold: bool
    nonce: str
    sha256: bytes
    md5: bytes | None


class Publisher:
    """Makes objects in a bucket.

    Args:
        reader: the bucket.
        pause: sleeps so many seconds between two tries.
    """

    def __init__(self, reader: BucketReader, pause: Callable[[float], None]) -> None:
        self._reader = reader
        self._pause = pause
        self._checks = PayloadChecks(reader.client, reader.address)

    def wanted(
        self, name: str, data: bytes, lock: Lock | None, *, hold: bool, sha256: bytes | None = None
    ) -> Wanted:
        """An object to be made by one call and no other; `sha256` where it is known already."""
        nonce, digest = secrets.token_hex(16), sha256 or hashlib.sha256(data).digest()
        return Wanted(name, data, lock, hold, nonce, digest, self._checks.md5_of(data))

    def publish(self, want: Wanted) -> tuple[Version, Head]:
        """Make an object, or find that it is made; see the rules above.

        Returns:
            Its first version and what the server says of it, to be held against what was wanted.

        Raises:
            NameTaken: other bytes lie there.
            StoreAway: the server can not be asked now. It may have been put; put it again.
            StoreRefused: the server does not let us, keeps no versions, or contradicts itself.
        """
        key = self._reader.address.key(want.name)
        parameters = _parameters(want, key, self._reader)
        found = self._reader.history(want.name)
        if not found:
            put = self._send(parameters, want.name)
            found = self._reader.history(want.name)
            _check_listed(put, found, want.name)
        first = found[0]
        head = self._head(first)
        if head.nonce != want.nonce and not self._same(first, want):
            _check_room(found, want.name)
            raise NameTaken(f"{want.name} exists with other bytes than were to be put there", found)
        _check_stored(head, want)
        return first, head

    def publish_over(self, want: Wanted) -> tuple[Version, Head]:
        """Put an object as a further version of a name that somebody else has taken.

        What lies there stays, and stays in front: whoever puts this must say which version it is.

        Raises:
            StoreAway: the server can not be asked now. It may have been put; put it again.
            StoreRefused: the server does not let us, keeps no versions, or contradicts itself.
        """
        parameters = _parameters(want, self._reader.address.key(want.name), self._reader)
        del parameters["IfNoneMatch"]
        found = self._reader.history(want.name)
        there = [v for v in found if self._same(v, want)]
        if not there:  # otherwise by an earlier call
            _check_room(found, want.name)
            put = self._send(parameters, want.name)
            found = self._reader.history(want.name)
            _check_listed(put, found, want.name)
            there = [v for v in found if v.version_id == put]
        head = self._head(there[0])
        _check_stored(head, want)
        return there[0], head

    def _send(self, parameters: dict[str, Any], name: str) -> str | None:
        """Put once; the version id, or None when the server says that the name is taken."""
        from botocore.exceptions import ClientError

        for attempt in range(1, CONFLICT_TRIES + 1):
            with failures.told(f"put {name}"):
                try:
                    return str(
                        self._reader.client.put_object(**parameters).get("VersionId") or NO_VERSION
                    )
                except ClientError as error:
                    code = failures.code_of(error)
                    if code in {"PreconditionFailed", "412"}:
                        return None
                    if code != "ConditionalRequestConflict" or attempt == CONFLICT_TRIES:
                        raise
            self._pause(_FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1))  # noqa: S311 - jitter
        raise AssertionError("the last attempt returns or raises")

    def _head(self, version: Version) -> Head:
        try:
            return self._reader.head(version.name, version.version_id)
        except FileNotFoundError as error:
            raise _vanished(version.name) from error

    def _same(self, first: Version, want: Wanted) -> bool:
        if first.size != len(want.data):
            return False
        try:
            there = self._reader.get(want.name, first.version_id, most=first.size)
        except FileNotFoundError as error:
            raise _vanished(want.name) from error
        return hashlib.sha256(there.data).digest() == want.sha256


def check_protected(head: Head, want: Wanted) -> None:
    """See that a version is as protected as was wanted.

    Raises:
        LockMissing: it is not, or the server does not show it.
    """
    if want.lock is not None and not (head.lock and head.lock.covers(want.lock)):
        raise lock_missing(want.name, want.lock, head.lock)
    if want.hold and not head.hold:
        raise LockMissing(
            f"the server took {want.name} and shows no legal hold on it",
            kept="The object is there, unprotected.",
            todo="Use a bucket with Object Lock; see docs/s3.md.",
        )


def lock_missing(name: str, asked: Lock, shown: Lock | None) -> LockMissing:
    """The error for a lock that is not there, or not as good as asked."""
    shows = "no lock" if shown is None else f"{shown.mode} until {shown.date:%Y-%m-%d %H:%M:%S} UTC"
    return LockMissing(
        f"{name} was to be locked {asked.mode} until {asked.date:%Y-%m-%d %H:%M:%S} UTC, and the"
        f" server shows {shows}",
        kept="The object is there, but not protected as asked.",
        todo="Check that the bucket has Object Lock and that locks may be read (docs/s3.md).",
    )


def _parameters(want: Wanted, key: str, reader: BucketReader) -> dict[str, Any]:
    made: dict[str, Any] = {
        "Bucket": reader.address.bucket,
        "Key": key,
        "Body": want.data,
        "IfNoneMatch": "*",
        "ChecksumAlgorithm": "SHA256",  # moto wants it beside the digest
        "ChecksumSHA256": base64.b64encode(want.sha256).decode("ascii"),
        "Metadata": {"sha256": want.sha256.hex(), "nonce": want.nonce},
    }
    if want.md5 is not None:
        made["ContentMD5"] = base64.b64encode(want.md5).decode("ascii")
    if want.lock is not None:
        made |= {"ObjectLockMode": want.lock.mode, "ObjectLockRetainUntilDate": want.lock.date}
    if want.hold:
        made["ObjectLockLegalHoldStatus"] = "ON"
    if reader.remote.kms_key is not None:
        made |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": reader.remote.kms_key}
    return made


def _check_listed(put: str | None, found: list[Version], name: str) -> None:
    if put == NO_VERSION:
        raise StoreRefused(
            "the bucket keeps no versions, so that nothing in it can be locked",
            kept="The object was put, unprotected.",
            todo="Use a bucket that was made with Object Lock; see docs/s3.md.",
        )
    if not found or (put is not None and all(each.version_id != put for each in found)):
        raise StoreAway(
            f"the server took {name}, or said that it exists, and does not list it",
            kept="What was to be put is still here.",
            todo="Try again; if it stays so, versions vanish there, or may not be listed.",
        )


def _check_room(found: list[Version], name: str) -> None:
    if len(found) >= MOST_OF_ONE:
        raise StoreRefused(
            f"{MOST_OF_ONE:,} or more versions lie under {name}, so that nobody can tell any more"
            " what belongs there",
            kept="Nothing was put; what was to be put is still on this machine.",
            todo="Find out who puts them and take that right away, then remove them. If they are"
            ' locked, go on with a new log below another prefix; see docs/s3.md, "Crowded names".',
        )


def _vanished(name: str) -> StoreAway:
    return StoreAway(
        f"a version of {name} was listed and is gone now",
        kept="What was to be put is still here.",
        todo="Try again; if it stays so, somebody removes versions there.",
    )


def _check_stored(head: Head, want: Wanted) -> None:
    if (
        head.size != len(want.data)
        or (head.checksum and head.checksum != want.sha256.hex())
        or (want.md5 is not None and head.plain_etag and head.etag != want.md5.hex())
    ):
        raise failures.nonsense(f"other bytes of {want.name} are stored than were sent")
