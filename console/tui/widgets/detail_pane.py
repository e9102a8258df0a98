"""The record being read: five views over one bundle, laid out in a worker thread."""

from __future__ import annotations

from functools import partial

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from console.presenters.spans import Line, Span, line, plain, width
from console.presenters.verdict import Standing
from console.presenters.views import VIEWS, Bundle, lay_out
from console.tui.widgets.lines_view import LinesView
from console.tui.widgets.one_line import OneLine


class DetailPane(Vertical):
    """Tabs, then lines."""

    class LaidOut(Message):
        """From the worker thread: lines for a view."""

        def __init__(self, turn: int, lines: list[Line], at: int) -> None:
            super().__init__()
            self.turn = turn
            self.lines = lines
            self.at = at

    def __init__(self, store: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.view = "talk"
        self.bundle: Bundle | None = None
        self._store = store
        self._standing = Standing()
        self._turn = 0
        self._at: tuple[str, int] = ("", -1)
        self._cells = 0

    def compose(self) -> ComposeResult:
        """Tabs and lines."""
        yield OneLine(id="detail-tabs")
        yield LinesView(id="detail-lines")

    @property
    def lines(self) -> LinesView:
        """The lines view."""
        return self.query_one(LinesView)

    def on_mount(self) -> None:
        """Tabs stand before there is anything to show."""
        self._show_tabs()

    def show_bundle(self, bundle: Bundle) -> None:
        """Show another record, or more of the same."""
        self.bundle = bundle
        self._lay_out()

    def show_message(self, words: list[Line]) -> None:
        """Show words instead of a record."""
        self.bundle = None
        self._turn += 1
        self._at = ("", -1)
        self._show_tabs()
        self.lines.show_lines(words)

    def show_view(self, view: str) -> None:
        """Switch the view."""
        self.view = view
        self._show_tabs()
        self._lay_out()

    def show_standing(self, standing: Standing) -> None:
        """Proof words depend on it."""
        changed = standing.verified_to() != self._standing.verified_to()
        self._standing = standing
        if self.view in {"facts", "proof"} and changed:
            self._lay_out()

    def text(self) -> str:
        """What is shown, as text."""
        return plain(self.lines.lines)

    def on_resize(self) -> None:
        """Lines are laid out for one width."""
        if self._width() != self._cells:
            self._lay_out()

    def on_click(self, event: events.Click) -> None:
        """Tabs can be clicked."""
        if event.widget is None or event.widget.id != "detail-tabs":
            return
        at = 0
        for number, view in enumerate(VIEWS, 1):
            at += width(self._tab(number, view))
            if event.x < at:
                self.show_view(view)
                return

    def on_detail_pane_laid_out(self, message: LaidOut) -> None:
        """Show what was laid out, unless something newer is on its way."""
        message.stop()
        if message.turn != self._turn or self.bundle is None:
            return
        now = (self.view, self.bundle.detail.row.index)
        at = int(self.lines.scroll_offset.y) if now == self._at and not message.at else message.at
        self._at = now
        self.lines.show_lines(message.lines, at=at)

    def _lay_out(self) -> None:
        if self.bundle is None or self._width() < 10:
            return
        self._turn += 1
        self._cells = self._width()
        work = partial(
            self._work, self._turn, partial(lay_out, self.view, self.bundle), self._cells
        )
        self.run_worker(work, thread=True, group="layout", exclusive=True, exit_on_error=False)

    def _work(self, turn: int, make: partial[tuple[list[Line], int]], cells: int) -> None:
        lines, at = make(self._standing, self._store, cells)
        self.post_message(self.LaidOut(turn, lines, at))

    def _width(self) -> int:
        return max(self.size.width - 2, 0)

    def _show_tabs(self) -> None:
        tabs: list[Span] = []
        for number, view in enumerate(VIEWS, 1):
            tabs += self._tab(number, view)
        self.query_one(OneLine).show(tuple(tabs))

    def _tab(self, number: int, view: str) -> Line:
        if view == self.view:
            return line((f"[{number} {view}]", "title"))
        return line((f" {number} {view} ", "dim"))
