"""Reading a pinned object: mapped, hashed, and only then handed to a parser."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path

from logstore.formats.pins import ObjectPin, SegmentPin, SupplementPin
from logstore.verify.findings import Finding


def open_object(
    store: Path, pin: ObjectPin, segment: SegmentPin | SupplementPin
) -> mmap.mmap | Finding:
    """The bytes of an object, or why they are not those that were sealed.

    Args:
        store: the store directory.
        pin: the object.
        segment: its segment or supplement, for the finding.
    """

    def finding(code: str, what: str) -> Finding:
        return Finding(code, what, pin.key, segment.first, segment.last)

    try:
        fd = os.open(store / pin.key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return finding("file-missing", "the log pins this object, and it is gone")
    except OSError as error:
        return finding("unreadable-file", error.strerror or str(error))
    try:
        size = os.fstat(fd).st_size
        if size != pin.size or not size:
            return finding("file-changed", f"it has {size} bytes, {pin.size} were sealed")
        data = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        return finding("unreadable-file", str(error))
    finally:
        os.close(fd)
    if hashlib.sha256(data).hexdigest() != pin.sha256:
        data.close()
        return finding("file-changed", "its SHA-256 is not the one that was sealed")
    return data


def read_small(store: Path, key: str, limit: int) -> bytes | None:
    """A small file, or None when it is gone, no plain file, or larger than `limit` bytes."""
    try:
        fd = os.open(store / key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        try:
            data = file.read(limit + 1)
        except OSError:
            return None
    return data if len(data) <= limit else None
