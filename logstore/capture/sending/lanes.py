"""A spool directory shared by processes: each takes a lane of its own, and what others left behind.

    SPOOL/lane-0000/lock            held by the process that uses the lane
    SPOOL/lane-0000/00000001.spool  files of `spoolfile`, in order

A process takes the first lane that nobody holds, and moves into it the files of every other lane
that nobody holds: so what a dead process left is sent by the next one that starts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logstore.disk import lock_file
from logstore.errors import NotDurable, UsageError

MAX_LANES = 1024
"""Most processes that share a spool."""

SUFFIX = ".spool"
"""Ending of a spool file's name."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane that this process holds.

    Attributes:
        path: its directory.
        descriptor: of its lock; the lock ends with the last process that has it open.
    """

    path: Path
    descriptor: int

    def files(self) -> list[Path]:
        """Its files, oldest first."""
        return sorted(path for path in self.path.iterdir() if path.suffix == SUFFIX)

    def next_name(self) -> Path:
        """A name for a new file, after all that are there."""
        numbers = [int(path.stem) for path in self.files() if path.stem.isdecimal()]
        return self.path / f"{max(numbers, default=0) + 1:08d}{SUFFIX}"

    def release(self) -> None:
        """Let another process have the lane."""
        os.close(self.descriptor)


def take_lane(spool: Path) -> Lane:
    """Take a lane, with what free lanes hold.

    Raises:
        UsageError: the directory can not be used, or every lane is held.
    """
    try:
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = _first_free(spool)
        for other in _free(spool):
            try:
                _move(other, own)
            finally:
                other.release()
    except (OSError, NotDurable) as error:
        raise UsageError(f"The spool {spool} can not be used: {error}.") from None
    return own


def _first_free(spool: Path) -> Lane:
    for number in range(MAX_LANES):
        path = spool / f"lane-{number:04d}"
        path.mkdir(mode=0o700, exist_ok=True)
        if not path.is_symlink() and (lane := _held(path)) is not None:
            return lane
    raise UsageError(f"{MAX_LANES} processes use the spool {spool} already.")


def _free(spool: Path) -> Iterator[Lane]:
    """Every lane that nobody holds, held now; our own is held already."""
    for path in sorted(spool.glob("lane-[0-9][0-9][0-9][0-9]")):
        if path.is_dir() and not path.is_symlink() and (lane := _held(path)) is not None:
            yield lane


def _held(path: Path) -> Lane | None:
    descriptor = lock_file(path / "lock", wait=False)
    return None if descriptor is None else Lane(path, descriptor)


def _move(source: Lane, target: Lane) -> None:
    for path in source.files():
        with contextlib.suppress(FileNotFoundError):
            path.rename(target.next_name())
