"""What the explorer asks, and what happens when answers arrive. Keys: `screens.explorer`.

Rules of this file:

1. Only message handlers on the UI thread change state; workers post messages and nothing else.
2. Every question carries the turn it was asked in; an answer from another turn is dropped.
3. Nothing moves under the person's hands: new records move the cursor only while following.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from textual import on

from console.presenters import notices
from console.presenters.spans import line
from console.presenters.verdict import Phase, Standing
from console.presenters.views import Bundle
from console.tui.messages import (
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
from console.tui.screens.counts import CountsScreen
from console.tui.screens.report import ReportScreen
from console.tui.trail import Place
from console.tui.widgets.filter_bar import FilterBar
from console.tui.widgets.histogram import TimeHistogram
from console.tui.widgets.pages import Load
from console.tui.widgets.row_window import RowWindow
from logstore.errors import AirconError
from logstore.query.rows import Selection

TAIL_S = 1.0
"""The log is looked at again this often, in seconds."""
NOTICE_S = 0.3
"""An answer that takes longer than this is announced."""
READ_S = 0.08
"""The cursor must rest this long before its record is read."""


class AnswersScreen(CountsScreen):
    """What is asked, and what becomes of the answers."""

    def on_mount(self) -> None:
        """Ask the first question; verification starts when the first rows are in sight."""
        self.rows.focus()
        self.ask()
        self.set_interval(TAIL_S, self.look_again)
        self.set_interval(1.0, self._say_waiting)

    def on_unmount(self) -> None:
        """Nothing outlives the screen."""
        self.asker.stop_all()

    # -- asking ----------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask for what the trail says."""
        self._turn += 1
        self._open_at = None
        self.aside = False
        place = self.trail.here
        self.query_one(FilterBar).show(place.words())
        self.query_one(TimeHistogram).show_counts(None)
        self.counted = None
        self.pending = 0
        if self.busy_since is not None:
            self.asker.cancel()
        if place.fixed is not None:
            self.post_message(Selected(self._turn, place.fixed))
        else:
            self.busy_since = time.monotonic()
            self.set_timer(NOTICE_S, partial(self._say_searching, self._turn))
            self.asker.select(self._turn, place)
        self.show_lines()

    def go(self, place: Place) -> None:
        """Go on to another place and ask for it."""
        row = self.row
        self.trail.leave_at(row.index if row else None)
        self.trail.go(place)
        self.ask()

    def look_aside(self) -> int:
        """The turn of a question that leaves the table as it is until there is an answer."""
        self._turn += 1
        self.busy_since = time.monotonic()
        self.aside = True
        self.show_lines()
        return self._turn

    def look_again(self) -> None:
        """See what the writer added."""
        if self._tailing or self.busy_since is not None:
            return
        self._tailing = True
        chosen = self.selection if self.trail.here.fixed is None else None
        self.asker.grow(self._turn, chosen, self.standing.size)

    def verify(self) -> None:
        """Check the whole log in the background."""
        self._stand(replace(self.standing, phase="running", done=0, total=0, lines=()))
        self.asker.verify()

    # -- answers ---------------------------------------------------------------------------

    @on(Selected)
    def _selected(self, message: Selected) -> None:
        if message.turn != self._turn:
            return
        self.busy_since = None
        if isinstance(message.found, AirconError):
            self.selection = None
            self.rows.show_notice(notices.failed(message.found, self.rows.size.width))
            self._nothing_to_read()
            self.show_lines()
            self._first_verify()
            return
        self._show_selection(message.found)

    @on(Found)
    def _found(self, message: Found) -> None:
        if message.turn != self._turn:
            return
        self.busy_since = None
        if isinstance(message.found, AirconError):
            self.tell(" ".join(message.found.diagnostics()), bad=True)
            self.show_lines()
        elif not message.found.count:
            self.tell(f"Nothing found: {message.found.label}.")
            self.show_lines()
        else:
            self.go(Place(message.found.filter, message.found, message.origin))

    def _show_selection(self, found: Selection) -> None:
        self.selection = found
        self._stand(replace(self.standing, size=max(found.size, self.standing.size)))
        if found.count:
            self.rows.show_rows(self._load(found), found.count, cursor=self._cursor_in(found))
            self.recount()
        else:
            locked = self.session.locked
            words = notices.nothing(self.trail.here.filter, found.size, locked=locked)
            self.rows.show_notice(words)
            self._nothing_to_read()
            self._first_verify()
        self.show_lines()

    def _first_verify(self) -> None:
        # After the first rows, so that verifying does not delay them; after an error all the more.
        if self.standing.phase == "waiting":
            self.verify()
            self.look_again()
            self.tell_calls_apart()

    @on(Read)
    def _read(self, message: Read) -> None:
        if message.index != self._read_index:
            return
        if isinstance(message.found, AirconError):
            self.detail.show_message(notices.failed(message.found, self.detail.size.width))
        else:
            self.detail.show_bundle(message.found)
        self.show_lines()

    @on(Grown)
    def _grown(self, message: Grown) -> None:
        self._tailing = False
        self._tail_error = ""
        extent = message.extent
        self._stand(
            replace(
                self.standing,
                size=max(extent.size, self.standing.size),
                signed=extent.signed,
                sealed=extent.sealed,
                witnessed=extent.witnessed,
                away=extent.away,
            )
        )
        if message.turn != self._turn or message.found is None:
            return
        before = self.selection.count if self.selection else 0
        self.selection = found = message.found
        if not before:
            self._show_selection(found)
            return
        moving = self.follow and self.rows.at_end
        self.pending = 0 if moving else self.pending + found.count - before
        self.rows.grow(self._load(found), found.count, follow=moving)
        self.recount_soon()
        self.show_lines()

    @on(TailFailed)
    def _tail_failed(self, message: TailFailed) -> None:
        self._tailing = False
        self._tail_error = message.error.what
        self.show_lines()

    @on(Progressed)
    def _progressed(self, message: Progressed) -> None:
        if self.standing.phase == "running":
            self._stand(replace(self.standing, done=message.done, total=message.total))

    @on(Verified)
    def _verified(self, message: Verified) -> None:
        found, phase = message.found, self.standing.phase
        if found is None:
            if phase == "running":
                self._stand(replace(self.standing, phase="stopped"))
        elif isinstance(found, AirconError):
            lines = tuple(found.diagnostics())
            self._stand(replace(self.standing, phase="failed", lines=lines))
        else:
            answer: Phase = found.state
            self._stand(
                replace(
                    self.standing,
                    phase=answer,
                    checkpoint=found.checkpoint,
                    size=max(found.size, self.standing.size),
                    lines=found.lines,
                )
            )

    @on(Unlocked)
    def _unlocked(self, message: Unlocked) -> None:
        if message.error is not None:
            self.tell(" ".join(message.error.diagnostics()), bad=True)
            return
        self.tell("Unlocked: content is readable and every look at it is recorded.")
        self._read_index = -1
        self.ask()

    @on(Told)
    def _told(self, message: Told) -> None:
        self.exporting = False
        self.tell(message.words, bad=message.bad)
        self.show_lines()

    @on(Exporting)
    def _export_moves(self, message: Exporting) -> None:
        self.exporting = True
        share = f"{100 * message.done // max(message.total, 1)} %"
        self._command((("Exporting ", "warn"), (share, "strong"), (" Esc stops", "dim")))

    # -- what widgets say ------------------------------------------------------------------

    @on(RowWindow.Moved)
    def _moved(self, message: RowWindow.Moved) -> None:
        if self.rows.at_end:
            self.pending = 0
        self.show_lines()
        row = message.row
        if row is not None:
            self._first_verify()
        if row is None or row.index == self._read_index or not (self.wide or self.reading):
            return
        self.set_timer(READ_S, partial(self._rested, row.index))

    @on(RowWindow.LoadFailed)
    def _load_failed(self, message: RowWindow.LoadFailed) -> None:
        self.rows.show_notice(notices.failed(message.error, self.rows.size.width))
        self._first_verify()

    def _rested(self, index: int) -> None:
        row = self.row
        if row is not None and row.index == index:
            self.read(index)

    def read(self, index: int) -> None:
        """Read a record into the detail."""
        if index != self._read_index:
            self._read_index = index
            self.asker.read(index)

    # -- small things ----------------------------------------------------------------------

    def on_resize(self) -> None:
        """Side by side, the detail follows the cursor."""
        if self.wide and self.row is not None:
            self.read(self.row.index)
        self.show_lines()

    def _load(self, chosen: Selection) -> Load:
        return partial(self.asker.load, chosen)

    def _cursor_in(self, found: Selection) -> int | None:
        wanted = self.trail.here.cursor
        return None if wanted is None else found.position(wanted)

    def _nothing_to_read(self) -> None:
        self._read_index = -1
        self.detail.show_message([line(("  ○ No record to read.", "dim"))])

    def _stand(self, standing: Standing) -> None:
        self.standing = standing
        self.rows.show_standing(standing)
        self.detail.show_standing(standing)
        self._show_status()
        if isinstance(self.app.screen, ReportScreen):
            self.app.screen.show_standing(standing)

    def _say_searching(self, turn: int) -> None:
        if turn == self._turn and self.busy_since is not None and not self.aside:
            waited = int(time.monotonic() - self.busy_since)
            self.rows.show_notice(notices.searching(waited))

    def _say_waiting(self) -> None:
        if self.busy_since is not None and time.monotonic() - self.busy_since >= 1:
            self._say_searching(self._turn)

    def shown_bundle(self) -> Bundle | None:
        """The record in the detail, when it is the one under the cursor."""
        bundle, row = self.detail.bundle, self.row
        same = bundle is not None and row is not None and bundle.detail.row.index == row.index
        return bundle if same else None
