"""What was imported already: an encrypted journal of files, known by content, never by name.

Rules of this file:

1. A file is known by its size and a keyed digest (HMAC-SHA256) of its bytes. A longer file that
   begins with a known one is that file, grown.
2. `begin` is on disk before the first record of a span is handed to the log, `end` after the last
   one is durable. A span that began and did not end is resumed after the last sequence number
   that the log holds for its source.
3. Frames are append-only: u32 length || nonce12 || AES-256-GCM(JSON), bound to their ordinal. A
   torn last frame is cut off; a frame that does not open anywhere else is reported, not skipped.

The journal is not evidence: without it nothing is lost, files would only be imported again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

import msgspec

from logstore.errors import KeyUnavailable, NotDurable, TamperingFound

if TYPE_CHECKING:
    from logstore.capture.linking import Sighting

MAX_FRAME = 64 * 1024
"""Longest frame in bytes."""

HEAD = 4096
"""Bytes by whose digest a file's possible earlier self is looked up."""

_NAME = "imports.journal"
_CHUNK = 1024 * 1024


class Mark(msgspec.Struct, frozen=True):
    """A span of a source file.

    Attributes:
        event: ``begin`` or ``end``.
        token: name of the source in records, ``import/<12 hex>``.
        size: bytes of the file up to which the span reaches.
        digest: keyed digest of these bytes, hex.
        head: keyed digest of the first `HEAD` of them, or of all, hex.
        offset: where the span starts (``begin``), or where a grown file goes on (``end``).
        line: lines before that offset.
        seq: first sequence number of the span (``begin``), or the next one (``end``).
    """

    event: Literal["begin", "end"]
    token: str
    size: int
    digest: str
    head: str
    offset: int
    line: int
    seq: int


