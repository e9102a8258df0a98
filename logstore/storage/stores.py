"""Opening the objects of a store, wherever they are, and what a log is written with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from logstore.disk import Disk
from logstore.storage.blobs import Blobs, LocalBlobs
from logstore.storage.clock import Clock, SystemClock
from logstore.storage.home import read_remote
from logstore.storage.options import Options


def open_blobs(store: Path, disk: Disk, *, protect: bool = True) -> Blobs:
    """The objects of a store: of the bucket whose home a directory is, else the directory's own.

    Args:
        store: the directory.
        disk: how files are written.
        protect: see `LocalBlobs`.

    Raises:
        FormatError: the home's files can not be read.
    """
    remote = read_remote(store)
    if remote is None:
        return LocalBlobs(store, disk, protect=protect)
    from logstore.storage.bucketblobs import BucketBlobs  # boto3 is not loaded for a directory

    return BucketBlobs(store, remote, disk)


@dataclass(frozen=True, slots=True)
class Means:
    """What a log is written with.

    Attributes:
        options: how it is opened.
        disk: what changes files.
        clock: tells the time.
        blobs: where its objects go.
    """

    options: Options
    disk: Disk
    clock: Clock
    blobs: Blobs

    @classmethod
    def of(
        cls, store: Path, options: Options | None, disk: Disk | None, clock: Clock | None
    ) -> Self:
        """What was given, and the usual for what was not."""
        options = options or Options()
        disk = disk or Disk(immutable=options.protect)
        blobs = open_blobs(store, disk, protect=options.protect)
        return cls(options, disk, clock or SystemClock(), blobs)
