"""A bucket with Object Lock, to be written: put, lock for longer, hold, and remove what is free."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from logstore.errors import StoreRefused
from logstore.s3 import failures
from logstore.s3.client import S3
from logstore.s3.objects import Fetched, Head, Lock, Mode
from logstore.s3.publishing import (
    LockMissing,
    NameTaken,
    Publisher,
    Wanted,
    check_protected,
    lock_missing,
)
from logstore.s3.reading import BucketReader
from logstore.s3.remote import Remote
from logstore.s3.versions import Marker, Version

__all__ = [
    "Bucket", "BucketReader", "Fetched", "Head", "Lock", "LockMissing", "Marker", "Mode",
    "NameTaken", "Remote", "Version",
]  # fmt: skip


class Bucket(BucketReader):
    """A bucket and prefix, to be written. Thread-safe.

    Args:
        remote: which, and how it is reached.
        client: boto3's client for it; made when None.
        pause: sleeps so many seconds between two tries.
    """

    def __init__(
        self,
        remote: Remote,
        client: S3 | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(remote, client)
        self._publisher = Publisher(self, pause)

    def put(
        self,
        name: str,
        data: bytes,
        *,
        lock: Lock | None,
        legal_hold: bool = False,
        sha256: bytes | None = None,
    ) -> Version:
        """Make an immutable object under a name that must be free, or hold the same bytes already.

        Durable when it returns: the server lists the version returned as the first of its name,
        shows the lock that was asked for, and shows no other bytes where it tells digests. Putting
        the same again, after a crash or a lost answer, returns the same version.

        Args:
            name: where, behind the prefix.
            data: the bytes.
            lock: how long nobody can remove it.
            legal_hold: also keep it until the hold is lifted.
            sha256: of the bytes, where it is known already.

        Raises:
            NameTaken: other bytes lie there.
            LockMissing: it is stored, and not protected as asked.
            StoreAway: the server can not be asked now. It may be stored; put it again.
            StoreRefused: the server does not let us, or is not fit for it.
        """
        want = self._publisher.wanted(name, data, lock, hold=legal_hold, sha256=sha256)
        return self._protected(want, *self._publisher.publish(want))

    def put_over(self, name: str, data: bytes, *, lock: Lock | None) -> Version:
        """Make an object a further version of a name that others have taken; raises as `put` does.

        What lies there stays in front of it: whoever puts this must pin its version.
        """
        want = self._publisher.wanted(name, data, lock, hold=False)
        return self._protected(want, *self._publisher.publish_over(want))

    def _protected(self, want: Wanted, version: Version, head: Head) -> Version:
        if head.nonce != want.nonce:  # put by an earlier call, perhaps for less long
            if want.lock is not None:
                self.extend_retention(want.name, version.version_id, want.lock)
            if want.hold:
                self.set_legal_hold(want.name, version.version_id, on=True)
        else:
            check_protected(head, want)
        return version

    def extend_retention(self, name: str, version_id: str, lock: Lock) -> Lock:
        """See to it that a version is locked at least so; never shortens.

        Returns:
            The lock that the server shows now.

        Raises:
            FileNotFoundError: there is no such version.
            LockMissing: the server says yes and shows less.
            StoreAway: the server can not be asked now.
            StoreRefused: it does not let us.
        """
        shown = self.head(name, version_id).lock
        if shown is not None and shown.covers(lock):
            return shown
        with failures.told(f"lock {name}", of_version=True):
            self.client.put_object_retention(
                **self._one(name, version_id),
                Retention={"Mode": lock.mode, "RetainUntilDate": lock.date},
            )
        shown = self.head(name, version_id).lock
        if shown is None or not shown.covers(lock):
            raise lock_missing(name, lock, shown)
        return shown

    def set_legal_hold(self, name: str, version_id: str, *, on: bool) -> None:
        """Hold a version whatever its retention, or lift that.

        Raises:
            FileNotFoundError: there is no such version.
            LockMissing: the server says yes and shows something else.
            StoreAway: the server can not be asked now.
            StoreRefused: it does not let us.
        """
        with failures.told(f"{'hold' if on else 'release'} {name}", of_version=True):
            self.client.put_object_legal_hold(
                **self._one(name, version_id), LegalHold={"Status": "ON" if on else "OFF"}
            )
        if self.head(name, version_id).hold is not on:
            raise LockMissing(
                f"the server took the legal hold of {name} and does not show it so",
                todo="Check that the bucket has Object Lock and that holds may be read.",
            )

    def set_event_hold(self, name: str, version_id: str, lock: Lock, days: int) -> None:
        """Keep a version until that is released, and for so many days from then on.

        Args:
            name: of the object.
            version_id: of the version.
            lock: what it is locked with, which stays.
            days: for how long after the release; 0 releases it.

        Raises:
            FileNotFoundError: there is no such version.
            LockMissing: the server says yes and shows something else: it has no event holds.
            StoreAway: the server can not be asked now.
            StoreRefused: it does not let us.
        """
        asked: dict[str, object] = {
            "Mode": lock.mode, "RetainUntilDate": lock.date, "EventHold": "ON" if days else "OFF",
        }  # fmt: skip
        if days:
            asked["EventHoldDuration"] = {"Days": days}
        with failures.told(f"hold {name} for an event", of_version=True):
            self.client.put_object_retention(**self._one(name, version_id), Retention=asked)
        if self.head(name, version_id).event_hold is not bool(days):
            raise LockMissing(
                f"the server took the event hold of {name} and does not show it so",
                todo="Run `aircon doctor --attack`: it finds out whether the server keeps any.",
            )

    def delete_version(self, name: str, version_id: str, *, bypass: bool = False) -> None:
        """Remove one version for good; for what has outlived its retention, and for probes.

        A version that is not there is no error, as on every server.

        Args:
            name: of the object.
            version_id: of the version, never of whatever is the latest.
            bypass: use the right to override a GOVERNANCE lock.

        Raises:
            StoreAway: the server can not be asked now.
            StoreRefused: it is locked or held, or we may not.
        """
        if not version_id:
            raise StoreRefused("a version to be removed must be named")
        asked = self._one(name, version_id)
        if bypass:
            asked["BypassGovernanceRetention"] = True
        doing = f"remove a version of {name}, which stays while it is locked or held"
        with contextlib.suppress(FileNotFoundError), failures.told(doing, of_version=True):
            self.client.delete_object(**asked)
