"""The seam to where immutable objects live: a directory here, S3 with Object Lock elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from logstore.disk import AlreadyThere, Disk, open_plain, read_plain
from logstore.errors import TamperingFound

MAX_READ = 256 * 2**20
"""Most bytes of an object that `Blobs.read` returns: a seal."""

_PIECE = 2**20


class Blobs(Protocol):
    """A store of immutable, named objects.

    Promises: after `publish` returns, the object is durable under its name, no other bytes can
    ever take that name, and the staged file is gone. Publishing the same bytes again is not an
    error; other bytes are.
    """

    def publish(self, key: str, staged: Path) -> None:
        """Make a flushed local file an object.

        Raises:
            TamperingFound: the name is taken by other bytes.
            NotDurable: it could not be published; try again later.
        """
        ...

    def read(self, key: str) -> bytes:
        """All bytes of an object.

        Raises:
            FileNotFoundError: there is no such object.
        """
        ...

    def path(self, key: str) -> Path:
        """A local file with the object's bytes (fetched if need be), not yet verified."""
        ...

    def keys(self, prefix: str = "") -> list[str]:
        """Names of all objects that start with a prefix, sorted."""
        ...


class LocalBlobs:
    """Objects as read-only files below a directory; implements `Blobs`.

    Args:
        root: the store directory.
        disk: how files are written.
        protect: also set the immutable flag where possible.
    """

    def __init__(self, root: Path, disk: Disk, *, protect: bool = True) -> None:
        self.root = root
        self._disk = disk
        self._protect = protect

    def publish(self, key: str, staged: Path) -> None:
        """See `Blobs.publish`."""
        target = self.path(key)
        self._disk.make_directory(target.parent)
        staged.chmod(0o444)
        try:
            self._disk.publish(staged, target, protect=self._protect)
        except AlreadyThere:
            if not _same(target, staged):
                raise TamperingFound(
                    f"{key} exists with other bytes than this log is about to write",
                    kept="Nothing was overwritten.",
                    todo="Run `aircon verify`; look for a second writer or a restored copy.",
                ) from None
            self._disk.remove(staged)

    def read(self, key: str) -> bytes:
        """See `Blobs.read`.

        Raises:
            TamperingFound: it is no plain file, or larger than any object that is read whole.
        """
        return read_plain(self.path(key), MAX_READ)

    def path(self, key: str) -> Path:
        """See `Blobs.path`.

        Raises:
            TamperingFound: the name leads out of the store.
        """
        parts = key.split("/")
        if "\0" in key or not {"", ".", ".."}.isdisjoint(parts):
            raise TamperingFound(f"{key!r} is not the name of an object in a store")
        return self.root / key

    def keys(self, prefix: str = "") -> list[str]:
        """See `Blobs.keys`; write-ahead files and hidden temporary files are not objects."""
        base = self.root / prefix.rpartition("/")[0]
        found = (p.relative_to(self.root) for p in base.rglob("*") if p.is_file() or p.is_symlink())
        names = (p.as_posix() for p in found if not p.name.startswith("."))
        return sorted(n for n in names if n.startswith(prefix) and not n.startswith("wal/"))


def _same(one: Path, other: Path) -> bool:
    with open_plain(one) as first, open_plain(other) as second:
        while piece := first.read(_PIECE):
            if piece != second.read(_PIECE):
                return False
        return not second.read(1)
