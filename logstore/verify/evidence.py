"""Where the evidence that is verified lies, and how it is read: distrusted, whole, and once.

A verification asks for everything through one of these. They travel to worker processes, so they
hold no open files and no connections.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from logstore.formats.custody import Hold
from logstore.formats.pins import ObjectPin, SegmentPin, SupplementPin
from logstore.verify.findings import Finding
from logstore.verify.objects import open_object, read_small
from logstore.verify.surroundings import Listing, look_around

Data = mmap.mmap | bytes
"""Bytes of an object that were found to be those that were sealed."""


@dataclass(frozen=True, slots=True)
class Due:
    """How an object should be protected.

    Attributes:
        key: its name.
        retain_until_us: locked at least until then, microseconds since 1970 UTC.
        version: the pinned version; empty where none is pinned.
        first: the first record concerned, or None.
        last: the last record concerned, or None.
        sha256: of the bytes that were found to be true, to know their version; empty for the
            version that was put first.
        hold: the legal hold that covers it, or None.
    """

    key: str
    retain_until_us: int
    version: str = ""
    first: int | None = None
    last: int | None = None
    sha256: bytes = b""
    hold: Hold | None = None


class Evidence(Protocol):
    """One store, as a verification reads it."""

    @property
    def has_tail(self) -> bool:
        """Whether unsealed records belong here: they lie on the writer's machine alone."""
        ...

    @property
    def fenced(self) -> bool:
        """Whether every segment was claimed here before it was published: in a bucket."""
        ...

    def at_once(self, workers: int) -> int:
        """How many objects to read at one time, where so many workers check them."""
        ...

    def look(self) -> Listing:
        """Everything that lies in the store, and what is wrong with that at first sight."""
        ...

    def small(self, key: str, limit: int) -> bytes | None:
        """A small object, or None when it is gone, odd, or larger than `limit` bytes."""
        ...

    def smalls(self, key: str, limit: int) -> Iterator[bytes]:
        """Everything that bears the name of a small object, the first ever put first."""
        ...

    def open(self, pin: ObjectPin, owner: SegmentPin | SupplementPin) -> Data | Finding:
        """The bytes of a pinned object, or why they are not those that were sealed.

        Args:
            pin: the object.
            owner: its segment or supplement, for the finding.
        """
        ...

    def mismatch(self, pin: ObjectPin, owner: SegmentPin | SupplementPin) -> Finding | None:
        """`open` without keeping the bytes: why they are not those that were sealed, if so."""
        ...

    def source(self, pin: ObjectPin) -> Path | bytes:
        """The same object once more, for a reader of a part of it; it was found right before.

        Raises:
            FormatError: it is not there any more.
        """
        ...

    def file(self, key: str) -> Path:
        """Where a file of the unsealed part lies."""
        ...

    def protections(
        self, due: Sequence[Due], mode: str, workers: int, now_us: int
    ) -> list[Finding]:
        """Which objects are not locked or held as they should be.

        Args:
            due: how they should be.
            mode: as `Retention.mode`.
            workers: threads, at least.
            now_us: microseconds since 1970 UTC; no lock is asked for that ended before.
        """
        ...


@dataclass(frozen=True, slots=True)
class Directory:
    """A store on this machine; implements `Evidence`.

    Attributes:
        path: its directory.
    """

    path: Path

    @property
    def has_tail(self) -> bool:
        """See `Evidence.has_tail`: always."""
        return True

    @property
    def fenced(self) -> bool:
        """See `Evidence.fenced`: a lock file is enough here."""
        return False

    def at_once(self, workers: int) -> int:
        """See `Evidence.at_once`: one for each."""
        return workers

    def look(self) -> Listing:
        """See `Evidence.look`."""
        return look_around(self.path)

    def small(self, key: str, limit: int) -> bytes | None:
        """See `Evidence.small`."""
        return read_small(self.path, key, limit)

    def smalls(self, key: str, limit: int) -> Iterator[bytes]:
        """See `Evidence.smalls`: a file has one version."""
        yield self.small(key, limit) or b""

    def open(self, pin: ObjectPin, owner: SegmentPin | SupplementPin) -> Data | Finding:
        """See `Evidence.open`."""
        return open_object(self.path, pin, owner)

    def mismatch(self, pin: ObjectPin, owner: SegmentPin | SupplementPin) -> Finding | None:
        """See `Evidence.mismatch`."""
        found = self.open(pin, owner)
        if isinstance(found, Finding):
            return found
        release(found)
        return None

    def source(self, pin: ObjectPin) -> Path | bytes:
        """See `Evidence.source`."""
        return self.path / pin.key

    def file(self, key: str) -> Path:
        """See `Evidence.file`."""
        return self.path / key

    def protections(self, *_: object) -> list[Finding]:
        """See `Evidence.protections`: nobody promised any; `aircon doctor` says what there is."""
        return []


def release(data: Data) -> None:
    """Let go of an object's bytes."""
    if isinstance(data, mmap.mmap):
        data.close()
