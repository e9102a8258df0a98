"""Remembered checkpoints: what catches a log that was cut, rolled back or forked as a whole.

Nothing inside a store can show that the whole store was replaced by an older copy. So every clean
verification appends the signed checkpoint it ended at to a file *beside* the store, one JSON line
each, and later ones compare. The file is only ever appended to; a line that can not be read is
remarked on and passed over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from logstore.disk import Disk, durable
from logstore.errors import AirconError, FormatError
from logstore.formats.checkpoint import peek_checkpoint
from logstore.formats.policy import Policy
from logstore.keys.heads import RememberedHead

MAX_LINE = 1_100_000
"""Longest line of remembered checkpoints in bytes; a longer one can not be read."""


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint the log is held to.

    Attributes:
        origin: its log.
        size: records.
        root: root hash.
        known_from: who remembers it, in words.
        file: the file that states it, when that is one of the store.
    """

    origin: str
    size: int
    root: bytes
    known_from: str
    file: str = ""


def head_of(note: bytes, known_from: str, file: str = "") -> Head:
    """A signed checkpoint as a head; its signature is the caller's business.

    Raises:
        FormatError: not a signed checkpoint.
    """
    checkpoint = peek_checkpoint(note)
    return Head(checkpoint.origin, checkpoint.size, checkpoint.root, known_from, file)


def key_store_head(path: Path, policy: Policy) -> Head | None:
    """The newest checkpoint that a key store has seen its log sign; needs no passphrase.

    Args:
        path: the key store's directory.
        policy: whom to trust; a checkpoint of others says nothing.
    """
    remembered = RememberedHead(path / "head", Disk()).read()
    if remembered is None:
        return None
    try:
        head = Policy(policy.logs).check(remembered[1])
    except AirconError:
        return None
    return Head(head.origin, head.size, head.root, "the key store")


class SeenFile:
    """Checkpoints that earlier verifications accepted.

    Attributes:
        heads: what could be read, oldest first.
        unreadable: numbers of lines that could not be read, from 1.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.heads: list[Head] = []
        self.unreadable: list[int] = []
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, 1):
            if line:
                self._take(number, line)

    def _take(self, number: int, line: bytes) -> None:
        try:
            note = json.loads(line[:MAX_LINE])["note"].encode()
            self.heads.append(head_of(note, "an earlier verification"))
        except (FormatError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.unreadable.append(number)

    def newest(self, origin: str) -> Head | None:
        """The largest remembered checkpoint of a log."""
        return max(self.of(origin), key=lambda head: head.size, default=None)

    def of(self, origin: str) -> Iterable[Head]:
        """Every remembered checkpoint of a log."""
        return [head for head in self.heads if head.origin == origin]

    def add(self, note: bytes, accepted_us: int) -> None:
        """Remember a checkpoint, unless one as large is remembered already.

        Raises:
            NotDurable: it could not be written.
        """
        head = head_of(note, "this verification")
        newest = self.newest(head.origin)
        if newest is not None and newest.size >= head.size:
            return
        line = json.dumps({"accepted_us": accepted_us, "note": note.decode()}).encode() + b"\n"
        disk = Disk()
        with durable(f"remember a checkpoint in {self._path.name}"):
            fresh = not self._path.exists()
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                end = os.fstat(fd).st_size
                whole = end == 0 or os.pread(fd, 1, end - 1) == b"\n"
                disk.write_all(fd, line if whole else b"\n" + line, end)
                disk.sys_fsync(fd)
            finally:
                os.close(fd)
            if fresh:
                disk.sys_fsync_dir(self._path.absolute().parent)
        self.heads.append(head)
