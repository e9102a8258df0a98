"""The write-ahead log: one file per unsealed segment, appended frame by frame.

The first frame is a header naming the origin and the first record; every other frame is one group
commit. A file is only ever appended to, cut back once to its last whole frame after a crash, and
removed after its segment is sealed and published.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logstore.disk import Disk, durable, open_plain, read_plain
from logstore.errors import FormatError, NotDurable, TamperingFound
from logstore.formats import frame
from logstore.formats.group import Group
from logstore.formats.group import parse as parse_group
from logstore.storage.layout import wal_name


class WalWriter:
    """Appends frames to one file; not thread-safe, its owner serialises.

    Attributes:
        first: index of the file's first record.
        path: the file.
        offset: where the next frame goes.
    """

    def __init__(self, path: Path, first: int, offset: int, disk: Disk) -> None:
        self.path = path
        self.first = first
        self.offset = offset
        self._disk = disk
        self._fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)

    @classmethod
    def create(cls, directory: Path, origin: str, first: int, disk: Disk) -> WalWriter:
        """Start the file for records from `first` on."""
        path = directory / wal_name(first)
        header = json.dumps({"format": "aircon-wal/1", "origin": origin, "first": first}).encode()
        data = frame.encode(frame.WAL_HEADER, header)
        disk.create(path, data, mode=0o600)
        return cls(path, first, len(data), disk)

    def append(self, data: bytearray) -> None:
        """Write one group frame and flush it.

        Args:
            data: the group's payload behind `frame.HEADER.size` free bytes, which are filled in.

        Raises:
            NotDurable: it is not on disk; the writer must not be used again.
        """
        frame.finish(frame.WAL_GROUP, data)
        try:
            with durable("append to the write-ahead log"):
                self._disk.write_all(self._fd, memoryview(data), self.offset)
                self._disk.sys_fdatasync(self._fd)
        except NotDurable:
            # After a failed flush the page cache may show a group that the disk does not have:
            # whoever opens the log next would build on it.
            with contextlib.suppress(OSError):
                self._disk.sys_truncate(self._fd, self.offset)
            raise
        self.offset += len(data)

    def size_on_disk(self) -> int:
        """Bytes in the file now, whoever wrote them."""
        return os.fstat(self._fd).st_size

    def cut(self, offset: int) -> None:
        """Cut a torn tail and flush."""
        with durable("cut a torn write-ahead log"):
            self._disk.sys_truncate(self._fd, offset)
            self._disk.sys_fsync(self._fd)
        self.offset = offset

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@dataclass(frozen=True, slots=True)
class WalContent:
    """What one write-ahead file holds.

    Attributes:
        first: index of its first record.
        groups: its whole group commits, in order, continuing each other.
        end: offset behind the last whole frame.
        torn: bytes behind it (a torn tail after a crash, or a write in flight).
    """

    first: int
    groups: list[Group]
    end: int
    torn: int

    @property
    def next_index(self) -> int:
        """Index behind the last record."""
        return self.groups[-1].end if self.groups else self.first


def read_wal(path: Path, origin: str) -> WalContent:
    """Read a write-ahead file.

    Raises:
        TamperingFound: damage in the middle, a foreign header, or groups that do not follow
            each other: none of these comes from a crash.
    """
    data = read_plain(path)
    head = frame.read(data)
    first = _first_of(head, origin, path)
    groups, end = _groups(data, head.end if head else 0, first, path)
    _refuse_damage(data, end, path)
    return WalContent(first, groups, end, len(data) - end)


def groups_of(path: Path, origin: str) -> Iterator[Group]:
    """The whole groups of a write-ahead file as it is now; each is read when it is asked for.

    Raises:
        TamperingFound: as `read_wal`; damage in the middle only once it is reached.
    """
    with open_plain(path) as file:
        fd = file.fileno()
        size = os.fstat(fd).st_size
        head = _frame_at(fd, 0, size)
        first = _first_of(head, origin, path)
        at, index = head.end if head else 0, first
        while (item := _frame_at(fd, at, size)) is not None:
            group = _due(item, index, path)
            yield group
            at, index = at + item.end, group.end
        _refuse_damage(os.pread(fd, size - at, at), 0, path, at)


def _frame_at(fd: int, at: int, size: int) -> frame.Frame | None:
    """The whole frame at an offset of a file of that size; its own offsets start at 0."""
    length = frame.length(os.pread(fd, frame.HEADER.size, at))
    if length is None or at + length > size:
        return None
    return frame.read(os.pread(fd, length, at))


def groups_from(
    path: Path, offset: int, index: int, *, whole: bool = False
) -> tuple[list[Group], int]:
    """Whole groups that another process appended behind an offset; (groups, new offset).

    Args:
        path: the file.
        offset: where the first of them starts.
        index: the record it starts with.
        whole: nobody is writing now, so damage before whole frames is not a write in flight.

    Raises:
        TamperingFound: groups that do not follow each other, or damage in the middle.
    """
    with open_plain(path) as file:
        file.seek(offset)
        data = file.read()
    groups, end = _groups(data, 0, index, path)
    if whole:
        _refuse_damage(data, end, path, offset)
    return groups, offset + end


def _refuse_damage(data: bytes, end: int, path: Path, base: int = 0) -> None:
    resumed = frame.resumes_after(data, end)
    if resumed is not None:
        raise TamperingFound(
            f"{path.name} is damaged at byte {base + end}"
            f" with whole frames from byte {base + resumed} on",
            kept="A crash tears only the end of a file, so nothing was cut.",
            todo="Keep a copy of the store, then run `aircon verify`.",
        )


def wal_files(directory: Path) -> list[Path]:
    """Write-ahead files in record order; empty where there is no such folder."""
    try:
        names = [name for name in os.listdir(directory) if name.endswith(".wal")]  # noqa: PTH208 - before each lone append: a tenth of a glob
    except FileNotFoundError:
        return []
    return [directory / name for name in sorted(names) if name[0].isdigit()]


def _groups(data: bytes, offset: int, index: int, path: Path) -> tuple[list[Group], int]:
    groups = []
    for item in _frames(data, offset):
        group = _due(item, index, path)
        groups.append(group)
        index = group.end
        offset = item.end
    return groups, offset


def _due(item: frame.Frame, index: int, path: Path) -> Group:
    group = parse_group(item.payload)
    if item.type != frame.WAL_GROUP or group.first != index:
        raise TamperingFound(
            f"{path.name} holds a group from record {group.first} where {index} is due"
        )
    return group


def _frames(data: bytes, offset: int) -> Iterator[frame.Frame]:
    try:
        yield from frame.scan(data, offset)
    except FormatError as error:
        raise TamperingFound(f"write-ahead log: {error}") from None


def _first_of(head: frame.Frame | None, origin: str, path: Path) -> int:
    """Index of the first record, as a file's header says."""
    if head is None or head.type != frame.WAL_HEADER:
        raise TamperingFound(f"{path.name} does not start with a write-ahead header")
    try:
        fields = json.loads(bytes(head.payload))
        first = int(fields["first"])
    except (ValueError, KeyError, TypeError):
        raise TamperingFound(f"{path.name} has an unreadable write-ahead header") from None
    if fields.get("origin") != origin or path.name != wal_name(first):
        raise TamperingFound(f"{path.name} belongs to another log or another place in it")
    return first


__all__ = [
    "NotDurable", "WalContent", "WalWriter", "groups_from", "groups_of", "read_wal", "wal_files",
]  # fmt: skip
