"""The listing of what an import rejected: file, place and reason, and no content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import msgspec


class RejectsListing:
    """Lines about one source, each a JSON array, so that no file name can forge another line.

    Args:
        folder: where listings lie; made when there is something to list.
        source: the source in records.
        named: what its file is called.
    """

    def __init__(self, folder: Path, source: str, named: str) -> None:
        self._path = folder / f"{source.replace('/', '-')}.rejects"
        self._named = named
        self._file: BinaryIO | None = None

    def add(self, where: str, reason: str) -> Path:
        """List one piece; returns where the listing lies, readable by its owner only."""
        if self._file is None:
            self._file = self._opened()
        self._write(self._file, where, reason)
        return self._path

    def close(self) -> None:
        """Close it, if anything was listed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        file = os.fdopen(descriptor, "ab")
        if file.tell() == 0:
            self._write(file, "file", self._named)
        return file

    @staticmethod
    def _write(file: BinaryIO, *words: str) -> None:
        file.write(msgspec.json.encode(words) + b"\n")
