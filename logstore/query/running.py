"""Running one question on its own cursor: time limit, cancel from another thread, plain errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from logstore.errors import AirconError, KeyUnavailable, QueryRefused
from logstore.query import refusals
from logstore.query.columns import CONTENT_WORDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_HOW_TO_UNLOCK = "Give the passphrase (see --help); without it only clear columns exist."


class _Run:
    def __init__(self, cursor: DuckDBPyConnection) -> None:
        self.cursor = cursor
        self.why = ""

    def stop(self, why: str) -> None:
        self.why = self.why or why
        self.cursor.interrupt()


class Runs:
    """The questions that are being answered right now."""

    def __init__(self) -> None:
        self._active: set[_Run] = set()
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """Stop every question that is being answered; safe from any thread."""
        with self._lock:
            for run in self._active:
                run.stop("cancelled")

    @contextmanager
    def running(
        self, connection: DuckDBPyConnection, *, timeout_s: float | None, content: bool
    ) -> Iterator[DuckDBPyConnection]:
        """A cursor of its own that `interrupt` and the time limit stop.

        Raises:
            QueryRefused: DuckDB's errors, a limit reached, or cancelled.
            KeyUnavailable: a column was named that only content has.
        """
        import duckdb

        run = _Run(connection.cursor())
        timer = None
        if timeout_s is not None:
            timer = threading.Timer(timeout_s, run.stop, [f"stopped after {timeout_s:g} s"])
            timer.daemon = True
            timer.start()
        with self._lock:
            self._active.add(run)
        try:
            yield run.cursor
        except (duckdb.Error, RuntimeError, MemoryError, OSError) as error:
            raise _explained(error, run.why, content) from None
        finally:
            with self._lock:
                self._active.discard(run)
            if timer is not None:
                timer.cancel()
            run.cursor.close()
        if run.why:
            raise QueryRefused(run.why)


def _explained(error: Exception, why: str, content: bool) -> AirconError:
    import duckdb

    said = str(error).strip().split("\n", 1)[0][:500]
    if why:
        return QueryRefused(why, todo="Narrow the question, or allow it more time.")
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return QueryRefused(
            "the query needs more memory than its limit",
            todo="Narrow it, or aggregate before sorting.",
        )
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        missing = sorted({word.lower() for word in said.split('"')[1::2]} & CONTENT_WORDS)
        if not content and missing:
            return content_needed(missing[0])
    if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.InternalException):
        return QueryRefused(
            f"the working copy could not be read: {said}",
            kept="The evidence is not concerned.",
            todo="Delete the .work directory beside the store; it is built again.",
        )
    what, todo = refusals.explain(str(error))
    return QueryRefused(f"the query failed: {what}", todo=todo)


def content_needed(what: str) -> KeyUnavailable:
    """The error for a question that only decrypted content can answer."""
    return KeyUnavailable(f"{what} is encrypted content", todo=_HOW_TO_UNLOCK)
