"""What the explorer is made of: its widgets, its state, and the lines around the table."""

from __future__ import annotations

from functools import partial

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.reactive import var
from textual.screen import Screen

from console.presenters import command
from console.presenters.figures import count, tally
from console.presenters.spans import Line, Role, clip, line
from console.presenters.verdict import Standing, summary
from console.text import safe_text
from console.tui import keys
from console.tui.asking import Asker
from console.tui.session import Session
from console.tui.trail import Place, Trail
from console.tui.widgets.detail_pane import DetailPane
from console.tui.widgets.filter_bar import FilterBar
from console.tui.widgets.histogram import TimeHistogram
from console.tui.widgets.key_bar import KeyBar
from console.tui.widgets.one_line import OneLine
from console.tui.widgets.row_window import RowWindow
from logstore.query.filters import Filter
from logstore.query.rows import Histogram, Row, Selection


class FrameScreen(Screen[None]):
    """Widgets and state of the explorer; it shows them and decides nothing."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - Textual's own shape
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012 - Textual's own shape

    follow: var[bool] = var(False, init=False)
    reading: var[bool] = var(False, init=False)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.asker = Asker(self, session)
        self.trail = Trail()
        self.trail.go(Place(Filter(kind="interaction")))
        self.selection: Selection | None = None
        self.counted: Histogram | None = None
        self.standing = Standing()
        self.pending = 0
        self.busy_since: float | None = None
        self.aside = False
        self.exporting = False
        self._turn = 0
        self._read_index = -1
        self._open_at: int | None = None
        self._tailing = False
        self._tail_error = ""

    def compose(self) -> ComposeResult:
        """Status, filter, histogram, table and detail, command line, keys."""
        yield OneLine(id="status")
        yield FilterBar(id="filter")
        yield TimeHistogram(id="histogram")
        with Horizontal(id="main"):
            yield RowWindow(id="rows")
            yield DetailPane(self.session.store, id="detail")
        yield OneLine(id="command")
        yield KeyBar(id="keys")

    @property
    def rows(self) -> RowWindow:
        """The table."""
        return self.query_one(RowWindow)

    @property
    def detail(self) -> DetailPane:
        """The detail."""
        return self.query_one(DetailPane)

    @property
    def wide(self) -> bool:
        """Whether table and detail stand side by side."""
        return self.size.width >= 120

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows.row

    # -- the lines around ------------------------------------------------------------------

    def tell(self, words: str, *, bad: bool = False) -> None:
        """A sentence for the person that goes by itself."""
        self.notify(
            safe_text(words),
            severity="error" if bad else "information",
            markup=False,
            timeout=8,
        )

    def show_lines(self) -> None:
        """Refresh status, command line and key bar."""
        self._show_status()
        if not self.exporting:
            self._command(self._command_words())
        self.query_one(KeyBar).show(self._keys())

    def on_descendant_focus(self, _: events.DescendantFocus) -> None:
        """The key bar follows the focus."""
        self.show_lines()

    def on_descendant_blur(self, _: events.DescendantBlur) -> None:
        """Likewise."""
        self.show_lines()

    def _keys(self) -> list[tuple[str, str, str]]:
        focused = self.focused
        if focused is not None and self.query_one(FilterBar) in focused.ancestors_with_self:
            return keys.FILTER_BAR
        if focused is not None and self.detail in focused.ancestors_with_self:
            return keys.DETAIL_BAR
        if isinstance(focused, TimeHistogram):
            return keys.TIME_BAR
        return keys.bar(keys.TABLE_KEYS_DEEP if self.trail.depth > 1 else keys.TABLE_KEYS)

    def _show_status(self) -> None:
        brief = self.size.width < 110
        # However long a name is, it may not push the verdict out of sight.
        name = clip(self.session.name, max(self.size.width // 4, 8))
        left = line((f" {name} ", "strong"), " ")
        right: list[str | tuple[str, Role]] = []
        if self._tail_error:
            right.append((" ! NOT UPDATING ", "bad"))
        if self.session.locked:
            right.append(
                (" ⊘ LOCKED " if brief else " ⊘ LOCKED clear fields only, u unlocks ", "warn")
            )
        if self.follow:
            right.append((" ▶ FOLLOWING " if self.rows.at_end else " ‖ PAUSED ", "good"))
        if self.pending:
            right.append((f" {count(self.pending)} new ↓ ", "warn"))
        self.query_one("#status", OneLine).show(
            (*left, *summary(self.standing, brief=brief)),
            line(*right),
        )

    def _command(self, left: tuple[tuple[str, Role], ...]) -> None:
        chosen = self.selection
        right: Line = ()
        if self.busy_since is not None:
            right = line(("searching… ", "warn"))
        elif chosen is not None and chosen.count:
            right = line((f"{self._count_words(chosen)} ", "dim"))
        self.query_one("#command", OneLine).show(line(*left), right)

    def _count_words(self, chosen: Selection) -> str:
        """What is in sight, with the cursor's place among it where there is room for that."""
        counted, records, width = self.counted, chosen.count, self.size.width
        calls, settled = None, True
        if counted is not None and counted.calls is not None:
            newer = records - sum(counted.records)  # they are counted with the next look
            calls, settled = sum(counted.calls) + newer, counted.settled and not newer
        words = partial(tally, records, calls, settled=settled)
        if width < max(60, 2 * len(words(at=count(records)))):
            return words()
        return words(at=count(self.rows.cursor + 1))

    def _command_words(self) -> tuple[tuple[str, Role], ...]:
        here, store = self.trail.here, self.session.store
        focused = self.focused
        bundle = self.detail.bundle
        if focused is not None and self.detail in focused.ancestors_with_self and bundle:
            return ((" $ ", "dim"), (command.show(bundle.detail.row.id, store), "key"))
        if here.fixed is not None:
            return ((f" {here.words()}, from ", "dim"), (command.show(here.origin, store), "key"))
        return ((" $ ", "dim"), (command.search(here.filter, store), "key"))
