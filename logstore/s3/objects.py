"""What a server says of one version of an object, taken apart strictly."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal, cast

from logstore.errors import UsageError
from logstore.s3.client import Answer
from logstore.s3.failures import nonsense
from logstore.s3.versions import NO_VERSION, microseconds

Mode = Literal["COMPLIANCE", "GOVERNANCE"]
"""How firm a lock is: COMPLIANCE holds against everybody, the owner of the account included."""

_SECOND = 1_000_000
_HEX = re.compile(r"[0-9a-f]{1,128}")


@dataclass(frozen=True, slots=True)
class Lock:
    """A retention: the version can not be removed or changed before its time.

    Attributes:
        mode: how firm.
        retain_until_us: until when, microseconds since 1970 UTC.
    """

    mode: Mode
    retain_until_us: int

    def covers(self, other: Lock) -> bool:
        """Whether this lock is as good as another: as firm, and at least as long."""
        firm = self.mode == "COMPLIANCE" or other.mode == "GOVERNANCE"
        return firm and self.retain_until_us >= other.retain_until_us

    @property
    def date(self) -> dt.datetime:
        """Until when, on the next whole second: servers keep no fractions, and never round up.

        Raises:
            UsageError: it is not a time that can be written.
        """
        seconds = -(-self.retain_until_us // _SECOND)
        try:
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
        except OverflowError:
            raise UsageError("nothing can be kept until after the year 9999") from None


@dataclass(frozen=True, slots=True)
class Head:
    """One version, without its bytes.

    Attributes:
        version_id: the server's id of it.
        size: bytes.
        etag: without quotes.
        lock: its retention; None when the server shows none, which is not proof that there is none
            but must be taken so (AWS leaves it out for those who may not see it).
        hold: whether it shows a legal hold.
        sha256: what whoever put it noted as its digest (hexadecimal), or empty; not proof.
        nonce: what whoever put it noted to know it again, or empty.
        checksum: the SHA-256 that the server itself keeps, hexadecimal; empty when it has none.
        plain_etag: whether `etag` is the MD5 of the bytes: put in one piece, not under KMS.
        event_hold: whether it shows an event hold: a retention that begins with its release.
        says_hold: whether it says of legal holds anything at all. It does not of a version that
            was never held, nor to those who may not see holds.
    """

    version_id: str
    size: int
    etag: str
    lock: Lock | None
    hold: bool
    sha256: str
    nonce: str
    checksum: str
    plain_etag: bool
    event_hold: bool = False
    says_hold: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """One version with its bytes, which are not verified yet.

    Attributes:
        data: as many bytes as the server said.
        head: what it said of them.
    """

    data: bytes
    head: Head

    @property
    def lock(self) -> Lock | None:
        """See `Head.lock`."""
        return self.head.lock

    @property
    def hold(self) -> bool:
        """See `Head.hold`."""
        return self.head.hold

    @property
    def sha256(self) -> str:
        """See `Head.sha256`."""
        return self.head.sha256


def parse_head(answer: Answer) -> Head:
    """What a HEAD or GET answer says.

    Raises:
        StoreRefused: it lacks a size, or its lock is none.
    """
    size = answer.get("ContentLength")
    if not isinstance(size, int) or size < 0:
        raise nonsense("an object without a size")
    noted = answer.get("Metadata")
    noted = noted if isinstance(noted, dict) else {}
    etag = str(answer.get("ETag") or "").strip('"')
    encryption = answer.get("ServerSideEncryption")
    return Head(
        version_id=str(answer.get("VersionId") or NO_VERSION),
        size=size,
        etag=etag,
        lock=_lock(answer),
        hold=answer.get("ObjectLockLegalHoldStatus") == "ON",
        sha256=_hex(noted.get("sha256")),
        nonce=_hex(noted.get("nonce")),
        checksum=_checksum(answer),
        plain_etag=len(etag) == 32 and _hex(etag) == etag and encryption in {None, "AES256"},
        event_hold=answer.get("ObjectLockEventHold") == "ON",
        says_hold=answer.get("ObjectLockLegalHoldStatus") is not None,
    )


def _lock(answer: Answer) -> Lock | None:
    mode, until = answer.get("ObjectLockMode"), answer.get("ObjectLockRetainUntilDate")
    if mode not in {"COMPLIANCE", "GOVERNANCE"} or until is None:
        return None
    try:
        return Lock(cast("Mode", mode), microseconds(until))
    except (TypeError, OverflowError):
        raise nonsense("a lock without a date") from None


def _hex(said: object) -> str:
    return said if isinstance(said, str) and _HEX.fullmatch(said) else ""


def _checksum(answer: Answer) -> str:
    said = answer.get("ChecksumSHA256")
    if not isinstance(said, str):
        return ""
    try:
        digest = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return digest.hex() if len(digest) == 32 else ""  # of parts, it is not one of the bytes
