"""Importing files: every interaction exactly once, nothing lost silently, memory flat.

Rules of this file:

1. Everything a file yields takes the next sequence number of its source ``import/<12 hex>``: first
   an ``import.started`` record, then interactions and rejected pieces in order, last an
   ``import.finished`` record. A missing number is a missing record.
2. A file is remembered by content (`ImportState`). Imported again it adds nothing; grown, only
   what is new; interrupted, only what is not durable yet. Standard input is never remembered.
3. A rejected piece goes on the log too, encrypted, as ``import.rejected``; the listing of rejects
   names file, place and reason only. Content never touches the disk outside the log.
4. A file in which nothing is recognised is reported and leaves no record.
5. Who becomes known later in a file names earlier records of it too, with ``subject.linked``
   records (`linking`), which take no number. A resumed import looks up where the records that are
   durable already stand and which of them are named already: none is named twice. Of a file that
   grew, the newest records from before are read back (`recalling`).
6. Pieces may be decoded in worker processes (`decodepool`); nothing above depends on it.

A JSON array that grew is a new file to us, since its closing bracket moved: its interactions are
imported again. Append-only logs are lines.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from logstore.capture.beside import Folder
from logstore.capture.decodepool import Decoding
from logstore.capture.importreport import MAX_LISTED, FileReport, ImportReport, Refused
from logstore.capture.importstate import ImportState, Mark
from logstore.capture.inflating import compression_of, inflated
from logstore.capture.items import Bad, Item
from logstore.capture.linking import Linker, Sighting
from logstore.capture.records import to_rejected
from logstore.capture.rejectslisting import RejectsListing
from logstore.capture.sources import files_of
from logstore.capture.splitting import Position, split
from logstore.errors import AirconError
from logstore.formats import body as bodies
from logstore.formats.record import INTERACTION, LINKED, Receipt, Record, Refusal

_SAMPLE = 16  # pieces looked at before a file is held to be of no known format
_REPORT_EVERY = 512


class Log(Protocol):
    """What an import needs of a log."""

    def append_many(
        self, records: Iterable[Record], *, group: int = 1024
    ) -> Iterator[Receipt | Refusal]:
        """Take records lazily; give each outcome, in order, once it is durable."""
        ...


Progress = Callable[[int, int | None, int], None]
"""Called with (bytes read, bytes in all or None when unknown, records durable)."""


def import_files(
    log: Log,
    paths: Iterable[str | Path],
    *,
    state: ImportState,
    rejects_dir: Path,
    on_progress: Progress | None = None,
    again: bool = False,
) -> ImportReport:
    """Import files, directories and ``-`` (standard input).

    Args:
        log: where records go.
        paths: what to read; see `logstore.capture.sources.files_of`.
        state: what was imported before.
        rejects_dir: where listings of rejected pieces go (mode 0600, no content).
        on_progress: told now and then how far it is.
        again: import what is known once more, under a new source.

    Raises:
        NotFound: a path that was named does not exist.
        NotDurable: the log or the journal cannot be written; run the same import again later.
    """
    files = files_of(paths)
    run = _Run(log, state, rejects_dir, on_progress or _no_progress, again)
    run.total = None if None in files else sum(_size(path) for path in files if path is not None)
    with closing(run.decoding):
        report = ImportReport([run.stdin() if path is None else run.file(path) for path in files])
    for file in report.files:
        if file.status == "unrecognised" and Path(file.path).resolve() in run.bodies:
            file.status, file.refused = "body-object", []
            run.remember(Path(file.path))
    return report


def _no_progress(done: int, total: int | None, records: int) -> None:
    """Tell nobody."""


class _Run:
    """One call of `import_files`."""

    def __init__(
        self, log: Log, state: ImportState, rejects_dir: Path, on_progress: Progress, again: bool
    ) -> None:
        self.total: int | None = None
        self.bodies: set[Path] = set()
        self.decoding = Decoding()
        self.linker = Linker(_BY)
        self.linked_sources: set[str] = set()
        self._log = log
        self._state = state
        self._rejects_dir = rejects_dir
        self._on_progress = on_progress
        self._again = again
        self._done = 0
        self._records = 0

    def stdin(self) -> FileReport:
        report = FileReport("-")
        mark = Mark("begin", f"import/{os.urandom(6).hex()}", 0, "", "", 0, 0, 0)
        span = _Span(self, mark, report, None)
        span.run(sys.stdin.buffer, lambda: self._done)
        return report

    def file(self, path: Path) -> FileReport:
        report = FileReport(str(path))
        try:
            with path.open("rb", buffering=0) as file:
                self._file(path, file, report)
        except OSError as error:
            report.status, report.note = "unreadable", error.strerror or str(error)
        self._done += _size(path)
        self.progress(0)
        return report

    def _file(self, path: Path, file: BinaryIO, report: FileReport) -> None:
        before = os.fstat(file.fileno())
        size = before.st_size
        if size == 0:
            report.status = "empty"
        elif self._again:
            self._span(path, file, self._state.fresh(file, size), report)
        else:
            plan = self._state.plan(file, size)
            if plan.resume is not None:
                self._span(path, file, plan.resume, report)
                plan = self._state.plan(file, size)  # it may have grown since the interruption
            if plan.known and not report.source:
                report.status = "known"
            elif plan.start is not None:
                self._span(path, file, plan.start, report)
        after = os.fstat(file.fileno())
        if (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
            report.note = "It changed while it was read; import it again to take what is new."

    def remember(self, path: Path) -> None:
        """Note that a body object was taken with the log that names it, for the next import."""
        try:
            with path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                mark = self._state.fresh(file, size)
        except OSError:
            return  # it went away; an import that meets it again judges it anew
        self._state.begin(mark)
        self._state.end(mark, offset=size, line=0, seq=0)

    def _span(self, path: Path, file: BinaryIO, mark: Mark, report: FileReport) -> None:
        if mark.offset:
            file.seek(0)
            outer = compression_of(file.read(4))
            file.seek(mark.offset)
            if outer is not None and compression_of(file.read(4)) is None:
                report.status = "unreadable"
                report.note = "It grew inside one compressed stream; import it whole with again."
                return
        file.seek(mark.offset)
        folder = Folder(path)
        try:
            _Span(self, mark, report, folder).run(file, lambda: self._done + file.tell())
        finally:
            folder.close()
            self.bodies |= folder.used

    def expect(self, size: int | None) -> None:
        """Tell the decoding how much there is to do: of a span, or of all files from here on."""
        left = (self.total or 0) - self._done
        self.decoding.expect(max(size or 0, left))

    def outcomes(self, records: Iterator[Record]) -> Iterator[Receipt | Refusal]:
        return self._log.append_many(records)

    @property
    def state(self) -> ImportState:
        return self._state

    @property
    def rejects_dir(self) -> Path:
        return self._rejects_dir

    def progress(self, records: int, done: int | None = None) -> None:
        self._records += records
        self._on_progress(self._done if done is None else done, self.total, self._records)


class _Flying(NamedTuple):
    """A record handed to the log whose outcome is to come."""

    where: str
    format: str | None
    kind: str
    sighting: Sighting | None = None


class _Span:
    """One run over a part of one source, from its ``begin`` to its ``end`` mark."""

    def __init__(self, run: _Run, mark: Mark, report: FileReport, folder: Folder | None) -> None:
        self._run = run
        self._mark = mark
        self._report = report
        self._folder = folder
        self._durable = run.state.durable(mark) if folder is not None else None
        self._seq = mark.seq
        self._counts: Counter[str] = Counter()
        self._rejected = 0
        self._flying: deque[_Flying] = deque()
        self._links: deque[Record] = deque()
        self._places = run.state.places(mark) if self._durable is not None else {}
        self._recalled = 0
        self._linked_before = run.state.linked(mark) if self._places else ()
        self._listing = RejectsListing(run.rejects_dir, mark.token, report.path)

    def run(self, source: BinaryIO, done: Callable[[], int]) -> None:
        mark, report = self._mark, self._report
        limit = None if self._folder is None else mark.size - mark.offset
        self._run.expect(limit)
        stream, compression = inflated(source, limit=limit)
        position = Position(mark.offset, mark.line)
        pieces = split(stream, folder=self._folder, position=position)
        sample = list(islice(pieces, _SAMPLE))
        untouched = self._durable is None or self._durable < mark.seq
        if untouched and all(type(piece) is Bad for piece in sample):
            self._unrecognised(sample)
            return
        report.source = mark.token
        if self._folder is not None:
            self._run.state.begin(mark)
            self._recall()
        try:
            self._append(chain(sample, pieces), done)
        finally:
            self._listing.close()
        if self._run.decoding.lost and not report.note:
            report.note = (
                "A process that decoded it died; the rest was decoded without. Nothing is missing."
            )
        if self._folder is not None:
            by_line = compression is None and position.line > mark.line
            self._run.state.end(
                mark,
                offset=position.offset if by_line else mark.size,
                line=position.line,
                seq=self._seq,
            )

    def _unrecognised(self, sample: list[Item | Bad]) -> None:
        # The new end of a known file is perhaps still being written; it is looked at again later.
        self._report.status = "known" if self._mark.offset else "unrecognised"
        if not sample:  # a batch input whose every line its answer's item holds
            self._report.status = "body-object"
        for piece in sample:
            if isinstance(piece, Bad):
                self._report.refused.append(Refused(piece.where, piece.reason))

    def _append(self, pieces: Iterable[Item | Bad], done: Callable[[], int]) -> None:
        stored = 0
        for outcome in self._run.outcomes(self._records(pieces)):
            where, name, kind, sighting = self._flying.popleft()
            if kind == LINKED:  # a refused one names somebody whose keys are gone
                continue
            if sighting is not None and not isinstance(outcome, Refusal):
                self._saw(sighting, outcome.index)
            if isinstance(outcome, Refusal):
                self._refuse(where, f"refused-by-log:{type(outcome.error).__name__}")
            elif name is not None:
                self._report.taken += 1
                self._report.aside += kind != INTERACTION
                self._report.formats[name] += 1
            stored += 1
            if stored == _REPORT_EVERY:
                self._run.progress(stored, done())
                stored = 0
        for _ in self._run.outcomes(iter(self._links)):
            pass
        self._run.progress(stored, done())

    def _recall(self) -> None:
        """Know what the file told when it was shorter, unless this run took that in itself."""
        if self._mark.token in self._run.linked_sources:
            return
        self._run.linked_sources.add(self._mark.token)
        try:
            for seen in self._run.state.earlier(self._mark):
                self._recalled += 1
                self._links.extend(self._run.linker.recalled([seen]))
        except AirconError as error:  # what is new is taken all the same
            self._report.note = (
                "Its earlier records can not be read back, so none of them is given to somebody"
                f" whom only its new lines name: {error.what}"
            )

    def _saw(self, sighting: Sighting, index: int) -> None:
        if index in self._linked_before:
            sighting = sighting._replace(unnamed=False)
        self._links.extend(self._run.linker.stored([(sighting, index)]))

    def _linked(self) -> Iterator[Record]:
        while self._links:
            self._flying.append(_Flying(LINKED, None, LINKED))
            yield self._links.popleft()

    def _records(self, pieces: Iterable[Item | Bad]) -> Iterator[Record]:
        """Every record of the span that is not durable yet, made only when it is taken."""
        recalled = {"recalled": self._recalled} if self._recalled else {}
        yield from self._system("import.started", recalled, self._about())
        token = self._mark.token
        durable = -1 if self._durable is None else self._durable
        for found in self._run.decoding.records(pieces, source=token, by=_BY, seq=self._seq):
            yield from self._linked()
            seq = self._seq
            self._seq = seq + 1
            if isinstance(found, Bad):
                self._rejected += 1
                if seq > durable:
                    self._refuse(found.where, found.reason)
                    self._flying.append(_Flying(found.where, None, ""))
                    yield to_rejected(found, source=token, by=_BY, seq=seq)
                continue
            item, (record, sighting) = found
            self._counts[item.format] += 1
            if seq > durable:
                self._flying.append(_Flying(item.where, item.format, record.kind, sighting))
                yield record
            elif seq in self._places:
                self._saw(sighting, self._places[seq])
        counts = {"taken": self._counts.total(), "rejected": self._rejected}
        yield from self._system("import.finished", {**counts, "formats": sorted(self._counts)}, {})

    def _system(
        self, kind: str, clear: Mapping[str, object], note: dict[str, object]
    ) -> Iterator[Record]:
        seq = self._seq
        self._seq = seq + 1
        if self._durable is not None and seq <= self._durable:
            return
        self._flying.append(_Flying(kind, None, kind))
        content = bodies.encode(bodies.Body(note=note)) if note else None
        yield Record(
            kind=kind, source=self._mark.token, by=_BY, clear=clear, content=content, seq=seq
        )

    def _about(self) -> dict[str, object]:
        mark = self._mark
        return {
            "file": self._report.path,
            "size": mark.size,
            "digest": mark.digest,
            "offset": mark.offset,
        }

    def _refuse(self, where: str, reason: str) -> None:
        report = self._report
        report.rejected += 1
        if len(report.refused) < MAX_LISTED:
            report.refused.append(Refused(where, reason))
        report.rejects = self._listing.add(where, reason)


_BY = "aircon"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
