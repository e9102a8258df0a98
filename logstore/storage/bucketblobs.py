"""Objects in an S3 bucket under Object Lock; implements `Blobs`.

Rules:

1. Nothing is obeyed that only the bucket says. An object is the version that was put first, or the
   one whose bytes are pinned; what lies above it, or in front of it, is left to `verify` to name.
2. Sealed objects are used from the cache, by digest. Small objects that were read once are used
   from a copy: who reads them checks their signatures each time.
3. A name that somebody else has taken does not stop the log: the object becomes a further version,
   and the log pins which. Only a rival's claim does (`fence`).
4. When the bucket can not be reached, what is here goes on being readable; `away` says so, and it
   is asked again only after a while.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from logstore.disk import Disk, read_plain
from logstore.errors import (
    FormatError,
    NotDurable,
    StoreAway,
    StoreRefused,
    TamperingFound,
    UsageError,
)
from logstore.formats.pins import ObjectPin
from logstore.s3.address import is_plain
from logstore.s3.remote import Remote
from logstore.storage.blobs import MAX_READ, Guard
from logstore.storage.cache import Cache
from logstore.storage.home import WriterFile, read_writer

if TYPE_CHECKING:
    from logstore.s3.bucket import Fetched
    from logstore.s3.versions import Version

WORTH_PARTS = 2 * 2**20
"""Bytes of an object from which parts of it are asked for: below, what that would save takes less
time than the request more does."""

_TOGETHER = 16  # requests for small objects at one time
_SMALL = 2**18
_MOST_EXPECTED = 4096

_PAUSE_S = 15.0
"""For so long nobody in this process asks again for a listing that could not be had."""

MOST_NAMES = 1_000_000
"""Names of one listing that are held, as many as a verification keeps."""


class _Reach:
    """Buckets that could not be reached: to wait for one again and again would block people."""

    again: dict[Remote, float] = {}  # noqa: RUF012 - one for the process is what is meant


class BucketBlobs:
    """Objects of one bucket and prefix, with what this machine keeps of them.

    Args:
        folder: the home.
        remote: its bucket.
        disk: how files are written.

    Attributes:
        bucket: the bucket itself.
        cache: sealed objects on this machine.
        away: why the bucket could not be listed the last time; None when it could.
    """

    def __init__(self, folder: Path, remote: Remote, disk: Disk) -> None:
        from logstore.s3.bucket import Bucket

        self.bucket = Bucket(remote)
        self.cache = Cache(folder / "cache")
        self.away: StoreAway | None = None
        self._copies = folder / "copies"
        self._writer = read_writer(folder)
        self._disk = disk
        self._listed: dict[str, tuple[float, list[str]]] = {}
        self._firsts: dict[str, Version] = {}

    @property
    def shared(self) -> bool:
        """See `Blobs.shared`: every user of the bucket may; nobody removes what is locked."""
        return True

    # -- writing ------------------------------------------------------------------------------

    def publish(self, key: str, staged: Path, retain_until_us: int) -> str:
        """See `Blobs.publish`."""
        data = read_plain(staged)
        version = self._put(key, data, retain_until_us, first=False)
        self._copy(key, data)
        self._disk.remove(staged)
        self._listed.clear()
        return version.version_id

    def publish_all(self, staged: Sequence[tuple[ObjectPin, Path]]) -> list[str]:
        """See `Blobs.publish_all`: side by side, as each waits for the server."""
        with ThreadPoolExecutor(len(staged), "aircon-publish") as pool:
            return list(pool.map(self._publish_pinned, *zip(*staged, strict=True)))

    def _publish_pinned(self, pin: ObjectPin, staged: Path) -> str:
        data = read_plain(staged)
        digest = bytes.fromhex(_digest(pin))
        version = self._put(pin.key, data, pin.retain_until_us, first=False, sha256=digest)
        self.cache.adopt(pin.sha256, staged)  # used from here from now on
        return version.version_id

    def publish_first(self, key: str, data: bytes, retain_until_us: int) -> None:
        """Put an object whose name nobody may have taken.

        Raises:
            NameTaken: somebody has, with other bytes; nothing was written over them.
        """
        self._put(key, data, retain_until_us, first=True)

    def publish_over(self, key: str, data: bytes, retain_until_us: int) -> None:
        """Put an object also where somebody has taken its name: as a further version."""
        self._put(key, data, retain_until_us, first=False)

    def _put(
        self,
        key: str,
        data: bytes,
        retain_until_us: int,
        *,
        first: bool,
        sha256: bytes | None = None,
    ) -> Version:
        from logstore.s3.bucket import Lock, NameTaken

        lock = Lock(self._writing().mode, retain_until_us)
        try:
            return self.bucket.put(key, data, lock=lock, sha256=sha256)
        except NameTaken:
            if first:
                raise
        return self.bucket.put_over(key, data, lock=lock)

    def _writing(self) -> WriterFile:
        if self._writer is None:
            raise UsageError(f"this machine only reads {self.bucket.address}")
        return self._writer

    # -- small objects ------------------------------------------------------------------------

    def read(self, key: str) -> bytes:
        """See `Blobs.read`: the copy here, else the version that was put first."""
        with contextlib.suppress(FileNotFoundError):
            return read_plain(self._copies / _plain(key), MAX_READ)
        for data in self.readings(key):
            self._copy(key, data)
            return data
        raise FileNotFoundError(key)

    def expect(self, keys: Sequence[str]) -> None:
        """See `Blobs.expect`: the versions that were listed as put first, side by side.

        Anybody may have made such names: the rest, and what is large, is read in its turn.
        """
        firsts = [first for key in keys[:_MOST_EXPECTED] if (first := self._firsts.get(key))]
        missing = [
            each
            for each in firsts
            if each.size <= _SMALL and not (self._copies / each.name).exists()
        ]
        if len(missing) > 1:
            with ThreadPoolExecutor(min(len(missing), _TOGETHER), "aircon-small") as pool:
                list(pool.map(self._bring, missing))

    def _bring(self, version: Version) -> None:
        with contextlib.suppress(StoreAway, FileNotFoundError, TamperingFound):
            data = self.bucket.get(version.name, version.version_id, most=_SMALL).data
            self._copy(version.name, data)

    def readings(self, key: str, most: int = MAX_READ) -> Iterator[bytes]:
        """See `Blobs.readings`: from the bucket itself; of very many versions the oldest."""
        from logstore.s3.lookahead import in_turn

        def one(version: Version) -> bytes | None:
            with contextlib.suppress(FileNotFoundError):
                return self.bucket.get(key, version.version_id, most=version.size).data
            return None

        return in_turn([each for each in self.bucket.history(key) if each.size <= most], one)

    def _copy(self, key: str, data: bytes) -> None:
        if key.endswith(".parquet"):
            return  # fetched into the cache when it is asked for
        place = self._copies / _plain(key)
        with contextlib.suppress(NotDurable, OSError):  # it is in the bucket all the same
            if not place.exists():
                self._disk.make_directory(place.parent, 0o700)
                self._disk.replace(place, data)

    def sweep(self) -> None:
        """See `Blobs.sweep`."""
        self._disk.sweep(self._copies.parent)
        for left in self._copies.rglob(".*.tmp"):
            self._disk.remove(left)

    def keys(self, prefix: str = "", *, max_age_s: float = 0) -> list[str]:
        """See `Blobs.keys`: what the bucket lists, hidden behind a delete marker or not.

        When the bucket can not be reached: what is copied here.
        """
        if prefix and time.monotonic() < _Reach.again.get(self.bucket.remote, 0.0):
            found = self._copied(prefix)
            if found:
                return found
        then, found = self._listed.get(prefix, (float("-inf"), []))
        if time.monotonic() - then < max_age_s:
            return found
        try:
            listed = self._put_first(prefix)
        except StoreAway as error:
            self.away = error
            _Reach.again[self.bucket.remote] = time.monotonic() + _PAUSE_S
            found = self._copied(prefix)
            if not found:
                raise
            return found
        self.away = None
        _Reach.again.pop(self.bucket.remote, None)
        self._firsts |= listed
        found = sorted(listed)
        self._listed[prefix] = (time.monotonic(), found)
        return found

    def _put_first(self, prefix: str) -> dict[str, Version]:
        """By name the version that was put first: of one name the newest is listed first."""
        from logstore.s3.versions import Version

        found: dict[str, Version] = {}
        for each in self.bucket.versions(prefix):
            if isinstance(each, Version) and is_plain(each.name):
                found[each.name] = each
                if len(found) > MOST_NAMES:
                    raise StoreRefused(
                        f"more than {MOST_NAMES:,} names lie below {prefix or 'the prefix'}",
                        kept="What is on this machine goes on being used.",
                        todo="Run `aircon verify`, which counts what does not belong there.",
                    )
        return found

    def _copied(self, prefix: str) -> list[str]:
        base = self._copies / prefix.rpartition("/")[0]
        paths = (path for path in base.rglob("*") if path.is_file())
        names = (path.relative_to(self._copies).as_posix() for path in paths)
        return sorted(n for n in names if n.startswith(prefix) and not _hidden(n))

    # -- sealed objects -----------------------------------------------------------------------

    def path(self, pin: ObjectPin) -> Path:
        """See `Blobs.path`: in the cache."""
        return self.cache.path(_digest(pin))

    def fetch(self, pin: ObjectPin) -> Path:
        """See `Blobs.fetch`."""
        digest = _digest(pin)
        path = self.cache.use(digest)
        if path is not None:
            return path
        fetched = self.pinned(pin)
        if fetched is None:
            raise FileNotFoundError(pin.key)
        return self.cache.keep(digest, fetched.data)

    def part(self, pin: ObjectPin) -> Callable[[int, int], bytes] | None:
        """See `Blobs.part`."""
        small = pin.size < WORTH_PARTS or not pin.version or not self.bucket.sends_ranges
        if small or self.path(pin).exists():
            return None
        return partial(self._part, pin)

    def _part(self, pin: ObjectPin, start: int, length: int) -> bytes:
        if not self.bucket.sends_ranges:  # each would be the whole object
            raise FormatError(f"{pin.key} can not be had in parts")
        return self.bucket.get_range(pin.key, pin.version, start, length)

    def renew(self, pin: ObjectPin) -> bool:
        """See `Blobs.renew`."""
        self.cache.drop(_digest(pin))
        return True

    def pinned(self, pin: ObjectPin) -> Fetched | None:
        """A pinned object from the bucket, whichever version holds it; None when none does."""
        for version_id in self._candidates(pin):
            try:
                fetched = self.bucket.get(pin.key, version_id, most=pin.size)
            except (FileNotFoundError, TamperingFound):
                continue
            if hashlib.sha256(fetched.data).hexdigest() == pin.sha256:
                return fetched
        return None

    def _candidates(self, pin: ObjectPin) -> Iterator[str]:
        """Versions that may hold an object: the pinned one, then whatever has its size."""
        if pin.version:
            yield pin.version
        for version in self.bucket.history(pin.key):
            if version.size == pin.size and version.version_id != pin.version:
                yield version.version_id

    def version(self, pin: ObjectPin) -> str:
        """See `Blobs.version`."""
        fetched = self.pinned(pin)
        if fetched is not None:
            return fetched.head.version_id
        raise TamperingFound(
            f"{pin.key} is not in the bucket, though it was put there",
            kept="What it holds is still in the write-ahead files of this machine.",
            todo="Run `aircon verify` and find out who may delete versions.",
        )

    def guard(self, pin: ObjectPin, how: Guard) -> None:
        """See `Blobs.guard`."""
        self._writing()
        version_id = pin.version or self.version(pin)
        try:
            self._guard(pin.key, version_id, how)
        except FileNotFoundError:  # removed by somebody, or put anew after a lost answer
            self._guard(pin.key, self.version(pin), how)

    def _guard(self, key: str, version_id: str, how: Guard) -> None:
        from logstore.s3.bucket import Lock

        bucket, shown = self.bucket, self.bucket.head(key, version_id)
        if shown.lock is not None and shown.event_hold is not bool(how.event_days):
            bucket.set_event_hold(key, version_id, shown.lock, how.event_days)
        if how.until_us:
            lock = Lock(self._writing().mode, how.until_us)
            bucket.extend_retention(key, version_id, lock)
        if shown.hold is not how.held:
            bucket.set_legal_hold(key, version_id, on=how.held)
        elif not how.held and not shown.says_hold:
            bucket.may_see_hold(key, version_id)  # else it may be held, and we are not told

    def remove(self, pin: ObjectPin) -> str:
        """See `Blobs.remove`: every version and delete marker that lies under its name."""
        self._writing()
        refused = "another version of it was put there"
        for entry in list(self.bucket.versions(pin.key)):
            if entry.name == pin.key:
                try:
                    self.bucket.delete_version(pin.key, entry.version_id)
                except StoreRefused as error:  # locked or held, or we may not: it stays
                    refused = error.what
        self.cache.drop(_digest(pin))
        still = bool(self.bucket.history(pin.key)) and self.pinned(pin) is not None
        return refused if still else ""

    def present(self, pin: ObjectPin) -> bool:
        """See `Blobs.present`: here, or in the bucket."""
        return self.cache.use(_digest(pin)) is not None or bool(self.bucket.history(pin.key))

    def uncovered(self, pin: ObjectPin) -> bool:
        """See `Blobs.uncovered`: the newest entry of its name is a version with these bytes."""
        from logstore.s3.versions import Version

        entries = self.bucket.versions(pin.key)
        newest = next((each for each in entries if each.name == pin.key and each.latest), None)
        if not isinstance(newest, Version) or newest.size != pin.size:
            return False
        try:
            data = self.bucket.get(pin.key, newest.version_id, most=pin.size).data
        except FileNotFoundError:
            return False
        if hashlib.sha256(data).hexdigest() != pin.sha256:
            return False
        self.cache.keep(_digest(pin), data)
        return True

    def still(self, pin: ObjectPin, descriptor: int) -> bool:  # noqa: ARG002 - as `Blobs` has it
        """See `Blobs.still`: a file of the cache is only one of the places where an object lies."""
        return True


def _digest(pin: ObjectPin) -> str:
    if len(pin.sha256) != hashlib.sha256().digest_size * 2 or not pin.sha256.isalnum():
        raise TamperingFound(f"the pin of {pin.key!r} has no SHA-256")
    return pin.sha256


def _plain(key: str) -> str:
    """A name as a path below the copies.

    Raises:
        TamperingFound: it leads elsewhere.
    """
    if not is_plain(key) or _hidden(key):
        raise TamperingFound(f"{key!r} is not the name of an object in a store")
    return key


def _hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")
