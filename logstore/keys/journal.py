"""The journal of a key store: encrypted pages of one generation, appended and flushed.

Rules:

1. Pages are frames encrypted under the generation's KEK, bound to generation and offset: none can
   be moved, and none of an earlier generation opens.
2. A page that could not be flushed is cut off again; whoever appended it must open the file anew,
   since nothing flushed through the same descriptor can be trusted any more.
3. Only the very end may be torn, by a crash; damage with whole pages behind it is refused.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from logstore.disk import Disk, durable
from logstore.errors import TamperingFound
from logstore.formats import frame
from logstore.keys.entries import KeyEntry, Tombstone, open_page, seal_page

_PAGE = 4096  # entries

Item = KeyEntry | Tombstone


class Journal:
    """The open journal file of one generation.

    Args:
        path: the file.
        generation: generation of the KEK.
        kek: encrypts the pages.
        disk: how it is written.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: Path, generation: int, kek: bytes, disk: Disk) -> None:
        self._generation = generation
        self._kek = kek
        self._disk = disk
        self._offset = 0
        self._fd = _open(path)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def grown(self) -> bool:
        """Whether another process changed its length since it was last read or appended to."""
        return os.fstat(self._fd).st_size != self._offset

    def read(self, take: Callable[[Item], None]) -> None:
        """Take in the items of whole pages that were not read yet.

        Raises:
            TamperingFound: a page does not open, or is damaged with whole ones behind it.
        """
        base = self._offset
        data = os.pread(self._fd, os.fstat(self._fd).st_size - base, base)
        end = base
        for page in frame.scan(data):
            place = _place(self._generation, base + page.start)
            for item in open_page(self._kek, bytes(page.payload), place):
                take(item)
            end = base + page.end
        if frame.resumes_after(data, end - base) is not None:
            raise TamperingFound(
                f"the key journal is damaged at byte {end}, with whole pages behind it",
                todo="Restore the key store from a backup; the log itself is not affected.",
            )
        self._offset = end

    def append(self, page: Sequence[Item]) -> None:
        """Append one page and flush it.

        Raises:
            NotDurable: it is not on disk, and was cut off again; close this journal.
        """
        place = _place(self._generation, self._offset)
        data = frame.encode(frame.KEY_PAGE, seal_page(self._kek, [*page], os.urandom(12), place))
        try:
            with durable("store new keys"):
                if os.fstat(self._fd).st_size > self._offset:  # a torn page of a crash
                    self._disk.sys_truncate(self._fd, self._offset)
                end = self._disk.write_all(self._fd, data, self._offset)
                self._disk.sys_fdatasync(self._fd)
        except BaseException:
            with contextlib.suppress(OSError):  # a reopened journal must not take it for whole
                self._disk.sys_truncate(self._fd, self._offset)
            raise
        self._offset = end


def write_journal(
    path: Path, generation: int, kek: bytes, items: Sequence[Item], disk: Disk
) -> None:
    """Make the whole journal of a generation, replacing what a crash may have left."""
    data = b""
    for start in range(0, len(items), _PAGE):
        page = [*items[start : start + _PAGE]]
        place = _place(generation, len(data))
        data += frame.encode(frame.KEY_PAGE, seal_page(kek, page, os.urandom(12), place))
    disk.replace(path, data)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError:  # a reader on a read-only file system, or without permission to write
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _place(generation: int, offset: int) -> bytes:
    return b"aircon/keys/v1\0" + generation.to_bytes(8, "big") + offset.to_bytes(8, "big")
