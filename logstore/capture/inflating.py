"""A source's bytes, inflated when they are gzip or zstd, without ever trusting their size.

Compression is told by its magic bytes. A stream that inflates to more than `FREE` bytes at more
than `MAX_RATIO` times its own size is a bomb and ends in `FormatError`, as does a corrupt one;
what came before is delivered. Memory is one chunk, whatever the input says.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO

from logstore.errors import FormatError

MAX_RATIO = 250
"""Most inflated bytes per compressed byte, beyond the first `FREE`."""

FREE = 64 * 2**20
"""Bytes that may be inflated before the ratio counts."""

CHUNK = 256 * 1024
"""Bytes read at a time."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


def compression_of(head: bytes) -> str | None:
    """``gzip``, ``zstd`` or None, by the first four bytes."""
    if head.startswith(_GZIP):
        return "gzip"
    return "zstd" if head.startswith(_ZSTD) else None


def inflated(source: BinaryIO, *, limit: int | None = None) -> tuple[io.BufferedReader, str | None]:
    """(a buffered reader of the plain bytes, the compression).

    Args:
        source: any readable; it is not closed.
        limit: read at most this many bytes of the source.

    The reader's `read` raises `FormatError` for a bomb or corrupt data.
    """
    counted = _Counted(source, limit)
    head = counted.peek(4)
    kind = compression_of(head)
    raw: io.RawIOBase
    if kind == "gzip":
        raw = _Gzip(counted)
    elif kind == "zstd":
        raw = _Zstd(counted)
    else:
        raw = counted
    return io.BufferedReader(raw, CHUNK), kind


class _Counted(io.RawIOBase):
    """The source's own bytes, counted and cut at a limit; every read is as full as it can be."""

    def __init__(self, source: BinaryIO, limit: int | None) -> None:
        self._source = source
        self._left = limit
        self._ahead = b""
        self.taken = 0

    def readable(self) -> bool:
        return True

    def take(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end."""
        pieces = [self._ahead[:size]]
        self._ahead = self._ahead[size:]
        wanted = size - len(pieces[0])
        while wanted > 0 and self._left != 0:
            piece = self._source.read(wanted if self._left is None else min(wanted, self._left))
            if not piece:
                break
            if self._left is not None:
                self._left -= len(piece)
            pieces.append(piece)
            wanted -= len(piece)
        data = b"".join(pieces)
        self.taken += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """The next bytes, left where they are."""
        data = self.take(size)
        self.taken -= len(data)
        self._ahead = data + self._ahead
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.take(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Guarded(io.RawIOBase):
    """Inflating with the bomb check; subclasses inflate."""

    def __init__(self, counted: _Counted) -> None:
        self._counted = counted
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inflate(len(buffer))
        self._given += len(data)
        if self._given > FREE and self._given > MAX_RATIO * self._counted.taken:
            raise FormatError("decompression-bomb")
        buffer[: len(data)] = data
        return len(data)

    def _inflate(self, size: int) -> bytes:
        raise NotImplementedError


class _Gzip(_Guarded):
    """Members of a gzip file one after the other (RFC 1952)."""

    def __init__(self, counted: _Counted) -> None:
        super().__init__(counted)
        self._member = zlib.decompressobj(31)
        self._pending = b""

    def _inflate(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                self._pending = self._member.unused_data or self._counted.take(CHUNK)
                if not self._pending.strip(b"\0"):
                    return b""
                self._member = zlib.decompressobj(31)
            elif not self._pending:
                self._pending = self._counted.take(CHUNK)
                if not self._pending:
                    raise FormatError("compression-cut-short")
            try:
                data = self._member.decompress(self._pending, size)
            except zlib.error:
                raise FormatError("corrupt-compression") from None
            self._pending = self._member.unconsumed_tail
            if data:
                return data


class _Zstd(_Guarded):
    """A zstd file, inflated by Arrow."""

    def __init__(self, counted: _Counted) -> None:
        super().__init__(counted)
        import pyarrow as pa

        self._errors: tuple[type[BaseException], ...] = (OSError, pa.ArrowException)
        self._stream = pa.CompressedInputStream(pa.PythonFile(counted, mode="r"), "zstd")

    def _inflate(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except self._errors:
            raise FormatError("corrupt-compression") from None
