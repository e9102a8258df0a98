"""Opening the objects of a store, wherever they are."""

from __future__ import annotations

from pathlib import Path

from logstore.disk import Disk
from logstore.storage.blobs import Blobs, LocalBlobs
from logstore.storage.home import read_remote


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
