"""What may be read of a bucket: everything is asked for by version, so nothing laid on top is seen.

Reads are bounded by what the caller expects: a server's word about a size decides nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO

from logstore.errors import StoreRefused, TamperingFound
from logstore.s3 import failures, versions
from logstore.s3.address import Address
from logstore.s3.client import S3, Answer, connect
from logstore.s3.objects import Fetched, Head, parse_head
from logstore.s3.remote import Remote
from logstore.s3.versions import Entry, Version

MAX_OBJECT = 5 * 2**30
"""Most bytes of an object: what one put may carry (Amazon S3 user guide, "Uploading objects")."""

MOST_OF_ONE = 10_000
"""Versions of one name that are told, the oldest: what is laid over them later hides none."""

_PIECE = 256 * 2**10  # what is hashed or written as it comes is then still in the cache
_WHOLE = 64 * 2**20  # in one piece up to here: putting pieces together costs as much as their way
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


class BucketReader:
    """A bucket and prefix, to be read. Thread-safe.

    Args:
        remote: which, and how it is reached.
        client: boto3's client for it; made when None.

    Attributes:
        sends_ranges: no answer so far was the whole object where a part was asked for.
    """

    def __init__(self, remote: Remote, client: S3 | None = None) -> None:
        self.remote = remote
        self.sends_ranges = True
        self.client: S3 = client if client is not None else connect(remote)

    @property
    def address(self) -> Address:
        """Bucket and prefix."""
        return self.remote.address

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()

    def versions(self, beginning: str = "") -> Iterator[Entry]:
        """Every version and delete marker of names that start so; see `versions.listed`."""
        return versions.listed(self.client, self.address, beginning)

    def history(self, name: str) -> list[Version]:
        """The versions of one name, the first ever put first; markers are left out.

        Of more than `MOST_OF_ONE` the oldest.

        Raises:
            StoreAway: the server can not be asked now.
            StoreRefused: it does not let us, or its answer makes no sense.
        """
        self.address.key(name)
        found: deque[Version] = deque(maxlen=MOST_OF_ONE)
        for entry in versions.listed(self.client, self.address, name):
            if entry.name != name:  # names that only start so come later
                break
            if isinstance(entry, Version):
                found.append(entry)
        return list(found)[::-1]

    def head(self, name: str, version_id: str) -> Head:
        """What the server says of a version.

        Raises:
            FileNotFoundError: there is no such version.
            StoreAway: the server can not be asked now.
            StoreRefused: it does not let us, or its answer makes no sense.
        """
        with self._told_of(f"look at {name}", name, version_id):
            answer = self.client.head_object(**self._one(name, version_id), ChecksumMode="ENABLED")
        return _of(parse_head(answer), name, version_id)

    def may_see_hold(self, name: str, version_id: str) -> None:
        """See that whoever asks may see legal holds: to those who may not `Head.hold` is false.

        Nothing is said of a version that is not there, or was never held: servers call both errors.

        Raises:
            StoreAway: the server can not be asked now.
            StoreRefused: they may not.
        """
        doing = f"see whether {name} is held"
        try:
            with contextlib.suppress(FileNotFoundError), failures.told(doing, of_version=True):
                self.client.get_object_legal_hold(**self._one(name, version_id))
        except StoreRefused as error:
            if failures.is_denial(error):
                raise

    def get(self, name: str, version_id: str, *, most: int = MAX_OBJECT) -> Fetched:
        """A version with its bytes.

        Raises:
            FileNotFoundError: there is no such version.
            TamperingFound: it has more than `most` bytes.
            StoreAway: the server can not be asked now, or the connection broke.
            StoreRefused: it does not let us, or its answer makes no sense.
        """
        pieces: list[bytes] = []
        head = self._fetch(name, version_id, pieces.append, most, _WHOLE)
        return Fetched(pieces[0] if len(pieces) == 1 else b"".join(pieces), head)

    def get_into(
        self, name: str, version_id: str, file: BinaryIO, *, most: int = MAX_OBJECT
    ) -> Head:
        """Write a version's bytes to a file, a piece at a time; raises what `get` does.

        What was written when it raises is not the object.
        """
        return self._fetch(name, version_id, file.write, most)

    def digest(self, name: str, version_id: str, *, most: int = MAX_OBJECT) -> tuple[bytes, Head]:
        """SHA-256 of a version's bytes, which are not kept; raises what `get` does."""
        found = hashlib.sha256()
        head = self._fetch(name, version_id, found.update, most)
        return found.digest(), head

    def get_range(self, name: str, version_id: str, start: int, length: int) -> bytes:
        """Some bytes of a version: fewer than `length` where it ends before.

        Raises:
            FileNotFoundError: there is no such version.
            StoreAway: the server can not be asked now, or the connection broke.
            StoreRefused: it does not let us, or its answer makes no sense.
        """
        if start < 0 or length < 0:
            raise ValueError("a range before the beginning")
        if not length:
            return b""
        asked = {**self._one(name, version_id), "Range": f"bytes={start}-{start + length - 1}"}
        try:
            with self._told_of(f"read {name}", name, version_id):
                answer = self.client.get_object(**asked)
                with _body(answer) as body:
                    _check_version(answer, name, version_id)
                    self.sends_ranges &= answer.get("ContentRange") is not None
                    _skip(body, _left_out(answer, start))
                    return _read(body, length)
        except StoreRefused as error:
            if failures.code_of(error.__cause__ or error) in {"InvalidRange", "416"}:
                return b""  # nothing lies behind the end; servers call asking for it an error
            raise

    def clock_skew(self) -> float | None:
        """Seconds that the server's clock is ahead of ours, to about a second; None if unsaid.

        Raises:
            StoreAway: the server can not be asked now.
        """
        from botocore.exceptions import ClientError

        before = time.time()
        with failures.told(f"ask {self.address} for the time"):
            try:
                answer = self.client.head_bucket(Bucket=self.address.bucket)
            except ClientError as error:  # whoever may not look is told the time all the same
                answer = error.response
        server = failures.server_clock(answer)
        # A Date header is cut to whole seconds: on average it was half a second later.
        return None if server is None else server + 0.5 - (before + time.time()) / 2

    def versioned(self) -> bool | None:
        """Whether the bucket keeps versions; None when that may not be looked at.

        Raises:
            StoreAway: the server can not be asked now.
            StoreRefused: not with these credentials, or there is no such bucket.
        """
        said = self._configuration("get_bucket_versioning")
        return None if said is None else said.get("Status") == "Enabled"

    def lockable(self) -> bool | None:
        """Whether the bucket has Object Lock on; None when that may not be looked at.

        Raises:
            StoreAway: the server can not be asked now.
            StoreRefused: not with these credentials, or there is no such bucket.
        """
        said = self._configuration("get_object_lock_configuration")
        found = None if said is None else said.get("ObjectLockConfiguration", {})
        return None if found is None else found.get("ObjectLockEnabled") == "Enabled"

    def _configuration(self, operation: str) -> Answer | None:
        try:
            with failures.told(f"look at the configuration of {self.address}"):
                found: Answer = getattr(self.client, operation)(Bucket=self.address.bucket)
        except StoreRefused as error:
            if failures.code_of(error.__cause__ or error) == "ObjectLockConfigurationNotFoundError":
                return {}
            if failures.is_denial(error):
                return None
            raise
        return found

    @contextlib.contextmanager
    def _told_of(self, doing: str, name: str, version_id: str) -> Iterator[None]:
        """`failures.told`, which also knows a version that is gone from one that may not be read.

        Who may not list the whole bucket is told of both that access is denied (Amazon S3 API
        reference, "GetObject": 403 without s3:ListBucket). The listing below our prefix knows, or
        is refused with the reason that was missing.
        """
        try:
            with failures.told(doing, of_version=True):
                yield
        except StoreRefused as error:
            unclear = failures.is_denial(error) or failures.is_unexplained(error)
            if unclear and not self._lists(name, version_id):
                raise failures.absent(doing) from error
            raise

    def _lists(self, name: str, version_id: str) -> bool:
        entries = versions.listed(self.client, self.address, name)
        of_name = itertools.takewhile(lambda entry: entry.name == name, entries)
        return any(isinstance(v, Version) and v.version_id == version_id for v in of_name)

    def _one(self, name: str, version_id: str) -> dict[str, Any]:
        return {
            "Bucket": self.address.bucket, "Key": self.address.key(name), "VersionId": version_id,
        }  # fmt: skip

    def _fetch(self, name: str, version_id: str, take: Any, most: int, piece: int = _PIECE) -> Head:
        with self._told_of(f"read {name}", name, version_id):
            answer = self.client.get_object(**self._one(name, version_id))
            with _body(answer) as body:
                head = _of(parse_head(answer), name, version_id)
                if head.size > most:
                    raise TamperingFound(
                        f"{name} has {head.size:,} bytes, where at most {most:,} are due",
                        kept="It was not read.",
                    )
                got = 0
                while data := body.read(min(piece, head.size - got + 1)):
                    got += len(data)
                    if got > head.size:
                        break
                    take(data)
        if got != head.size:
            raise failures.nonsense(f"{name} has other than the {head.size:,} bytes it says")
        return head


def _of(head: Head, name: str, version_id: str) -> Head:
    if head.version_id != version_id:
        raise failures.nonsense(f"another version of {name} than was asked for")
    return head


def _check_version(answer: Answer, name: str, version_id: str) -> None:
    if str(answer.get("VersionId") or version_id) != version_id:
        raise failures.nonsense(f"another version of {name} than was asked for")


@contextlib.contextmanager
def _body(answer: Answer) -> Iterator[Any]:
    body = answer.get("Body")
    if body is None:
        raise failures.nonsense("an object without bytes")
    try:
        yield body
    finally:
        body.close()


def _left_out(answer: Answer, start: int) -> int:
    """How many bytes come before those asked for: some servers ignore ranges, and send all."""
    said = answer.get("ContentRange")
    if said is None:
        return start
    found = _RANGE.fullmatch(str(said))
    if found is None or int(found[1]) != start:
        raise failures.nonsense("another range than was asked for")
    return 0


def _skip(body: Any, count: int) -> None:
    while count and (piece := body.read(min(_PIECE, count))):
        count -= len(piece)


def _read(body: Any, length: int) -> bytes:
    pieces: list[bytes] = []
    while length and (piece := body.read(min(_PIECE, length))):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
