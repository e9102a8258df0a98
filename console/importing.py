"""Runs an import for a command: where its journal and rejects lie, progress, and its report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from console import sealing
from console.columns import Column
from console.opening import OpenStore
from console.progress import Progress
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.capture.fetching import CompletingLog
    from logstore.capture.importreport import FileReport, ImportReport
    from logstore.storage.log import Log
    from logstore.storage.places import Places

COLUMNS = (
    Column("file", most=50),
    Column("status"),
    Column("taken", "int"),
    Column("interactions", "int"),
    Column("refused", "int"),
    Column("formats", most=40),
)
"""Columns of an import's report."""

_LISTED = 5


def rejects_directory(places: Places) -> Path:
    """Where refused lines are kept unless another place is named."""
    return places.store.with_name(places.store.name + ".rejects")


def import_paths(
    store: OpenStore,
    paths: Iterable[str],
    *,
    rejects: Path | None = None,
    again: bool = False,
    fetch_from: Iterable[str] = (),
) -> ImportReport:
    """Import files into an open store, with a progress line.

    Args:
        store: where they go.
        paths: what to read.
        rejects: where refused lines are listed; else beside the store.
        again: take in what was imported before.
        fetch_from: locations that content may be fetched from which records only point at.

    Raises:
        UsageError: nothing could be opened for writing.
        NotFound: a path does not exist.
        NotDurable: the log could not be written.
    """
    from logstore.capture.importing import import_files
    from logstore.capture.importstate import ImportState
    from logstore.capture.recalling import Recalling

    if store.keys is None:
        raise UsageError("an import needs the key store")
    key = store.keys.purpose_key("imports")
    journal = store.places.keys / "imports"
    state = ImportState(journal, key, Recalling(store.reader))
    progress = Progress("importing", "records")

    def on_progress(done: int, total: int | None, records: int) -> None:
        progress.bytes(done, total, records)

    log = store.log()
    try:
        with progress, completing(log, fetch_from) as target:
            report = import_files(
                target,
                paths,
                state=state,
                rejects_dir=rejects or rejects_directory(store.places),
                on_progress=on_progress,
                again=again,
            )
    finally:
        state.close()
    sealing.seal(log, rotate=False)  # what the import left waiting; closing would do it in silence
    return report


@contextmanager
def completing(log: Log, fetch_from: Iterable[str]) -> Iterator[Log | CompletingLog]:
    """The log, or one that fetches what records point at before it takes them.

    Raises:
        UsageError: a location that is none.
    """
    locations = list(fetch_from)
    if not locations:
        yield log
        return
    from logstore.capture.fetching import CompletingLog, Fetcher
    from logstore.capture.references import AllowList

    with Fetcher(AllowList(locations)) as fetcher:
        yield CompletingLog(log, fetcher)


def report_rows(report: ImportReport) -> Iterator[tuple[object, ...]]:
    """One row for each file."""
    for file in report.files:
        formats = ", ".join(f"{name} {count:,}" for name, count in sorted(file.formats.items()))
        calls = file.taken - file.aside
        yield file.path, file.status, file.taken, calls, file.rejected, formats


def taken_words(report: ImportReport) -> str:
    """What was stored, in words: calls to AI, and apart from them what stood around them."""
    said = f"{report.interactions:,} interactions"
    return f"{said} and {report.aside:,} other spans and log lines" if report.aside else said


def report_lines(report: ImportReport) -> Iterator[str]:
    """What a person must know beside the numbers: refusals, unreadable files, notes."""
    for file in report.files:
        if file.note:
            yield f"{file.path}: {file.note}"
        if file.status == "unrecognised":
            yield f"{file.path}: no known format was found in it; nothing of it was stored"
        else:
            yield from _refusals(file)


def _refusals(file: FileReport) -> Iterator[str]:
    for refused in file.refused[:_LISTED]:
        yield f"{file.path}, {refused.where}: {refused.reason}"
    more = file.rejected - min(len(file.refused), _LISTED)
    if file.rejected and more > 0:
        yield f"{file.path}: and {more:,} more"
    if file.rejects is not None:
        yield f"{file.path}: every refusal is listed in {file.rejects}"


def complete(report: ImportReport, named: Iterable[str]) -> bool:
    """Whether everything is stored; in a directory, files that are no logs do not count."""
    outright = {str(Path(path)) for path in named}
    missing = any(
        file.status == "unreadable" or (file.status == "unrecognised" and file.path in outright)
        for file in report.files
    )
    return report.rejected == 0 and not missing
