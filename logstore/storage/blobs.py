"""The seam to where immutable objects live: a directory here, S3 with Object Lock elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from logstore.disk import AlreadyThere, Disk, open_plain, read_plain, set_immutable
from logstore.errors import NotDurable, StoreAway, TamperingFound
from logstore.formats.pins import ObjectPin

MAX_READ = 256 * 2**20
"""Most bytes of an object that `Blobs.read` returns: a seal."""

_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Guard:
    """How an object is to be kept beside its retention.

    Attributes:
        held: under legal hold.
        until_us: locked at least until then, before a hold is lifted; microseconds since 1970 UTC.
        event_days: also under an event hold, with so many days to keep it from the release; 0 for
            none. Only where the server was found to keep such holds.
    """

    held: bool
    until_us: int = 0
    event_days: int = 0


class Blobs(Protocol):
    """A store of immutable, named objects.

    Promises: after `publish` returns, the object is durable under its name and, where the store
    has locks, locked; the staged file is gone. Publishing the same bytes again is not an error.
    """

    @property
    def away(self) -> StoreAway | None:
        """Why the store could not be listed the last time; None when it could."""
        ...

    @property
    def shared(self) -> bool:
        """Whether others may put things here: what proves nothing is then theirs, not a damage."""
        ...

    def publish(self, key: str, staged: Path, retain_until_us: int) -> str:
        """Make a flushed local file an object.

        Args:
            key: its name.
            staged: the file.
            retain_until_us: it is locked at least until then, microseconds since 1970 UTC.

        Returns:
            The version of the name that holds these bytes; empty where names have no versions.

        Raises:
            TamperingFound: the name is taken by other bytes, which can not be told from these.
            NotDurable: it could not be published; try again later.
            StoreAway: the store can not be reached or refuses; nothing is lost.
        """
        ...

    def publish_all(self, staged: Sequence[tuple[ObjectPin, Path]]) -> list[str]:
        """`publish` the objects of one segment, until their pins' retention; in any order."""
        ...

    def read(self, key: str) -> bytes:
        """All bytes of an object: of its first version, where names have versions.

        Raises:
            FileNotFoundError: there is no such object.
        """
        ...

    def expect(self, keys: Sequence[str]) -> None:
        """Bring together what `keys` gave and `read` is about to be asked for. Never fails."""
        ...

    def readings(self, key: str, most: int = MAX_READ) -> Iterator[bytes]:
        """What was ever put under a name, oldest first: whoever may write can add, not remove.

        Args:
            key: the name.
            most: bytes; what is larger is left out.
        """
        ...

    def path(self, pin: ObjectPin) -> Path:
        """Where a pinned object lies on this machine, if it does; says nothing of its bytes.

        Raises:
            TamperingFound: its name leads out of the store.
        """
        ...

    def fetch(self, pin: ObjectPin) -> Path:
        """`path`, brought here if need be.

        Raises:
            FileNotFoundError: the store does not have it.
            StoreAway: the store can not be reached or refuses.
        """
        ...

    def part(self, pin: ObjectPin) -> Callable[[int, int], bytes] | None:
        """What gives so many bytes of a pinned object from some place on; they prove nothing.

        None where the whole is to be read: it is here, or asking for parts is not worth it. The
        function raises what `fetch` does, FileNotFoundError also where only its version is gone,
        and FormatError where the store turns out to have no parts.
        """
        ...

    def renew(self, pin: ObjectPin) -> bool:
        """Drop a copy that is not the pinned bytes, so that `fetch` brings it anew; if it can."""
        ...

    def present(self, pin: ObjectPin) -> bool:
        """Whether there is anything under a pinned object's name."""
        ...

    def uncovered(self, pin: ObjectPin) -> bool:
        """Whether a pinned object's name alone leads to it, for readers who know no versions.

        Raises:
            StoreAway: the store can not be reached or refuses.
        """
        ...

    def still(self, pin: ObjectPin, descriptor: int) -> bool:
        """Whether an open file of this object is still the one under its name."""
        ...

    def version(self, pin: ObjectPin) -> str:
        """The version that holds a pinned object; empty where names have no versions.

        Raises:
            TamperingFound: none does.
        """
        ...

    def guard(self, pin: ObjectPin, how: Guard) -> None:
        """Place or lift an object's legal hold, where the store has such; repeats safely.

        Args:
            pin: the object.
            how: what is due from now on.

        Raises:
            TamperingFound: it is not there.
            StoreAway: the store can not be reached or refuses.
        """
        ...

    def remove(self, pin: ObjectPin) -> str:
        """Remove an object for good, here and there. Repeats safely.

        Returns:
            Why it is still there; empty when it is gone.

        Raises:
            StoreAway: the store can not be reached.
        """
        ...

    def sweep(self) -> None:
        """Remove what a crash left half-written on this machine; by the writer, when it opens."""
        ...

    def keys(self, prefix: str = "", *, max_age_s: float = 0) -> list[str]:
        """Names of all objects that start with a prefix, sorted.

        Args:
            prefix: what they start with.
            max_age_s: seconds for which an earlier answer may be given again.
        """
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

    @property
    def away(self) -> StoreAway | None:
        """See `Blobs.away`: a directory is here."""
        return None

    @property
    def shared(self) -> bool:
        """See `Blobs.shared`: whoever may write here may also remove."""
        return False

    def publish(self, key: str, staged: Path, retain_until_us: int) -> str:  # noqa: ARG002 - no locks
        """See `Blobs.publish`."""
        target = self._place(key)
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
        return ""

    def publish_all(self, staged: Sequence[tuple[ObjectPin, Path]]) -> list[str]:
        """See `Blobs.publish_all`."""
        return [self.publish(pin.key, path, pin.retain_until_us) for pin, path in staged]

    def read(self, key: str) -> bytes:
        """See `Blobs.read`.

        Raises:
            TamperingFound: it is no plain file, or larger than any object that is read whole.
        """
        return read_plain(self._place(key), MAX_READ)

    def expect(self, keys: Sequence[str]) -> None:
        """See `Blobs.expect`: they are here."""

    def readings(self, key: str, most: int = MAX_READ) -> Iterator[bytes]:
        """See `Blobs.readings`: a file has one version."""
        with contextlib.suppress(FileNotFoundError):
            data = self.read(key)
            if len(data) <= most:
                yield data

    def path(self, pin: ObjectPin) -> Path:
        """See `Blobs.path`."""
        return self._place(pin.key)

    def fetch(self, pin: ObjectPin) -> Path:
        """See `Blobs.fetch`: it is here, or nowhere."""
        return self._place(pin.key)

    def part(self, pin: ObjectPin) -> None:
        """See `Blobs.part`: it is here."""

    def renew(self, pin: ObjectPin) -> bool:  # noqa: ARG002 - there is no other copy
        """See `Blobs.renew`: what is here is all there is."""
        return False

    def present(self, pin: ObjectPin) -> bool:
        """See `Blobs.present`."""
        return os.path.lexists(self._place(pin.key))

    def uncovered(self, pin: ObjectPin) -> bool:
        """See `Blobs.uncovered`: a name has one file."""
        return self.present(pin)

    def still(self, pin: ObjectPin, descriptor: int) -> bool:
        """See `Blobs.still`."""
        try:
            found, held = self._place(pin.key).lstat(), os.fstat(descriptor)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def _place(self, key: str) -> Path:
        parts = key.split("/")
        if "\0" in key or not {"", ".", ".."}.isdisjoint(parts):
            raise TamperingFound(f"{key!r} is not the name of an object in a store")
        return self.root / key

    def version(self, pin: ObjectPin) -> str:  # noqa: ARG002 - files have none
        """See `Blobs.version`."""
        return ""

    def guard(self, pin: ObjectPin, how: Guard) -> None:
        """See `Blobs.guard`: a directory has no holds but those on the log."""

    def remove(self, pin: ObjectPin) -> str:
        """See `Blobs.remove`."""
        path = self._place(pin.key)
        with contextlib.suppress(OSError):  # then the removal says what is in its way
            set_immutable(path, on=False)
        try:
            self._disk.remove(path)
        except NotDurable as error:  # another owner's, or immutable
            return error.what
        return ""

    def sweep(self) -> None:
        """See `Blobs.sweep`: in the places where this store's log has ever been described."""
        self._disk.sweep(self.root)
        for folder in self.root.glob("log/log=*"):
            self._disk.sweep(folder)

    def keys(self, prefix: str = "", *, max_age_s: float = 0) -> list[str]:  # noqa: ARG002 - see above
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
