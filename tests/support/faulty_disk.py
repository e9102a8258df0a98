"""A disk that stops the process at a chosen system call and forgets what was never flushed."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from logstore.disk import Disk

Mode = Literal["before", "torn", "after", "power"]
"""What the fatal call leaves behind: nothing; half of a write; the whole call; or a power cut, in
which everything since the last flush of each file and directory is undone as well."""


class Killed(BaseException):
    """The process died here."""


class FaultyDisk(Disk):
    """Counts state-changing calls and dies at number `fatal`; None only counts."""

    def __init__(self, base: Path, fatal: int | None = None, mode: Mode = "before") -> None:
        super().__init__(immutable=False)
        self._graveyard = base / ".graves"
        self._graveyard.mkdir(exist_ok=True)
        self.calls: list[str] = []
        self.dead = False
        self._fatal = fatal
        self._mode = mode
        self._lock = threading.RLock()
        self._unsynced: dict[str, bytes] = {}  # file -> bytes as last flushed
        self._names: dict[Path, list[Callable[[], None]]] = {}  # directory -> undo

    def _call(self, name: str, act: Callable[[], int | None], half: Callable[[], object]) -> int:
        with self._lock:
            if self.dead:
                raise Killed(name)
            self.calls.append(name)
            if self._fatal is None or len(self.calls) - 1 < self._fatal:
                return act() or 0
            self.dead = True
            if self._mode == "torn":
                half()
            elif self._mode == "after":
                act()
            elif self._mode == "power":
                half()
                self._forget()
            raise Killed(name)

    def _forget(self) -> None:
        for undo in [undo for undos in self._names.values() for undo in reversed(undos)]:
            undo()
        for name, content in self._unsynced.items():
            path = Path(name)
            if path.exists():
                # Part of what was written may have reached the platter all the same.
                written = path.read_bytes()
                kept = written[: (len(content) + len(written)) // 2]
                path.write_bytes(content if len(written) <= len(content) else kept)

    def _dirty(self, fd: int) -> None:
        with self._lock:
            name = _name(fd)
            if name not in self._unsynced:
                self._unsynced[name] = os.pread(fd, 2**30, 0) if _readable(fd) else b""

    def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self._dirty(fd)
        up = super().sys_write
        return self._call(
            "write",
            lambda: up(fd, data, offset),
            lambda: up(fd, memoryview(data)[: len(data) // 2], offset),
        )

    def sys_fsync(self, fd: int) -> None:
        self._sync("fsync", fd)

    def sys_fdatasync(self, fd: int) -> None:
        self._sync("fdatasync", fd)

    def _sync(self, name: str, fd: int) -> None:
        def act() -> None:
            os.fsync(fd)
            self._unsynced.pop(_name(fd), None)

        self._call(name, act, lambda: None)

    def sys_link(self, source: Path, target: Path) -> None:
        def act() -> None:
            os.link(source, target)
            self._names.setdefault(target.parent, []).append(target.unlink)

        self._call("link", act, lambda: None)

    def sys_rename(self, source: Path, target: Path) -> None:
        def act() -> None:
            new, old = self._grave(source), self._grave(target)
            source.rename(target)

            def undo() -> None:
                target.unlink()
                if old is not None:
                    os.link(old, target)
                if new is not None:
                    os.link(new, source)

            self._names.setdefault(target.parent, []).append(undo)

        self._call("rename", act, lambda: None)

    def sys_unlink(self, path: Path) -> None:
        def act() -> None:
            old = self._grave(path)
            path.unlink()
            if old is not None:
                grave = old

                def undo() -> None:
                    path.parent.mkdir(exist_ok=True)  # removed since, and not flushed either
                    os.link(grave, path)

                self._names.setdefault(path.parent, []).append(undo)

        self._call("unlink", act, lambda: None)

    def sys_truncate(self, fd: int, size: int) -> None:
        self._dirty(fd)
        self._call("truncate", lambda: os.ftruncate(fd, size), lambda: None)

    def sys_fsync_dir(self, path: Path) -> None:
        up = super().sys_fsync_dir

        def act() -> None:
            up(path)
            self._names.pop(path, None)

        self._call("fsync_dir", act, lambda: None)

    def _grave(self, path: Path) -> Path | None:
        """A second name that keeps the file's bytes for an undo."""
        if not path.exists():
            return None
        grave = self._graveyard / secrets.token_hex(8)
        os.link(path, grave)
        return grave


def _readable(fd: int) -> bool:
    try:
        os.pread(fd, 1, 0)
    except OSError:
        return False
    return True


def _name(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())
