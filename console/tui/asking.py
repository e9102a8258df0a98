"""Questions to the session in worker threads; every answer comes back as a message.

Whatever goes wrong in a worker becomes an `AirconError` in the answer: a thread that dies silently
would leave the screen waiting for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from textual.message import Message
from textual.message_pump import MessagePump
from textual.widget import Widget

from console.presenters.figures import plural
from console.presenters.views import Bundle
from console.tui import exporting
from console.tui.messages import (
    CallsFound,
    Counted,
    Exporting,
    Found,
    Grown,
    Progressed,
    Read,
    Selected,
    TailFailed,
    Told,
    Unlocked,
    Verified,
)
from console.tui.session import ExplorerLike, Session
from console.tui.trail import Place
from logstore.errors import AirconError, NotFound
from logstore.query.filters import Filter
from logstore.query.rows import Detail, Histogram, Row, Selection

T = TypeVar("T")

_PROGRESS_S = 0.1
"""Progress is told at most this often."""


def attempt(work: Callable[[], T]) -> T | AirconError:
    """The result of some work, or why there is none."""
    try:
        return work()
    except AirconError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a fault of ours must be seen, not lost in a thread
        return AirconError(
            f"A fault inside aircon: {type(error).__name__}: {error}",
            kept="The log was only read.",
            todo="Please report it.",
        )


class Asker:
    """Runs the session's slow methods for one screen."""

    def __init__(self, owner: Widget, session: Session) -> None:
        self._owner = owner
        self.session = session
        self._stop_verify = Event()
        self._stop_export = Event()
        self._opened: ExplorerLike | None = None

    def explorer(self) -> ExplorerLike:
        """The explorer; slow when it is first asked for, so only worker threads do that."""
        self._opened = self.session.explorer
        return self._opened

    def cancel(self) -> None:
        """Stop what runs; never waits, not even for an explorer that is being opened."""
        if self._opened is not None:
            self._opened.cancel()

    def select(self, turn: int, place: Place) -> None:
        """Answer a filter; posts `Selected`."""

        def work() -> Selection:
            return self.explorer().select(place.filter)

        self._run("select", lambda: Selected(turn, attempt(work)))

    def load(self, chosen: Selection, start: int, count: int) -> Sequence[Row]:
        """A page of rows; for the table's own worker threads."""
        return self.explorer().rows(chosen, start, count)

    def similar(self, turn: int, row: Row) -> None:
        """Look for similar text; posts `Found`."""

        def work() -> Selection:
            return self.explorer().similar(row.index)

        self._run("select", lambda: Found(turn, row.id, attempt(work)))

    def same_call(self, turn: int, row: Row, size: int) -> None:
        """Look for other records of one call; posts `Found`."""
        work = partial(self._same_call, row, size)
        self._run("select", lambda: Found(turn, row.id, attempt(work)))

    def histogram(self, turn: int, chosen: Selection, buckets: int) -> None:
        """Count over time; posts `Counted`."""

        def work() -> Histogram:
            return self.explorer().histogram(chosen, buckets)

        self._run("histogram", lambda: Counted(turn, attempt(work)))

    def find_calls(self) -> None:
        """Find out which records are of one call; posts `CallsFound`."""

        def work() -> CallsFound:
            start = time.monotonic()
            error = _error(attempt(lambda: self.explorer().find_calls()))
            return CallsFound(time.monotonic() - start, error)

        self._run("calls", work)

    def read(self, index: int) -> None:
        """Read a record, then its conversation; posts `Read` twice."""
        self._run("read", partial(self._read, index))

    def grow(self, turn: int, chosen: Selection | None, size: int) -> None:
        """See what the writer added; posts `Grown` or `TailFailed`."""
        self._run("tail", partial(self._grow, turn, chosen, size), exclusive=False)

    def verify(self) -> None:
        """Check the whole log; posts `Progressed`, then `Verified`."""
        self._stop_verify.set()
        self._stop_verify = Event()
        self._run("verify", partial(self._verify, self._stop_verify))

    def stop_verify(self) -> None:
        """Stop the verification that runs."""
        self._stop_verify.set()

    def unlock(self, passphrase: bytes) -> None:
        """Try a passphrase; posts `Unlocked`."""
        work = partial(self.session.unlock, passphrase)
        self._run("unlock", lambda: Unlocked(_error(attempt(work))))

    def export_rows(self, chosen: Selection, wanted: Filter, form: str, path: Path) -> None:
        """Write rows to a file; posts `Exporting`, then `Told`."""
        self._stop_export.set()
        self._stop_export = Event()
        facts = {"format": form, "rows": chosen.count, "filter": wanted.to_words()}
        work = partial(self._export, self._stop_export, chosen, form, path)
        self._run("export", partial(self._recorded, facts, path, work))

    def export_record(self, detail: Detail, path: Path) -> None:
        """Write one record whole; posts `Told`."""
        facts = {"format": "json", "rows": 1, "record": detail.row.id}
        work = partial(exporting.export_record, detail, path)
        self._run("export", partial(self._recorded, facts, path, work))

    def stop_export(self) -> None:
        """Stop the export that runs."""
        self._stop_export.set()

    def stop_all(self) -> None:
        """Stop whatever runs: the console is being left, and threads would keep it waiting."""
        self._stop_verify.set()
        self._stop_export.set()
        self.cancel()

    def background(self, work: Callable[[], Message]) -> None:
        """Run some other work and post its message."""
        self._run("other", work, exclusive=False)

    # -- in worker threads -----------------------------------------------------------------

    def _read(self, index: int) -> Message:
        detail = attempt(lambda: self.explorer().detail(index))
        if isinstance(detail, AirconError):
            return Read(index, detail)
        self._owner.post_message(Read(index, Bundle(detail)))
        whole = attempt(lambda: self.explorer().conversation(index))
        if isinstance(whole, AirconError):
            return Read(index, Bundle(detail))
        return Read(index, Bundle(detail, tuple(whole)))

    def _same_call(self, row: Row, size: int) -> Selection:
        import numpy as np

        others = self.explorer().detail(row.index).same_call
        if not others:
            raise NotFound("No other record of this call is in the log.")
        indexes = np.array(sorted({row.index, *others}), dtype=np.int64)
        return Selection(Filter(), size, indexes, f"same call as record {row.index}")

    def _grow(self, turn: int, chosen: Selection | None, size: int) -> Message:
        def look() -> Message:
            explorer = self.explorer()
            explorer.refresh()
            extent = self.session.extent()
            found = None
            if chosen is not None and extent.size > size:
                grown = explorer.extend(chosen)
                found = grown if grown.count != chosen.count else None
            return Grown(turn, extent, found)

        found = attempt(look)
        return TailFailed(found) if isinstance(found, AirconError) else found

    def _verify(self, stop: Event) -> Message:
        told = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= _PROGRESS_S or done >= total:
                told = now
                self._owner.post_message(Progressed(done, total))

        found = attempt(lambda: self.session.verify(progress, stop.is_set))
        return Verified(None if stop.is_set() else found)

    def _export(self, stop: Event, chosen: Selection, form: Any, path: Path) -> int:
        def progress(done: int) -> bool:
            self._owner.post_message(Exporting(done, chosen.count))
            return not stop.is_set()

        return exporting.export_rows(self.explorer(), chosen, form, path, progress)

    def _recorded(self, facts: dict[str, Any], path: Path, work: Callable[[], int]) -> Message:
        # The access is on the log before any byte leaves; no record, no export.
        def recorded() -> int:
            self.session.record_access("access.export", {**facts, "path": str(path)})
            return work()

        done = attempt(recorded)
        if isinstance(done, AirconError):
            return Told(" ".join(done.diagnostics()), bad=True)
        return Told(f"Exported {plural(done, 'row')} to {path}")

    def _run(self, group: str, work: Callable[[], Message], *, exclusive: bool = True) -> None:
        owner: MessagePump = self._owner

        def run() -> None:
            owner.post_message(work())

        self._owner.run_worker(
            run, thread=True, group=group, exclusive=exclusive, exit_on_error=False
        )


def _error(found: object) -> AirconError | None:
    return found if isinstance(found, AirconError) else None
