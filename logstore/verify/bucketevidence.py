"""Evidence in a bucket: read by version, and whatever else bears a name of ours is named.

Rules:

1. The bucket is believed in nothing. What an object is follows from its hash or its signature;
   the listing only says where to look, and what lies there beside what should.
2. The true bytes are found, read and judged also where somebody has laid something over them, or a
   delete marker: that is a finding, not an obstacle.
3. A lock that is not shown is not there. Whether one could not be read or was never set looks the
   same from here, and neither proves anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from logstore.errors import AirconError, FormatError, TamperingFound
from logstore.formats.pins import ObjectPin, SegmentPin, SupplementPin
from logstore.s3.bucket import Head, Lock, Mode
from logstore.s3.lookahead import in_turn
from logstore.s3.remote import Remote
from logstore.s3.versions import Version
from logstore.storage.blobs import MAX_READ
from logstore.storage.home import WRITER_FILE
from logstore.storage.layout import STORE_FILE
from logstore.storage.seal import pinned_by
from logstore.verify.bucketmemory import THREADS, BucketMemory
from logstore.verify.evidence import Data, Due
from logstore.verify.findings import Finding
from logstore.verify.gathering import Held
from logstore.verify.surroundings import Item, Listing, look_around

HOLD_GRACE_US = 10 * 60 * 1_000_000
"""For so long after a hold was placed it may be on its way to the bucket still."""

_MOST_TRIED = 64
_WAITING = 4  # objects on their way for each core: one connection does not fill a line
_WAL = "wal/"
_SMALL_ONES = ("seal/", "claim/", "cosigned/", "log/", STORE_FILE)


class BucketEvidence:
    """A store in a bucket; implements `Evidence`.

    Args:
        home: its home on this machine; with the unsealed records where the writer is here.
        remote: the bucket.
    """

    def __init__(self, home: Path, remote: Remote) -> None:
        self._home = home
        self._remote = remote
        self._bucket = BucketMemory(remote)

    def __reduce__(self) -> tuple[type[BucketEvidence], tuple[Path, Remote]]:
        """Another process begins with a memory of its own."""
        return BucketEvidence, (self._home, self._remote)

    @property
    def has_tail(self) -> bool:
        """See `Evidence.has_tail`."""
        return (self._home / WRITER_FILE).exists()

    @property
    def fenced(self) -> bool:
        """See `Evidence.fenced`."""
        return True

    def at_once(self, workers: int) -> int:
        """See `Evidence.at_once`: while some wait for the server, others hash."""
        return workers * _WAITING

    # -- what lies there ----------------------------------------------------------------------

    def look(self) -> Listing:
        """See `Evidence.look`."""
        listing = look_around(self._home, only=_WAL)
        listed = self._bucket.listed(self._pinned)
        for name, held in listed.held.items():
            if held.count:
                listing.files[name] = Item(held.oldest[-1].size, f"{held.identity:x}")
            listing.odd += self._oddities(name, held)
        listing.odd += listed.findings()
        self._bucket.fetch(name for name in listing.files if name.startswith(_SMALL_ONES))
        return listing

    def _pinned(self, seals: Iterable[str]) -> set[str]:
        """What seals pin by their own word, whether they hold or not."""
        found: set[str] = set()
        for name in seals:
            for data in itertools.islice(self.smalls(name, MAX_READ), _MOST_TRIED):
                with contextlib.suppress(AirconError, ValueError):
                    found |= pinned_by(data)
        return found

    def _oddities(self, name: str, held: Held) -> list[Finding]:
        """What lies over, or in front of, an object."""
        found = []
        if held.hidden:
            what = (
                "a delete marker hides it; its versions are still there and were read"
                if held.count
                else "a delete marker lies where no version is"
            )
            found.append(Finding("delete-marker", what, name))
        if held.count > 1:
            found.append(self._several(name, held))
        return found

    def _several(self, name: str, held: Held) -> Finding:
        first, *more = held.oldest[::-1]
        others = {(each.etag, each.size): each for each in more}
        same = (self._bucket.alike(first, each) for each in others.values())
        if not held.whole or len(others) > _MOST_TRIED or not all(same):
            what = f"{held.count - 1:,} more versions lie under its name, with other bytes"
            return Finding("shadow-version", what, name)
        what = f"{held.count} versions of the same bytes: an answer was lost and it was put anew"
        return Finding("written-twice", what, name)

    # -- small objects ------------------------------------------------------------------------

    def small(self, key: str, limit: int) -> bytes | None:
        """See `Evidence.small`: the version that was put first."""
        return next(self.smalls(key, limit), None)

    def smalls(self, key: str, limit: int) -> Iterator[bytes]:
        """See `Evidence.smalls`."""
        if key.startswith(_WAL):
            with contextlib.suppress(OSError):
                yield (self._home / key).read_bytes()[:limit]
            return
        plausible = [each for each in self._bucket.history(key) if each.size <= limit]
        yield from in_turn(plausible, self._one)

    def _one(self, version: Version) -> bytes | None:
        with contextlib.suppress(FileNotFoundError, TamperingFound):
            return self._bucket.get(version.name, version.version_id, version.size)
        return None

    # -- sealed objects -----------------------------------------------------------------------

    def open(self, pin: ObjectPin, owner: SegmentPin | SupplementPin) -> Data | Finding:
        """See `Evidence.open`: the pinned version, else any that has the pinned bytes."""
        if pin.key.startswith(_WAL):
            return _staged(self._home / pin.key, pin, owner)
        other = False
        for version_id in self._candidates(pin):
            with contextlib.suppress(FileNotFoundError, TamperingFound):
                data = self._bucket.get(pin.key, version_id, pin.size)
                if hashlib.sha256(data).hexdigest() == pin.sha256:
                    return data
                other = True
        return self._not_there(pin, owner, other=other)

    def mismatch(self, pin: ObjectPin, owner: SegmentPin | SupplementPin) -> Finding | None:
        """See `Evidence.mismatch`: hashed as it comes."""
        if pin.key.startswith(_WAL):
            found = _staged(self._home / pin.key, pin, owner)
            return found if isinstance(found, Finding) else None
        other = False
        for version_id in self._candidates(pin):
            with contextlib.suppress(FileNotFoundError, TamperingFound):
                if self._bucket.digest(pin.key, version_id, pin.size).hex() == pin.sha256:
                    return None
                other = True
        return self._not_there(pin, owner, other=other)

    def _not_there(
        self, pin: ObjectPin, owner: SegmentPin | SupplementPin, *, other: bool
    ) -> Finding:
        if other or self._bucket.history(pin.key):
            what = "no version of it has the bytes that were sealed"
            return Finding("file-changed", what, pin.key, owner.first, owner.last)
        what = "the log pins this object, and no version of it is in the bucket"
        return Finding("file-missing", what, pin.key, owner.first, owner.last)

    def _candidates(self, pin: ObjectPin) -> Iterator[str]:
        if pin.version:
            yield pin.version
        alike = [each for each in self._bucket.history(pin.key) if each.size == pin.size]
        yield from (v.version_id for v in alike[:_MOST_TRIED] if v.version_id != pin.version)

    def source(self, pin: ObjectPin) -> Path | bytes:
        """See `Evidence.source`."""
        for version_id in self._candidates(pin):
            with contextlib.suppress(FileNotFoundError, TamperingFound):
                data = self._bucket.get(pin.key, version_id, pin.size)
                if hashlib.sha256(data).hexdigest() == pin.sha256:
                    return data
        raise FormatError(f"{pin.key} can not be read any more")

    def file(self, key: str) -> Path:
        """See `Evidence.file`."""
        return self._home / key

    # -- locks --------------------------------------------------------------------------------

    def protections(
        self, due: Sequence[Due], mode: str, workers: int, now_us: int
    ) -> list[Finding]:
        """See `Evidence.protections`."""
        wanted: Mode = "GOVERNANCE" if mode == "GOVERNANCE" else "COMPLIANCE"

        def one(each: Due) -> list[Finding]:
            found = self._head(each)
            if isinstance(found, Head):
                return list(_protection(each, found, Lock(wanted, each.retain_until_us), now_us))
            return [] if found is None else [found]

        with ThreadPoolExecutor(max(THREADS, workers), "aircon-verify-locks") as pool:
            return [found for each in pool.map(one, due) for found in each]

    def _head(self, due: Due) -> Head | Finding | None:
        """What the server says of an object; None when it is gone, which is named elsewhere."""
        if due.version:
            with contextlib.suppress(FileNotFoundError):
                return self._bucket.head(due.key, due.version)
        history = self._bucket.history(due.key)
        if not history:
            return None
        if due.version:
            what = "the version that was sealed is gone; another one was put there"
            return Finding("version-missing", what, due.key, due.first, due.last)
        try:
            return self._bucket.head(due.key, self._true(history, due.sha256).version_id)
        except FileNotFoundError:
            return None

    def _true(self, history: Sequence[Version], sha256: bytes) -> Version:
        """Of the versions of a small object the one with certain bytes: it was read before."""
        for version in history if sha256 and len(history) > 1 else ():
            data = self._one(version) or b""
            if hashlib.sha256(data).digest() == sha256:
                return version
        return history[0]


def _protection(due: Due, head: Head, lock: Lock, now_us: int) -> Iterator[Finding]:
    def finding(code: str, what: str) -> Finding:
        return Finding(code, what, due.key, due.first, due.last)

    if due.hold is not None and not head.hold:
        what = f"the server shows no legal hold on it, though hold {due.hold.number} is in force"
        young = now_us - due.hold.placed_us < HOLD_GRACE_US
        yield finding("hold-pending" if young else "hold-missing", what)
    if 0 < lock.retain_until_us <= now_us:
        return  # only the hold keeps it
    if head.lock is None:
        yield finding("lock-missing", "the server shows no lock on it")
    elif head.lock.mode != lock.mode and lock.mode == "COMPLIANCE":
        yield finding("lock-governance", "it is locked so that some may still remove it")
    elif head.lock.retain_until_us < lock.retain_until_us:
        shown = f"{head.lock.date:%Y-%m-%d %H:%M:%S}"
        what = f"it is locked until {shown} UTC only, not until {lock.date:%Y-%m-%d %H:%M:%S}"
        yield finding("lock-shortened", what)


def _staged(path: Path, pin: ObjectPin, owner: SegmentPin | SupplementPin) -> Data | Finding:
    try:
        data = path.read_bytes()
    except OSError:
        return Finding("file-missing", "it is not staged", pin.key, owner.first, owner.last)
    if hashlib.sha256(data).hexdigest() != pin.sha256:
        return Finding("file-changed", "what is staged is not what is pinned", pin.key, owner.first)
    return data
