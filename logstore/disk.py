"""The one place that changes files, and the system calls each promise rests on.

    immutable file   O_EXCL temp -> write -> chmod 0444 -> fsync -> link(temp, name) -> fsync(dir)
                     -> unlink(temp) -> immutable flag (best effort)
    replaceable file O_EXCL temp -> write -> fsync -> rename(temp, name) -> fsync(dir)
    append           write at the known end -> fdatasync
    removal          overwrite with zeros (secrets only) -> unlink -> fsync(dir)

`link` never replaces an existing name, so two writers can not both create one file. An error of
fsync is fatal for the file concerned (the page cache may have dropped what was written): callers
stop acknowledging and never retry on the same descriptor.

Not covered: drives that lie about flushing, and copies that solid-state drives, journals or
backups keep of overwritten secrets (that is what re-wrapping under a new KEK is for).

`Disk` is also the seam for fault injection: every state change goes through one of the methods
whose names start with `sys_`.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from logstore.errors import NotDurable, TamperingFound

_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_IMMUTABLE_FL = 0x10
_ZEROS = 2**20


class AlreadyThere(FileExistsError):
    """A create-only name exists already."""


class Disk:
    """Durable file operations; see the module text for the order of system calls."""

    def __init__(self, *, immutable: bool = True) -> None:
        self.immutable = immutable

    # -- system calls that change state, one method each -------------------------------------

    def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write at an offset; returns the number of bytes written."""
        return os.pwrite(fd, data, offset)

    def sys_fsync(self, fd: int) -> None:
        """Flush data and metadata of a file."""
        os.fsync(fd)

    def sys_fdatasync(self, fd: int) -> None:
        """Flush data of a file and the metadata needed to read it."""
        os.fdatasync(fd)

    def sys_link(self, source: Path, target: Path) -> None:
        """Give a file a second name; fails if the name exists."""
        os.link(source, target)

    def sys_rename(self, source: Path, target: Path) -> None:
        """Replace a name atomically."""
        source.rename(target)

    def sys_unlink(self, path: Path) -> None:
        """Remove a name."""
        path.unlink()

    def sys_truncate(self, fd: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(fd, size)

    def sys_fsync_dir(self, path: Path) -> None:
        """Flush the names of a directory."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    # -- promises built from them -------------------------------------------------------------

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        """Create a directory and its parents, durably; existing ones are left as they are."""
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        if path.parent.exists():  # a crash may have come between its making and its flush
            self.sys_fsync_dir(path.parent)
        for each in reversed(missing):
            with contextlib.suppress(FileExistsError):
                each.mkdir(mode=mode)
            self.sys_fsync_dir(each.parent)

    def write_all(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write every byte at an offset; returns the offset behind them."""
        view = memoryview(data)
        while view:
            done = self.sys_write(fd, view, offset)
            view = view[done:]
            offset += done
        return offset

    def create(self, path: Path, data: bytes, *, mode: int = 0o444, protect: bool = False) -> None:
        """Create an immutable file under a name that must be free.

        Raises:
            AlreadyThere: the name exists; nothing was changed.
            NotDurable: the file system refused; the name does not exist.
        """
        temporary = self.stage(path, data, mode=mode)
        try:
            self.publish(temporary, path, protect=protect)
        except AlreadyThere:
            self.sys_unlink(temporary)
            raise

    def stage(self, path: Path, data: bytes | memoryview, *, mode: int = 0o600) -> Path:
        """Write a temporary file beside `path`, flushed, and return its name."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        with durable(f"write {path.name}"):
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                self.write_all(fd, data, 0)
                os.fchmod(fd, mode)
                self.sys_fsync(fd)
            finally:
                os.close(fd)
        return temporary

    def publish(self, staged: Path, path: Path, *, protect: bool = False) -> None:
        """Give a flushed file its final, create-only name; its old name goes away.

        Raises:
            AlreadyThere: the name exists, durably; nothing was changed.
        """
        with durable(f"publish {path.name}"):
            try:
                self.sys_link(staged, path)
            except FileExistsError:
                # Perhaps we gave it that name and died before the flush; callers rely on it now.
                self.sys_fsync_dir(path.parent)
                raise AlreadyThere(errno.EEXIST, "name exists", str(path)) from None
            self.sys_fsync_dir(path.parent)
            self.sys_unlink(staged)  # before the flag: an immutable file can not lose a name
        if protect and self.immutable:
            set_immutable(path, on=True)

    def replace(self, path: Path, data: bytes | memoryview, *, mode: int = 0o600) -> None:
        """Put new bytes under a name atomically; the old bytes stay until the very end."""
        self.put(self.stage(path, data, mode=mode), path)

    def put(self, staged: Path, path: Path) -> None:
        """Give a flushed file its final name, over what had it before."""
        with durable(f"replace {path.name}"):
            self.sys_rename(staged, path)
            self.sys_fsync_dir(path.parent)

    def remove(self, path: Path, *, shred: bool = False) -> None:
        """Remove a name; with `shred`, overwrite the bytes with zeros first. Missing is fine.

        Bytes that have another name too (a crash between link and unlink) are not overwritten,
        and never those behind a symbolic link: somebody else chose what it points to.
        """
        try:
            found = path.lstat()
        except FileNotFoundError:
            return
        with durable(f"remove {path.name}"):
            if shred and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                self._overwrite(path, found.st_size)
            self.sys_unlink(path)
            self.sys_fsync_dir(path.parent)

    def _overwrite(self, path: Path, size: int) -> None:
        with contextlib.suppress(PermissionError):
            _make_writable(path)
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            for start in range(0, size, _ZEROS):
                self.write_all(fd, bytes(min(_ZEROS, size - start)), start)
            self.sys_fsync(fd)
        finally:
            os.close(fd)

    def sweep(self, directory: Path) -> None:
        """Remove temporary files that a crash left; only while nobody else writes there."""
        for path in sorted(directory.glob(".*.tmp")):
            self.remove(path, shred=True)


@contextlib.contextmanager
def durable(what: str) -> Iterator[None]:
    """Turn an operating-system error into `NotDurable`, in words for a person."""
    try:
        yield
    except AlreadyThere:
        raise
    except OSError as error:
        raise NotDurable(
            f"could not {what}: {error.strerror or error}",
            kept="Everything acknowledged before is on disk and unchanged.",
            todo=_advice(error),
        ) from error


def _make_writable(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _advice(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "Free some disk space, then try again."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "Check the owner and permissions of the store and its file system."
    return "Check the disk, then reopen the store; it recovers by itself."


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading that somebody else may have put there: no link, pipe or device.

    Raises:
        FileNotFoundError: it is not there.
        TamperingFound: it is not a plain file.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise _no_plain_file(path) from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _no_plain_file(path)
    return os.fdopen(fd, "rb")


def read_plain(path: Path, limit: int = 2**32) -> bytes:
    """All bytes of a plain file; see `open_plain`.

    Raises:
        TamperingFound: it is not a plain file, or larger than `limit` bytes.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= limit:
            return file.read(size)  # not `limit`: as much would be allocated
    raise TamperingFound(f"{path.name} is larger than anything aircon writes there")


def _no_plain_file(path: Path) -> TamperingFound:
    return TamperingFound(
        f"{path.name} is a link or a special file, where a plain file is due",
        kept="It was not followed.",
        todo="Run `aircon verify` for the full list.",
    )


def settled(path: Path, size: int, disk: Disk) -> bool:
    """Make sure that the first `size` bytes of a file, as a reader sees them, are on disk.

    A reader sees a write before the writer has flushed it, and a power cut may undo it. Whoever
    remembers what was read, or tells others who do, flushes it first; a descriptor that can only
    read is enough. Says whether it is now so.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        disk.sys_fsync(fd)
        return os.fstat(fd).st_size >= size  # a writer whose own flush failed has cut it again
    except OSError:
        return False
    finally:
        os.close(fd)


def set_immutable(path: Path, *, on: bool) -> bool:
    """Set or clear the immutable flag where file system and user allow; says if it is now so."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        flags = array.array("l", [0])
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags)
        wanted = flags[0] | _FS_IMMUTABLE_FL if on else flags[0] & ~_FS_IMMUTABLE_FL
        if wanted != flags[0]:
            flags[0] = wanted
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, flags)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def is_immutable(path: Path) -> bool:
    """Whether the immutable flag is set; False where the file system has none."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        flags = array.array("l", [0])
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags)
    except OSError:
        return False
    finally:
        os.close(fd)
    return bool(flags[0] & _FS_IMMUTABLE_FL)


def lock_file(path: Path, *, wait: bool) -> int | None:
    """Take an exclusive advisory lock (flock) on a file; returns its descriptor.

    The kernel drops the lock when the process ends, however it ends. Returns None when another
    process holds it and `wait` is false.

    Raises:
        NotDurable: the file can not be opened for writing, or is a symbolic link.
    """
    with durable(f"open {path.name}"):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:  # an interruption while waiting, or after the lock was won
        os.close(fd)
        raise
    return fd
