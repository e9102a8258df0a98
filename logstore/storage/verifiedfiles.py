"""Pinned objects as open files: the bytes that were hashed are the bytes that are read.

Rules:

1. A name can be given to other bytes between a look and the next. So an object is opened once,
   hashed through that descriptor, and read through it: what is handed out is a path to the
   descriptor (``/proc/self/fd/N``), never the object's name.
2. A descriptor keeps its file, not its bytes: whoever may write *into* a sealed file (its owner
   after a chmod, root) can do so while it is read. So its size and times are compared again when
   a reading ends, and a reading that was disturbed is refused. The immutable flag is what stops
   such a writer; see docs/threat-model.md.
3. A hash is worked out once for a file; as long as inode, size and times are the same it holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from logstore.disk import open_plain
from logstore.errors import CannotJudge, TamperingFound
from logstore.formats.pins import ObjectPin
from logstore.storage.blobs import Blobs

_Identity = tuple[int, ...]
_SPARE = 256  # descriptors left for everything else in the process


class VerifiedFiles:
    """Opens pinned objects of one store; remembers which files it has hashed."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._hashed: dict[str, _Identity] = {}

    def place(self, pin: ObjectPin) -> Path:
        """Where an object lies; says nothing of its bytes."""
        return self._blobs.path(pin)

    def present(self, pin: ObjectPin) -> bool:
        """Whether there is anything under the object's name."""
        return self._blobs.present(pin)

    def still(self, pin: ObjectPin, fd: int) -> bool:
        """Whether a descriptor of the object still is what its name leads to."""
        return self._blobs.still(pin, fd)

    @contextlib.contextmanager
    def opened(self, pin: ObjectPin) -> Iterator[Path]:
        """A path to the object's verified bytes, good within the block.

        Raises:
            TamperingFound: it is missing, not the pinned bytes, or was written to meanwhile.
        """
        fd = self.descriptor(pin)
        try:
            before = _identity(fd)
            yield path_of(fd)
            if _identity(fd) != before:
                raise _changed(pin, "was written to while it was read")
        finally:
            os.close(fd)

    def descriptor(self, pin: ObjectPin) -> int:
        """A descriptor of the object's verified bytes; the caller closes it.

        Raises:
            TamperingFound: it is missing or not the pinned bytes.
        """
        try:
            return self._checked(pin)
        except TamperingFound:
            if not self._blobs.renew(pin):
                raise
        return self._checked(pin)

    def _checked(self, pin: ObjectPin) -> int:
        try:
            with open_plain(self._blobs.fetch(pin)) as file:
                fd = os.dup(file.fileno())
        except FileNotFoundError:
            raise TamperingFound(
                f"{pin.key} is missing", todo="Run `aircon verify` for the full list."
            ) from None
        try:
            self.check(pin, fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def check(self, pin: ObjectPin, fd: int) -> None:
        """Hash what a descriptor holds, unless nothing about it changed since.

        Raises:
            TamperingFound: it is not the pinned bytes.
        """
        seen = _identity(fd)
        if self._hashed.get(pin.key) == seen:
            return
        if os.fstat(fd).st_size != pin.size or _sha256(fd) != pin.sha256 or _identity(fd) != seen:
            raise _changed(pin, "is not the file that was sealed")
        self._hashed[pin.key] = seen


class HeldFiles:
    """Verified objects that stay open, for a reader that opens paths by itself, like DuckDB."""

    def __init__(self, files: VerifiedFiles) -> None:
        self._files = files
        self._held: dict[str, int] = {}

    def path(self, pin: ObjectPin) -> Path:
        """A path to the object's verified bytes, good until `close`.

        Raises:
            TamperingFound: it is missing or not the pinned bytes.
            CannotJudge: this process may not open so many files.
        """
        fd = self._held.get(pin.key)
        if fd is None:
            _make_room(len(self._held) + _SPARE)
            fd = self._held[pin.key] = self._files.descriptor(pin)
        else:
            self._files.check(pin, fd)
            if not self._files.still(pin, fd):
                raise _changed(pin, "was exchanged or removed since it was checked")
        return path_of(fd)

    def close(self) -> None:
        """Let go of every file."""
        while self._held:
            os.close(self._held.popitem()[1])


def path_of(fd: int) -> Path:
    """A path that opens the file behind a descriptor of this process."""
    return Path(f"/proc/self/fd/{fd}")


def _identity(fd: int) -> _Identity:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sha256(fd: int) -> str:
    """Hexadecimal SHA-256 of a file, mapped: 98 % of the speed of the hash itself."""
    if os.fstat(fd).st_size == 0:
        return hashlib.sha256().hexdigest()
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as data:
        return hashlib.sha256(data).hexdigest()


def _make_room(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or files <= soft:
        return
    if hard != resource.RLIM_INFINITY and files > hard:
        raise CannotJudge(
            f"this log has more segments than the {hard} files this process may hold open",
            todo="Raise the limit (ulimit -Hn), then try again.",
        )
    limit = files * 2 if hard == resource.RLIM_INFINITY else min(files * 2, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _changed(pin: ObjectPin, how: str) -> TamperingFound:
    return TamperingFound(
        f"{pin.key} {how}",
        kept="It was not used.",
        todo="Run `aircon verify` for the full list.",
    )
