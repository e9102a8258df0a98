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

    def write(self, size: int, note: bytes) -> None:
        """Remember a checkpoint of a log of `size` records."""
        if len(note) > _SLOT - _HEAD.size:
            return
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        slot = _HEAD.pack(size, len(note), xxhash.xxh3_64_intdigest(note, seed=size)) + note
        self._disk.write_all(self._fd, slot, (size % 2) * _SLOT)

    def read(self) -> tuple[int, bytes] | None:
        """The newest remembered (size, signed checkpoint), or None."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        slots = [slot for at in (0, _SLOT) if (slot := _parse(data[at : at + _SLOT])) is not None]
        return max(slots, default=None)

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
