"""The remembered head: the newest checkpoint this key store has seen its log sign.

Two slots are written in turn, so a torn write leaves the older one. The file is not flushed on
every commit: after a power cut it may lag behind, never run ahead, because it is written only
after the log itself is on disk. A log that is *shorter* than its remembered head was cut.
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

import xxhash

from logstore.disk import Disk

_SLOT = 4096
_HEAD = struct.Struct("<QHQ")


class RememberedHead:
    """The two-slot file of the newest signed checkpoint."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._disk = disk
        self._path = path
        self._fd: int | None = None
        self._last: tuple[int, bytes] | None = None
        self._headers = [b"", b""]  # of the slots, as last written or read here

    def write(self, size: int, note: bytes) -> None:
        """Remember a checkpoint of a log of `size` records."""
        if len(note) > _SLOT - _HEAD.size:
            return
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        slot = _HEAD.pack(size, len(note), xxhash.xxh3_64_intdigest(note, seed=size)) + note
        self._disk.write_all(self._fd, slot, (size % 2) * _SLOT)
        self._last = (size, note)
        self._headers[size % 2] = slot[: _HEAD.size]

    def moved(self) -> tuple[int, bytes] | None:
        """The newest remembered (size, signed checkpoint) if it came from somebody else."""
        # Asked before every lone append: a header has the checksum of its slot's checkpoint.
        headers = self._headers if self._fd is None else self._read_headers(self._fd)
        if self._fd is not None and headers == self._headers:
            return None
        newest = self.read()
        if newest == self._last:
            self._headers = headers
            return None
        return newest

    def accept(self, newest: tuple[int, bytes] | None) -> None:
        """Somebody else's, once it was checked; `moved` is silent about it from then on."""
        self._last = newest
        if self._fd is not None:
            self._headers = self._read_headers(self._fd)

    def read(self) -> tuple[int, bytes] | None:
        """The newest remembered (size, signed checkpoint), or None."""
        try:
            data = self._path.read_bytes() if self._fd is None else os.pread(self._fd, 2 * _SLOT, 0)
        except FileNotFoundError:
            return None
        slots = [slot for at in (0, _SLOT) if (slot := _parse(data[at : at + _SLOT])) is not None]
        return max(slots, default=None)

    def _read_headers(self, fd: int) -> list[bytes]:
        return [os.pread(fd, _HEAD.size, at) for at in (0, _SLOT)]

    def close(self) -> None:
        """Flush and close the file; it may lag behind, so a disk that refuses does no harm."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._disk.sys_fsync(self._fd)
            os.close(self._fd)
            self._fd = None


def _parse(slot: bytes) -> tuple[int, bytes] | None:
    if len(slot) < _HEAD.size:
        return None
    size, length, checksum = _HEAD.unpack_from(slot)
    note = slot[_HEAD.size : _HEAD.size + length]
    if len(note) != length or xxhash.xxh3_64_intdigest(note, seed=size) != checksum:
        return None
    return size, note
