"""Content that retention has removed from the log must not live on in the working copy."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from logstore.disk import Disk, lock_file
from logstore.query.parts import Part, parse_name

LOCK = "build.lock"
"""Held by whoever writes or removes files of a working copy."""

Ranges = Mapping[str, tuple[int, int]]
"""Name of a removed object -> (first, end) of the records whose content it held."""


def touched(part: Part, ranges: Iterable[tuple[int, int]]) -> bool:
    """Whether a part holds a record of one of the ranges."""
    return any(part.first < end and part.end > first for first, end in ranges)


def fact(part: Part, removed: Ranges) -> dict[str, str]:
    """What a part says of removals: those that it was built without.

    Nothing where there are none, so that parts of a log without removals stay what they are.
    """
    names = sorted(name for name, span in removed.items() if touched(part, [span]))
    if not names:
        return {}
    return {"removed": hashlib.sha256("\n".join(names).encode()).hexdigest()}


def forget(directory: Path, ranges: Iterable[tuple[int, int]]) -> int:
    """Remove every part that holds a record of the ranges; it is built anew when it is needed.

    Args:
        directory: where the parts lie.
        ranges: (first, end) of records.

    Returns:
        How many files were removed.
    """
    if not directory.is_dir():
        return 0
    spans, disk = list(ranges), Disk(immutable=False)
    lock = lock_file(directory / LOCK, wait=True)
    try:
        found = [(path, parse_name(path.name)) for path in sorted(directory.iterdir())]
        old = [path for path, part in found if part is not None and touched(part, spans)]
        for path in old:
            disk.remove(path, shred=True)  # it may not be encrypted
        return len(old)
    finally:
        if lock is not None:
            os.close(lock)
