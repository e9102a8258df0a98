"""The records of one process that are not sent yet: on disk, encrypted, in order.

Rules of this file:

1. `add` gives a record to the kernel before it returns: the death of the process loses nothing. The
   sender flushes what waits (`sync`) when the endpoint is away, so a power cut loses seconds.
2. Nothing is sent twice unless a crash came between sending and noting it, and nothing is passed
   over: what can not be read is put aside under another name, counted and reported.
3. A full spool takes nothing more: the oldest records are kept, those that come are dropped and
   counted. Their numbers are missing in their source, which `aircon verify` shows.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path

from logstore.capture.sending.endpoint import Parcel
from logstore.capture.sending.lanes import take_lane
from logstore.capture.sending.spoolfile import HEADER, SpoolReader, SpoolWriter, Waiting

FILE_BYTES = 4 * 2**20
"""Size after which a new file is begun."""

MAX_PARCEL = 256
"""Most records in one request."""

MAX_PARCEL_BYTES = 2**20
"""Bytes of evidence after which a request is full."""

ASIDE = ".aside"
"""Ending of a file that could not be read: it is kept for whoever can."""

_WORTH_ENDING = 256 * 1024
_log = logging.getLogger("aircon.capture")


class Spool:
    """The waiting records of one process. Thread-safe; one thread sends.

    Args:
        directory: shared with other processes.
        key: 32 bytes.
        most: most bytes of all files of this process together.

    Attributes:
        dropped: records refused because the spool was full or its disk failed.
        damaged: files put aside because they could not be read to their end.

    Raises:
        UsageError: the directory can not be used.
    """

    def __init__(self, directory: Path, key: bytes, most: int) -> None:
        self._key = key
        self._most = most
        self._lane = take_lane(directory)
        self._lock = threading.Lock()
        self._files = self._lane.files()
        self._used = sum(path.stat().st_size for path in self._files)
        self._writer: SpoolWriter | None = None
        self._reader: SpoolReader | None = None
        self._parcel: Parcel | None = None
        self._mark = (0, 0)
        self._single = 0
        self._closed = False
        self.dropped = 0
        self.damaged = 0

    @property
    def used(self) -> int:
        """Bytes on disk."""
        return self._used

    def add(self, waiting: Waiting) -> bool:
        """Let a record wait; False when it was dropped."""
        with self._lock:
            if self._closed:
                return self._drop("the client is closed")
            if self._used + len(waiting.raw) + HEADER + 128 > self._most:
                return self._drop(f"the spool is full ({self._used:,} bytes)")
            try:
                writer = self._writer or self._begin()
                self._used += writer.add(waiting)
            except OSError as error:
                self._end_file()
                return self._drop(f"the spool can not be written ({error.strerror or error})")
            if writer.size >= FILE_BYTES:
                self._end_file()
            return True

    def head(self) -> Parcel | None:
        """The oldest records that one request may carry, None when nothing waits.

        The same ones, until they are `done`: a request that is repeated must be the same request.
        """
        with self._lock:
            while self._parcel is None and self._files:
                reader = self._reader or self._open(self._files[0])
                self._parcel = None if reader is None else self._gather(reader)
                if self._parcel is None and reader is not None and not self._retire(reader):
                    break
            return self._parcel

    def done(self) -> None:
        """The records of the last `head` need not be sent again."""
        with self._lock:
            reader = self._reader
            if self._parcel is None or reader is None:
                return
            self._parcel = None
            self._single = max(0, self._single - 1)
            with contextlib.suppress(OSError):  # then they are sent once more after a restart
                reader.acknowledge(reader.ordinal)

    def part(self) -> None:
        """Give the records of the last `head` one by one, as they are not taken together."""
        with self._lock:
            if self._parcel is not None and self._reader is not None:
                self._single = len(self._parcel.records)
                self._reader.reset(self._mark)
                self._parcel = None

    def sync(self) -> None:
        """Flush what waits to the disk."""
        with self._lock:
            if self._writer is not None:
                try:
                    self._writer.sync()
                except OSError as error:
                    self._end_file()
                    _log.warning("the spool may lose records in a power cut: %s", error.strerror)

    def close(self) -> None:
        """Let another process have what is left."""
        with self._lock:
            self._closed = True
            self._end_file()
            if self._parcel is None and self._reader is not None:
                self._parcel = self._gather(self._reader)
                if self._parcel is None:
                    self._retire(self._reader)
            if self._reader is not None:
                self._reader.close()
            self._lane.release()

    def abandon(self) -> None:
        """In a forked child: the files and the lock are the parent's."""
        if self._writer is not None:
            self._writer.close()
        if self._reader is not None:
            self._reader.close()
        self._lane.release()

    def _begin(self) -> SpoolWriter:
        writer = SpoolWriter(self._lane.next_name(), self._key)
        self._writer = writer
        self._files.append(writer.path)
        self._used += writer.size
        return writer

    def _gather(self, reader: SpoolReader) -> Parcel | None:
        """The next records of a file that one request may carry."""
        self._mark = reader.mark()
        most = 1 if self._single else MAX_PARCEL
        records: list[Waiting] = []
        size = 0
        while len(records) < most and size < MAX_PARCEL_BYTES:
            before = reader.mark()
            waiting = reader.next()
            if waiting is None:
                break
            if records and not _follows(records, waiting, size):
                reader.reset(before)
                break
            records.append(waiting)
            size += len(waiting.raw)
        if not records:
            return None
        first = records[0]
        return Parcel(first.source, first.sequence, tuple(each.raw for each in records))

    def _open(self, path: Path) -> SpoolReader | None:
        """A reader of the oldest file; None, and the file aside, where there can be none."""
        try:
            self._reader = SpoolReader(path, self._key)
        except (OSError, ValueError):
            if self._writer is not None and self._writer.path == path:
                self._end_file()
            self._put_away(path, aside=_size(path) >= HEADER)
            return None
        return self._reader

    def _retire(self, reader: SpoolReader) -> bool:
        """Put the oldest file away at its end; False where it may still grow."""
        if self._writer is not None and self._writer.path == reader.path:
            if self._writer.size < _WORTH_ENDING and not reader.damaged:
                return False
            self._end_file()
        reader.close()
        self._reader = None
        self._put_away(reader.path, aside=reader.damaged)
        return True

    def _put_away(self, path: Path, *, aside: bool) -> None:
        self._used -= _size(path)
        self._files.remove(path)
        with contextlib.suppress(OSError):
            if not aside:
                path.unlink()
                return
            path.rename(path.with_suffix(ASIDE))
        self.damaged += 1
        _log.error("a file of the spool can not be read and was put aside: %s", path)

    def _end_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _drop(self, why: str) -> bool:
        if self.dropped == 0 or (self.dropped & (self.dropped + 1)) == 0:  # 1, 2, 4, 8 ...
            _log.warning("records of calls to models are dropped: %s", why)
        self.dropped += 1
        return False


def _follows(records: list[Waiting], waiting: Waiting, size: int) -> bool:
    last = records[-1]
    return (
        waiting.source == last.source
        and waiting.sequence == last.sequence + 1
        and size + len(waiting.raw) <= MAX_PARCEL_BYTES
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
