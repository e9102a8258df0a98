"""The first screen: an explorer over the log. What each key does; answers are in the base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType

from console.presenters import command
from console.presenters.spans import line
from console.presenters.views import VIEWS
from console.text import one_line, safe_text
from console.tui import clipboard
from console.tui.keys import ACTIONS
from console.tui.messages import Told
from console.tui.screens.answers import AnswersScreen
from console.tui.screens.ask import AskScreen
from console.tui.screens.choice import Choice, ChoiceScreen
from console.tui.screens.help import HelpScreen
from console.tui.screens.report import ReportScreen
from console.tui.themes import next_theme
from console.tui.trail import Pivot, Place, pivots
from console.tui.widgets.filter_bar import FilterBar
from console.tui.widgets.histogram import TimeHistogram
from console.tui.widgets.row_window import RowWindow
from logstore.errors import AirconError, UsageError
from logstore.query.filters import parse_filter
from logstore.query.rows import Row

_NO_ROW = "There is no record under the cursor."
_ON_ITS_WAY = "The record under the cursor is still being fetched."

_UNLOCK = (
    "Content is encrypted. The passphrase opens the key store for this",
    "session only; every look at content becomes an access record.",
    "Without it: clear fields only. From scripts: --passphrase-fd,",
    "--passphrase-file or AIRCON_PASSPHRASE.",
)


def _path(typed: str) -> Path:
    return Path(typed).expanduser()


class ExplorerScreen(AnswersScreen):
    """Filter, histogram, table, detail."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(action.binding() for action in ACTIONS),
        Binding("tab", "turn(1)", "Next", show=False),
        Binding("shift+tab", "turn(-1)", "Before", show=False),
    ]

    def action_turn(self, by: int) -> None:
        """Table, detail, histogram in turn, those in sight; from the filter line to the table."""
        if self.focused is self.query_one(FilterBar).field:
            self.action_leave_filter()
            return
        panes = (self.rows, self.detail.lines, self.query_one(TimeHistogram))
        ring = [pane for pane in panes if pane in self.focus_chain]
        at = next((n for n, pane in enumerate(ring) if pane is self.focused), -1)
        ring[(at + by) % len(ring)].focus()

    # -- filter ----------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).enter()

    @on(FilterBar.Submitted)
    def _apply(self, message: FilterBar.Submitted) -> None:
        bar = self.query_one(FilterBar)
        here = self.trail.here
        if one_line(here.words()).strip() == message.text.strip():
            self.rows.focus()
            self.ask()
            return
        try:
            wanted = parse_filter(message.text, self.session.now_us())
        except UsageError as error:
            bar.say(line(("! ", "bad"), (error.what, "bad"), (f"  {error.todo}", "dim")))
            return
        self.rows.focus()
        self.go(Place(wanted))

    @on(FilterBar.Left)
    def _left_filter(self) -> None:
        self.rows.focus()

    def action_apply_filter(self) -> None:
        """Apply what stands in the filter line."""
        self._apply(FilterBar.Submitted(self.query_one(FilterBar).field.value))

    def action_leave_filter(self) -> None:
        """Leave the filter line."""
        self.query_one(FilterBar).action_leave()

    def action_clear_filter(self) -> None:
        """Empty the filter line."""
        self.query_one(FilterBar).action_clear()

    def action_errors(self) -> None:
        """Only what failed, or all again."""
        wanted = self.trail.here.filter
        self.go(Place(replace(wanted, errors_only=not wanted.errors_only)))

    @on(TimeHistogram.Zoomed)
    def _zoomed(self, message: TimeHistogram.Zoomed) -> None:
        wanted = self.trail.here.filter
        self.go(Place(replace(wanted, since_us=message.since_us, until_us=message.until_us)))

    def action_zoom_time(self) -> None:
        """Zoom to the picked range."""
        self.query_one(TimeHistogram).action_zoom()

    def action_unzoom(self) -> None:
        """Drop the time limits."""
        wanted = self.trail.here.filter
        if wanted.since_us is None and wanted.until_us is None:
            self.tell("The filter has no time limits.")
            return
        self.go(Place(replace(wanted, since_us=None, until_us=None)))

    def action_time(self) -> None:
        """Go to the histogram."""
        self.query_one(TimeHistogram).focus()

    def action_refresh(self) -> None:
        """Ask again."""
        row = self.row
        self.trail.leave_at(row.index if row else None)
        self._read_index = -1
        self.ask()

    # -- reading ---------------------------------------------------------------------------

    @on(RowWindow.Opened)
    def action_open(self) -> None:
        """Read the record under the cursor; one still on its way is read when it is here."""
        row = self.row
        if row is None:
            self._open_at = self.rows.cursor if self.rows.count else None
            self.tell(self._no_row())
            return
        self._open_at = None
        self.reading = True
        self.read(row.index)
        self.detail.lines.focus()

    @on(RowWindow.Moved)
    def _open_what_arrived(self, message: RowWindow.Moved) -> None:
        if self._open_at is None or message.position != self._open_at:
            self._open_at = None
        elif message.row is not None:
            self.action_open()

    def _no_row(self) -> str:
        return _ON_ITS_WAY if self.rows.count else _NO_ROW

    def watch_reading(self, reading: bool) -> None:
        """On a narrow screen the detail takes the table's place."""
        self.set_class(reading, "-reading")

    async def action_leave(self) -> None:
        """Back to the table; stop what is running."""
        if self.exporting:
            self.asker.stop_export()
        elif self.busy_since is not None:
            self._stop_asking()
        self._open_at = None
        self.reading = False
        self.rows.focus()

    def _stop_asking(self) -> None:
        from console.presenters.notices import stopped

        self._turn += 1
        self.busy_since = None
        self.asker.cancel()
        if self.aside:
            self.tell("Stopped.")
        else:
            self.rows.show_notice(stopped())
        self.show_lines()

    def action_step(self, by: int) -> None:
        """Read the record before or after."""
        self.rows.action_move(by)
        row = self.row
        if row is not None and self.reading:
            self.read(row.index)

    def action_view(self, view: str) -> None:
        """Switch the view of the detail; opens it when it is not in sight."""
        self.detail.show_view(view)
        if not self.wide and not self.reading:
            self.action_open()

    def action_next_view(self) -> None:
        """The next of the five views."""
        at = VIEWS.index(self.detail.view)
        self.action_view(VIEWS[(at + 1) % len(VIEWS)])

    # -- pivots ----------------------------------------------------------------------------

    @work
    async def action_pivot(self) -> None:
        """Go on from the record under the cursor."""
        row = self.row
        if row is None:
            self.tell(self._no_row())
            return
        bundle = self.shown_bundle()
        ways = pivots(row, bundle.detail if bundle else None)
        choices = [Choice(way.key, way.title, way.reason) for way in ways]
        picked = await self.app.push_screen_wait(ChoiceScreen("Records with the ...", choices))
        way = next((way for way in ways if way.key == picked), None)
        if way is not None:
            self._follow_way(way, row)

    def _follow_way(self, way: Pivot, row: Row) -> None:
        self.reading = False
        self.rows.focus()
        if way.place is not None:
            self.go(way.place)
        elif way.key == "t":
            self.asker.similar(self.look_aside(), row)
        else:
            self.asker.same_call(self.look_aside(), row, self.standing.size)

    def action_back(self) -> None:
        """One step back."""
        self.reading = False
        if self.trail.depth <= 1 or not self.trail.back():
            self.tell("This is where you started.")
            return
        self.rows.focus()
        self.ask()

    # -- live ------------------------------------------------------------------------------

    def action_follow(self) -> None:
        """Stay at the newest record, or stop doing so."""
        self.follow = not self.follow

    def watch_follow(self, follow: bool) -> None:
        """Jump to the newest and look at once."""
        if follow:
            self.pending = 0
            self.rows.action_last()
            self.look_again()
        self.show_lines()

    # -- out of here -----------------------------------------------------------------------

    @work
    async def action_copy(self) -> None:
        """Copy something of the record under the cursor."""
        row, here = self.row, self.trail.here
        if row is None:
            self.tell(self._no_row())
            return
        bundle = self.shown_bundle()
        unread = "" if bundle else "open the record first"
        texts = {
            "i": row.id,
            "c": command.show(row.id, self.session.store),
            "s": command.search(here.filter, self.session.store),
            "t": self.detail.text() if bundle else "",
            "l": bundle.detail.leaf.decode("utf-8", "replace") if bundle else "",
            "f": self.detail.text() if bundle else "",
        }
        choices = [
            Choice("i", "record id"),
            Choice("c", "command that shows this record"),
            Choice("s", "command that shows this table"),
            Choice("t", f"text of the view ({self.detail.view})", unread),
            Choice("l", "leaf JSON", unread),
            Choice("f", f"text of the view ({self.detail.view}) to a file", unread),
        ]
        picked = await self.app.push_screen_wait(ChoiceScreen("Copy, as shown", choices))
        if picked == "f":
            await self._copy_to_file(safe_text(texts["f"]), row.id)
        elif picked:
            send = self.app.copy_to_clipboard
            text = safe_text(texts[picked])
            outcome = clipboard.copy(text, send) if len(text) < 4096 else None
            if outcome is not None:
                self.tell(outcome.say)
            else:
                self.asker.background(lambda: Told(clipboard.copy(text, send).say))

    async def _copy_to_file(self, text: str, record_id: str) -> None:
        path = await self.app.push_screen_wait(
            AskScreen("Write to which file?", value=f"record-{record_id}-{self.detail.view}.txt")
        )
        if path:
            try:
                self.tell(clipboard.to_file(text, _path(path)).say)
            except AirconError as error:
                self.tell(" ".join(error.diagnostics()), bad=True)
            except OSError as error:
                self.tell(f"Not written: {error.strerror}", bad=True)

    @work
    async def action_export(self) -> None:
        """Write what is on screen to a file."""
        chosen, bundle = self.selection, self.shown_bundle()
        none = "" if chosen is not None and chosen.count else "there are no rows"
        choices = [
            Choice("c", "rows as CSV (formulas defused)", none),
            Choice("j", "rows as JSON lines (exact)", none),
            Choice("p", "rows as Parquet (exact, typed)", none),
            Choice("r", "this record whole, as JSON", "" if bundle else "open it first"),
        ]
        picked = await self.app.push_screen_wait(ChoiceScreen("Export", choices))
        if not picked:
            return
        ending = {"c": "csv", "j": "jsonl", "p": "parquet", "r": "json"}[picked]
        name = f"record-{bundle.detail.row.id}" if picked == "r" and bundle else "aircon-export"
        path = await self.app.push_screen_wait(
            AskScreen(
                "Export to which file?",
                ("A new file, readable by you only. The export is recorded.",),
                value=f"{name}.{ending}",
            )
        )
        if not path:
            return
        target = _path(path)
        if picked == "r" and bundle:
            self.asker.export_record(bundle.detail, target)
        elif chosen is not None:
            self.asker.export_rows(chosen, self.trail.here.filter, ending, target)

    # -- the rest --------------------------------------------------------------------------

    def action_verify(self) -> None:
        """The report."""
        store = f" --store {command.word(self.session.store)}" if self.session.store else ""
        self.app.push_screen(
            ReportScreen(
                self.standing, f"aircon verify{store}", self.verify, self.asker.stop_verify
            )
        )

    @work
    async def action_unlock(self) -> None:
        """Give the passphrase."""
        if not self.session.locked:
            self.tell("Content is readable already.")
            return
        typed = await self.app.push_screen_wait(AskScreen("Passphrase", _UNLOCK, secret=True))
        if typed:
            self.asker.unlock(typed.encode())

    def action_theme(self) -> None:
        """The next look."""
        self.app.theme = next_theme(self.app.theme)
        self.tell(f"Theme: {self.app.theme}")

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(HelpScreen())

    def action_nothing(self) -> None:
        """An entry of the key bar that only explains."""
