"""Sealed objects of a bucket on this machine: named by what they are, so never out of date.

Rules:

1. A file's name is the SHA-256 of its bytes. What is put here was hashed on the way in; whoever
   opens it hashes it again (`VerifiedFiles`), because anybody with this account can write here.
2. Everything may be deleted at any time. Files appear under their name whole (rename), so several
   processes can fetch, read and evict side by side: a reader holds a descriptor, not a name.
3. What was used longest ago goes first when there is too much. What was used a moment ago stays,
   even over the limit: somebody is about to open it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

CACHE_BYTES = 20 * 2**30
"""Bytes kept unless `VARIABLE` says otherwise."""

VARIABLE = "AIRCON_CACHE_BYTES"
"""Environment variable with the most bytes to keep."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_GRACE_S = 60


class Cache:
    """Files by digest below one folder.

    Args:
        folder: where they lie; made when the first is kept.
        limit: bytes to keep at most; None for `VARIABLE` or `CACHE_BYTES`.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self.limit = _configured() if limit is None else limit

    def path(self, sha256: str) -> Path:
        """Where an object would lie.

        Raises:
            ValueError: not a hexadecimal SHA-256.
        """
        if not _DIGEST.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is not a SHA-256")
        return self.folder / sha256

    def use(self, sha256: str) -> Path | None:
        """Where an object lies, noted as used now; None when it is not here."""
        path = self.path(sha256)
        try:
            os.utime(path, follow_symlinks=False)
        except OSError:
            return None
        return path

    def keep(self, sha256: str, data: bytes | memoryview) -> Path:
        """Keep bytes that were hashed; returns where."""
        path = self.path(sha256)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room(len(data))
        temporary = self.folder / f".{secrets.token_hex(6)}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            temporary.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        return path

    def adopt(self, sha256: str, file: Path) -> None:
        """Keep a file of this machine that holds these bytes: it moves here, or goes."""
        path = self.path(sha256)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room(file.stat().st_size)
        file.chmod(0o400)
        file.rename(path)

    def drop(self, sha256: str) -> None:
        """Remove an object: it is not what its name says."""
        with contextlib.suppress(OSError):
            self.path(sha256).unlink()

    def size_bytes(self) -> int:
        """Bytes that lie here."""
        return sum(size for _, size, _ in self._files())

    def clear(self) -> int:
        """Remove everything; returns the bytes freed."""
        return self._evict(sum(size for _, size, _ in self._files()), grace_s=-1)

    def _make_room(self, size: int) -> None:
        over = self.size_bytes() + size - self.limit
        if over > 0:
            self._evict(over, grace_s=_GRACE_S)

    def _evict(self, size: int, *, grace_s: float) -> int:
        freed = 0
        for used, held, path in sorted(self._files()):
            if freed >= size or time.time() - used < grace_s:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                freed += held
        return freed

    def _files(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of every file, and of what an interrupted `keep` left."""
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    state = entry.stat(follow_symlinks=False)
                    found.append((state.st_mtime, state.st_size, Path(entry.path)))
        return found


def _configured() -> int:
    try:
        return max(int(os.environ.get(VARIABLE, "")), 0)
    except ValueError:
        return CACHE_BYTES
