"""One file of a spool: records that wait to be sent, encrypted, in order.

    header   8 bytes, AIRSPL1 and a line feed || salt 32 || acknowledged frames, u64
    frame    length u32 || AES-256-GCM ciphertext of MessagePack [source, number, evidence]

Rules of this file:

1. A file has its own key, HMAC-SHA256(spool key, label || salt), and the ordinal of a frame is its
   nonce: no nonce is used twice, because a file is written by one `SpoolWriter` from its
   beginning and never appended to again. After an error of the disk a new file is begun.
2. A torn last frame, or zeros (a crash, a power cut), are cut off by whoever reads. A frame that
   does not open elsewhere ends the file as damaged; what follows it can not be read.
3. How many frames were acknowledged stands in the header and is no secret; where it is lost, frames
   are sent again, not forgotten.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"AIRSPL1\n"
"""First bytes of every file."""

HEADER = 48
"""Length of the header in bytes."""

_SALT = 32
_LABEL = b"aircon/spool/file/v1"
_MAX_FRAME = 64 * 2**20


class Waiting(msgspec.Struct, array_like=True, frozen=True):
    """A record that waits: the client instance it is from, its number there, its evidence."""

    source: str
    sequence: int
    raw: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Waiting).decode


class SpoolWriter:
    """Begins a file and adds frames to it; not thread-safe.

    Attributes:
        path: the file.
        size: its length in bytes.

    Raises:
        OSError: it can not be created.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        salt = os.urandom(_SALT)
        self.path = path
        self._seal = AESGCM(_file_key(key, salt)).encrypt
        self._frames = 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self.size = 0
        try:
            self._write(MAGIC + salt + bytes(8))
        except OSError:
            self.close()
            path.unlink()
            raise

    def add(self, waiting: Waiting) -> int:
        """Add a frame; gives its length. The kernel has it now, the disk after `sync`.

        Raises:
            OSError: it was not added, and this file must not be added to again.
        """
        sealed = self._seal(self._frames.to_bytes(12, "big"), _encode(waiting), MAGIC)
        frame = len(sealed).to_bytes(4, "big") + sealed
        self._write(frame)
        self._frames += 1
        return len(frame)

    def sync(self) -> None:
        """Flush what was added to the disk.

        Raises:
            OSError: nobody knows what of it is there.
        """
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        if written != len(data):
            os.ftruncate(self._fd, self.size)
            raise OSError("the disk took only a part of a frame")
        self.size += written


class SpoolReader:
    """Reads the frames of a file that are not acknowledged yet; the file may still be written.

    Attributes:
        path: the file.
        damaged: a frame in its middle does not open; the rest can not be read.

    Raises:
        OSError: it can not be opened.
        ValueError: it is no spool file.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self.damaged = False
        self._fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        header = os.pread(self._fd, HEADER, 0)
        if len(header) < HEADER or header[:8] != MAGIC:
            self.close()
            raise ValueError("no spool file")
        self._open = AESGCM(_file_key(key, header[8 : 8 + _SALT])).decrypt
        self._ordinal = 0
        self._at = HEADER
        self._skip(int.from_bytes(header[40:48], "big"))

    @property
    def ordinal(self) -> int:
        """How many frames lie before the next one."""
        return self._ordinal

    def next(self) -> Waiting | None:
        """The next frame; None at the end of what is written, or where the file is damaged."""
        try:
            sealed = self._sealed()
        except OSError:  # the disk does not give it back
            self.damaged, sealed = True, None
        if sealed is None:
            return None
        try:
            plain = self._open(self._ordinal.to_bytes(12, "big"), sealed, MAGIC)
            waiting = _decode(plain)
        except (InvalidTag, msgspec.MsgspecError):
            self.damaged = self._at + 4 + len(sealed) < os.fstat(self._fd).st_size
            return None
        self._ordinal += 1
        self._at += 4 + len(sealed)
        return waiting

    def mark(self) -> tuple[int, int]:
        """The place of the next frame, for `reset`."""
        return self._ordinal, self._at

    def reset(self, mark: tuple[int, int]) -> None:
        """Go back to a place."""
        self._ordinal, self._at = mark

    def acknowledge(self, frames: int) -> None:
        """Note that the first `frames` frames need not be sent again.

        Raises:
            OSError: the note was not made; they may be sent again after a restart.
        """
        os.pwrite(self._fd, frames.to_bytes(8, "big"), HEADER - 8)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _sealed(self) -> bytes | None:
        head = os.pread(self._fd, 4, self._at)
        length = int.from_bytes(head, "big")
        if len(head) < 4 or length == 0 or self.damaged:
            return None
        if length > _MAX_FRAME:
            self.damaged = True
            return None
        sealed = os.pread(self._fd, length, self._at + 4)
        return sealed if len(sealed) == length else None

    def _skip(self, frames: int) -> None:
        """Pass over acknowledged frames; a count that can not be right begins anew."""
        at, ordinal = self._at, 0
        size = os.fstat(self._fd).st_size
        while ordinal < frames and at + 4 <= size:
            at += 4 + int.from_bytes(os.pread(self._fd, 4, at), "big")
            ordinal += 1
        if ordinal == frames and at <= size:
            self._at, self._ordinal = at, ordinal


def _file_key(key: bytes, salt: bytes) -> bytes:
    return hmac.digest(key, _LABEL + salt, "sha256")