@dataclass(slots=True)
class _Known:
    ended: list[Mark] = field(default_factory=list)
    begun: Mark | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a file.

    Attributes:
        known: its content was imported whole.
        resume: a span that was interrupted, to be done again and deduplicated by sequence number.
        start: the `begin` mark of what is new in it, without a span to resume before; None when
            nothing is new or a span must be resumed first.
    """

    known: bool = False
    resume: Mark | None = None
    start: Mark | None = None


class Held(Protocol):
    """What a log holds of the sources of imports; `logstore.capture.recalling` asks a real one."""

    def last_seq(self, source: str) -> int | None:
        """The highest sequence number it holds for a source, None for none."""
        ...

    def places(self, source: str) -> Mapping[int, int]:
        """Where records of a source stand: indexes by sequence number."""
        ...

    def linked(self, source: str) -> Collection[int]:
        """Indexes of its records that links name already."""
        ...

    def earlier(self, source: str, before: int) -> Iterable[tuple[Sighting, int]]:
        """What the newest of its records below a sequence number told about people."""
        ...


class ImportState:
    """The journal of one store.

    Args:
        path: directory of the journal; created with mode 0700.
        key: 32 bytes, kept for this purpose.
        held: tells what the log holds already; None for a log that holds nothing of imports.

    Raises:
        KeyUnavailable: the journal was written with another key.
        TamperingFound: a frame before the last was changed.
    """

    def __init__(self, path: Path, key: bytes, held: Held | None = None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._held = held
        self._digest_key = hmac.digest(key, b"aircon/imports/digest/v1", "sha256")
        self._aead = AESGCM(hmac.digest(key, b"aircon/imports/frames/v1", "sha256"))
        self._known: dict[str, _Known] = {}
        self._tokens: dict[tuple[int, str], set[str]] = {}
        self._short: set[int] = set()  # sizes of known files shorter than a head
        self._long: dict[str, set[int]] = {}  # by head: sizes of the others
        self._frames = 0
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path / _NAME
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._load()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Close the journal."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def plan(self, file: BinaryIO, size: int) -> Plan:
        """Look a file up by its content; reads its first `size` bytes once, from the start.

        Raises:
            OSError: it cannot be read, or shrank meanwhile.
        """
        digests, head = self._digests(file, size)
        matching = [mark for found in digests.items() for mark in self._marks_at(found)]
        for mark in matching:
            if mark.event == "begin":
                return Plan(resume=mark)
        if any(mark.size == size for mark in matching):
            return Plan(known=True)
        grown = max(matching, key=lambda mark: mark.size, default=None)
        return Plan(start=self._begin(grown, size, digests[size], head))

    def fresh(self, file: BinaryIO, size: int) -> Mark:
        """A `begin` mark for the whole file, whether it is known or not."""
        digests, head = self._digests(file, size)
        return self._begin(None, size, digests[size], head)

    def durable(self, mark: Mark) -> int | None:
        """The last number of a span's source that the log holds; it is asked only when resuming."""
        if self._is_resumed(mark):
            return None if self._held is None else self._held.last_seq(mark.token)
        return mark.seq - 1 if mark.seq else None

    def places(self, mark: Mark) -> Mapping[int, int]:
        """Indexes by sequence number of what the log holds of a span that is resumed."""
        if self._held is None or not self._is_resumed(mark):
            return {}
        return self._held.places(mark.token)

    def linked(self, mark: Mark) -> Collection[int]:
        """Indexes of what links name already of the source of a span that is resumed."""
        if self._held is None or not self._is_resumed(mark):
            return ()
        return self._held.linked(mark.token)

    def earlier(self, mark: Mark) -> Iterable[tuple[Sighting, int]]:
        """What the newest records before a span told about people, where its file has grown."""
        if self._held is None or not mark.seq:
            return ()
        return self._held.earlier(mark.token, mark.seq)

    def _is_resumed(self, mark: Mark) -> bool:
        known = self._known.get(mark.token)
        return known is not None and known.begun == mark

    def begin(self, mark: Mark) -> None:
        """Journal that a span begins; on disk when this returns."""
        self._append(mark)

    def end(self, begun: Mark, *, offset: int, line: int, seq: int) -> None:
        """Journal that a span is whole and durable; on disk when this returns."""
        self._append(msgspec.structs.replace(begun, event="end", offset=offset, line=line, seq=seq))

    def _begin(self, grown: Mark | None, size: int, digest: str, head: str) -> Mark:
        offset, line = (0, 0) if grown is None else (grown.offset, grown.line)
        token, seq = f"import/{os.urandom(6).hex()}", 0
        if grown is not None and self._known[grown.token].ended[-1] == grown:
            token, seq = grown.token, grown.seq
        return Mark("begin", token, size, digest, head, offset, line, seq)

    def _digests(self, file: BinaryIO, size: int) -> tuple[dict[int, str], str]:
        """(keyed digests of the file's beginnings, that of its head), in one pass.

        Beginnings are those as long as a file known before that has the same head, and the whole.
        """
        running = hmac.new(self._digest_key, digestmod=hashlib.sha256)
        found: dict[int, str] = {}
        head = ""
        at = 0
        sizes = {known for known in self._short if known <= size} | {min(HEAD, size)}
        file.seek(0)
        while sizes:
            wanted = min(sizes)
            sizes.remove(wanted)
            while at < wanted:
                data = file.read(min(_CHUNK, wanted - at))
                if not data:
                    raise OSError(f"it shrank to {at} bytes while it was read")
                running.update(data)
                at += len(data)
            found[wanted] = running.copy().hexdigest()
            if wanted == min(HEAD, size):
                head = found[wanted]
                longer = {*self._long.get(head, ()), size}
                sizes |= {known for known in longer if wanted < known <= size}
        return found, head

    def _marks_at(self, content: tuple[int, str]) -> list[Mark]:
        """Every mark that stands for exactly this content."""
        return [
            mark
            for token in sorted(self._tokens.get(content, ()))
            for mark in _marks(self._known[token])
            if (mark.size, mark.digest) == content
        ]

    def _load(self) -> None:
        size = os.fstat(self._fd).st_size
        at = 0
        with os.fdopen(os.dup(self._fd), "rb") as journal:
            journal.seek(0)
            while at < size:
                mark, length = self._read_frame(journal, size - at)
                if mark is None:  # a torn tail: the crash came before its fsync was done
                    os.ftruncate(self._fd, at)
                    os.fsync(self._fd)
                    return
                self._note(mark)
                self._frames += 1
                at += length

    def _read_frame(self, journal: BinaryIO, left: int) -> tuple[Mark | None, int]:
        from cryptography.exceptions import InvalidTag

        head = journal.read(4)
        length = int.from_bytes(head, "big")
        if len(head) < 4 or length > left - 4:
            return None, 0
        sealed = journal.read(length)
        try:
            bound = self._bound(self._frames)
            # A length no frame has cannot have been written here: let it fail as a forgery.
            cipher = sealed[12:] if 28 <= length <= MAX_FRAME else b""
            plain = self._aead.decrypt(sealed[:12].ljust(12), cipher, bound)
            return msgspec.json.decode(plain, type=Mark), 4 + length
        except (InvalidTag, msgspec.MsgspecError):
            if length == left - 4 and self._frames:
                return None, 0
            raise self._refusal() from None

    def _refusal(self) -> KeyUnavailable | TamperingFound:
        if self._frames == 0:
            return KeyUnavailable(
                f"{self._path} does not open with this key.",
                kept="No record is touched.",
                todo="Use the key store this journal belongs to, or move the journal away; files "
                "imported before would then be imported again.",
            )
        return TamperingFound(
            f"{self._path} was changed: frame {self._frames} does not open.",
            kept="No record is touched; the journal is not evidence.",
            todo="Move it away; files imported before would then be imported again.",
        )

    def _append(self, mark: Mark) -> None:
        nonce = os.urandom(12)
        sealed = nonce + self._aead.encrypt(
            nonce, msgspec.json.encode(mark), self._bound(self._frames)
        )
        frame = len(sealed).to_bytes(4, "big") + sealed
        before = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, frame)
            os.fsync(self._fd)
        except OSError as error:
            written, reason = 0, error.strerror
        else:
            reason = "short write"
        if written != len(frame):
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, before)
            self.close()  # nothing may follow half a frame
            raise NotDurable(
                f"The import journal cannot be written: {reason}.",
                kept="Records already acknowledged are safe.",
                todo="Make room or repair the disk, then run the same import again.",
            )
        self._frames += 1
        self._note(mark)

    def _note(self, mark: Mark) -> None:
        self._tokens.setdefault((mark.size, mark.digest), set()).add(mark.token)
        if mark.size < HEAD:
            self._short.add(mark.size)
        else:
            self._long.setdefault(mark.head, set()).add(mark.size)
        known = self._known.setdefault(mark.token, _Known())
        if mark.event == "begin":
            known.begun = mark
        else:
            known.begun = None
            known.ended.append(mark)

    @staticmethod
    def _bound(ordinal: int) -> bytes:
        return b"aircon/imports/v1\0" + ordinal.to_bytes(8, "big")


def _marks(known: _Known) -> list[Mark]:
    return known.ended if known.begun is None else [*known.ended, known.begun]
