"""Files beside a log that belong to it: Bedrock body objects, and the other half of a batch.

Only the log's own folder (and its ``data`` folder, where Bedrock puts bodies) is looked into. A
name from the log is never used as a path: only its last component, and what it names must be a
regular file that really lies in that folder, no link.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from logstore.capture.inflating import inflated
from logstore.capture.sniff import format_of
from logstore.errors import FormatError

MAX_BODY = 32 * 2**20
"""Largest body object in bytes, inflated."""

MAX_BATCH = 200_000
"""Most batch lines indexed beside a file (OpenAI allows 50,000 per batch)."""

MAX_SIBLINGS = 256
"""Most files of a folder looked at for the other half of a batch."""


class _Line(msgspec.Struct):
    custom_id: str


_line = msgspec.json.Decoder(_Line).decode


class Folder:
    """The folder of one log file.

    Attributes:
        used: body objects that were read, resolved.
    """

    def __init__(self, log: Path) -> None:
        self._log = log.resolve()
        self._folder = self._log.parent
        self._asked: dict[bytes, tuple[Path, int, int]] | None = None
        self._answered: set[bytes] = set()
        self._open: tuple[Path, BinaryIO] | None = None
        self.used: set[Path] = set()

    def body(self, reference: str) -> bytes | None:
        """The JSON of a body object named by an S3 path; None when it is not beside the log.

        An object that is no JSON is given as a JSON string of its base64.
        """
        name = reference.rsplit("/", 1)[-1]
        if not name or name in (".", "..") or "\\" in name or "\0" in name or len(name) > 255:
            return None
        for folder in (self._folder / "data", self._folder):
            path = folder / name
            if self._is_inside(path) and (body := _read_body(path)) is not None:
                self.used.add(path.resolve())
                return body
        return None

    def batch_request(self, output: bytes) -> bytes | None:
        """The input line that a batch output line answers, when its file is here."""
        key = _custom_id(output)
        place = None if key is None else self._index().get(key)
        if place is None:
            return None
        path, offset, length = place
        if self._open is None or self._open[0] != path:
            self.close()
            self._open = path, path.open("rb")
        stream = self._open[1]
        stream.seek(offset)
        return stream.read(length).rstrip()

    def is_answered(self, request: bytes) -> bool:
        """Whether a batch output file here holds the answer to a batch input line."""
        self._index()
        return _custom_id(request) in self._answered

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _is_inside(self, path: Path) -> bool:
        if path.is_symlink() or not path.is_file():
            return False
        return path.resolve().parent in (self._folder, self._folder / "data")

    def _index(self) -> dict[bytes, tuple[Path, int, int]]:
        """Where each batch request of the folder's files lies; built once."""
        if self._asked is None:
            self._asked = {}
            for path in sorted(self._folder.iterdir())[:MAX_SIBLINGS]:
                if path != self._log and self._is_inside(path):
                    self._index_file(path, self._asked)
        return self._asked

    def _index_file(self, path: Path, asked: dict[bytes, tuple[Path, int, int]]) -> None:
        kind: str | None = None
        for offset, line in _lines(path):
            if kind is None:
                kind = _batch_kind(line)
                if kind is None:
                    return
            key = _custom_id(line)
            if key is None or len(asked) + len(self._answered) >= MAX_BATCH:
                continue
            if kind == "batch.input":
                asked[key] = path, offset, len(line)
            else:
                self._answered.add(key)


def _batch_kind(line: bytes) -> str | None:
    try:
        kind = format_of(line)
    except ValueError:
        return None
    return kind if kind in ("batch.input", "batch.output") else None


def _custom_id(line: bytes) -> bytes | None:
    try:
        return hashlib.blake2b(_line(line).custom_id.encode(), digest_size=16).digest()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    offset = 0
    with path.open("rb") as stream:
        while line := stream.readline(MAX_BODY):
            yield offset, line
            offset += len(line)


def _read_body(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = inflated(file)[0].read(MAX_BODY + 1)
    except (OSError, FormatError):
        return None
    if len(data) > MAX_BODY:
        return None
    try:
        return bytes(msgspec.json.decode(data, type=msgspec.Raw))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return msgspec.json.encode(base64.b64encode(data).decode())
