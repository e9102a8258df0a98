"""What is counted of the records in sight: calls and records, over time, and when again.

Counting waits for nothing: which records are of one call is found out beside it, after the first
rows are in sight, and then it is counted once more.
"""

from __future__ import annotations

import time

from textual import on

from console.tui.messages import CallsFound, Counted
from console.tui.screens.frame import FrameScreen
from console.tui.session import Session
from console.tui.widgets.histogram import TimeHistogram
from logstore.errors import AirconError

RECOUNT_S = 5.0
"""A growing log is counted again at most this often."""

REST = 20
"""In a growing log, records of one call are looked for again after so many times as long as it
took: a twentieth of one processor is what it may take of a large one."""


class CountsScreen(FrameScreen):
    """Header and histogram: what they count, and how it is kept up to date."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._counted_at = 0.0
        self._recounting = False
        self._finding = False
        self._find_from = 0.0

    def recount(self) -> None:
        """Count over time again."""
        self._recounting = False
        if self.selection is not None and self.selection.count:
            self._counted_at = time.monotonic()
            buckets = self.query_one(TimeHistogram).buckets
            self.asker.histogram(self._turn, self.selection, buckets)

    def recount_soon(self) -> None:
        """Count a log that grew again, but not with every record."""
        wait = self._counted_at + RECOUNT_S - time.monotonic()
        if wait <= 0:
            self.recount()
        elif not self._recounting:
            self._recounting = True
            self.set_timer(wait, self.recount)

    def tell_calls_apart(self) -> None:
        """Find out which records are of one call, where what is counted does not know it."""
        unknown = self.counted is not None and not self.counted.settled
        # Not before the first rows: it would delay them.
        if unknown and not self._finding and self.standing.phase != "waiting":
            self._finding = True
            wait = self._find_from - time.monotonic()
            if wait > 0:
                self.set_timer(wait, self.asker.find_calls)
            else:
                self.asker.find_calls()

    @on(Counted)
    def _counted(self, message: Counted) -> None:
        if message.turn == self._turn and not isinstance(message.found, AirconError):
            self.counted = message.found
            self.query_one(TimeHistogram).show_counts(message.found)
            self.show_lines()
            self.tell_calls_apart()

    @on(CallsFound)
    def _calls_found(self, message: CallsFound) -> None:
        self._finding = False
        self._find_from = time.monotonic() + REST * message.took_s
        if message.error is None:
            self.recount()

    @on(TimeHistogram.Resized)
    def _buckets_changed(self) -> None:
        self.recount()
