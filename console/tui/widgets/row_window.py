"""A table over any number of rows that holds only the pages around the view (Line API).

At most one page is being fetched at a time, and the next one is chosen when it has arrived, by
what is visible *then*: dragging the scroll bar across a million rows costs a handful of fetches.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.presenters import rows as table
from console.presenters.spans import Line
from console.presenters.verdict import Standing
from console.tui.paint import SPAN_CLASSES, strip
from console.tui.widgets.pages import PAGE, Load, Pages
from logstore.errors import AirconError
from logstore.query.rows import Row


class RowWindow(ScrollView, can_focus=True):
    """The record table: a heading, rows, a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--cursor", "row--heading", *SPAN_CLASSES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+d,space", "page(1)", "Page down", show=False),
        Binding("home,g", "first", "Oldest", show=False),
        Binding("end,G", "last", "Newest", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another row, or its row has arrived."""

        def __init__(self, position: int, row: Row | None) -> None:
            super().__init__()
            self.position = position
            self.row = row

        def can_replace(self, message: Message) -> bool:
            """A newer position makes an older one needless."""
            return isinstance(message, RowWindow.Moved)

    class Opened(Message):
        """A row was double-clicked."""

    class LoadFailed(Message):
        """A page could not be fetched."""

        def __init__(self, error: AirconError) -> None:
            super().__init__()
            self.error = error

    class Fetched(Message):
        """From the worker thread: a page has arrived."""

        def __init__(self, turn: int, page: int, found: Sequence[Row] | AirconError) -> None:
            super().__init__()
            self.turn = turn
            self.page = page
            self.found = found

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.cursor = 0
        self.standing = Standing()
        self.fetches = 0
        """Pages asked for since the start; tests hold it down."""
        self._pages = Pages()
        self._load: Load | None = None
        self._turn = 0
        self._fetching = False
        self._columns = table.layout(80)
        self._cells = 80
        self._notice: list[Line] = []

    # -- what is shown ---------------------------------------------------------------------

    def show_rows(self, load: Load, count: int, *, cursor: int | None = None) -> None:
        """Show other rows; the cursor goes to the last one unless told otherwise."""
        self._turn += 1
        self._fetching = False
        self._load = load
        self._notice = []
        self._pages.clear()
        self._pages.count = count
        self.cursor = max(min(count - 1 if cursor is None else cursor, count - 1), 0)
        self._resize_to(count)
        self._reveal()
        self._changed()

    def show_notice(self, lines: list[Line]) -> None:
        """Show words in place of rows."""
        self._turn += 1
        self._load = None
        self._notice = lines
        self._pages.clear()
        self._pages.count = 0
        self.cursor = 0
        self._resize_to(0)
        self.refresh()

    def grow(self, load: Load, count: int, *, follow: bool) -> None:
        """More rows came at the end; `follow` moves the cursor along."""
        self._load = load
        self._notice = []
        self._pages.grow(count)
        self._resize_to(count)
        if follow:
            self.cursor = max(count - 1, 0)
            self._reveal()
        self._changed()

    def reload(self) -> None:
        """Fetch what is visible again."""
        if self._load is not None:
            self.show_rows(self._load, self._pages.count, cursor=self.cursor)

    def show_standing(self, standing: Standing) -> None:
        """The proof marks depend on how far the log is verified."""
        self.standing = standing
        self.refresh()

    @property
    def count(self) -> int:
        """Rows there are."""
        return self._pages.count

    @property
    def pages_held(self) -> int:
        """Pages in memory."""
        return self._pages.held

    @property
    def loading_rows(self) -> bool:
        """Whether rows around the view are still on their way."""
        return self._fetching

    @property
    def row(self) -> Row | None:
        """The row under the cursor, when it is here."""
        return self._pages.row(self.cursor) if self.count else None

    @property
    def at_end(self) -> bool:
        """Whether the cursor is on the last row and that row is in view."""
        return self.cursor >= self.count - 1 and self.scroll_offset.y >= self.max_scroll_y

    # -- moving ----------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.go_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by screens."""
        self.go_to(self.cursor + by * max(self._visible - 1, 1))

    def action_first(self) -> None:
        """To the oldest row."""
        self.go_to(0)

    def action_last(self) -> None:
        """To the newest row."""
        self.go_to(self.count - 1)

    def go_to(self, position: int) -> None:
        """Put the cursor on a row and bring it into view."""
        self.cursor = max(min(position, self.count - 1), 0)
        self._reveal()
        self._changed()

    def on_click(self, event: events.Click) -> None:
        """Click puts the cursor, double click opens."""
        position = int(self.scroll_offset.y) + event.y - 1
        if event.y < 1 or position >= self.count:
            return
        self.go_to(position)
        if event.chain == 2:
            self.post_message(self.Opened())

    # -- fetching --------------------------------------------------------------------------

    def on_row_window_fetched(self, message: Fetched) -> None:
        """A page is here: show it, then see what is visible now."""
        message.stop()
        if message.turn != self._turn:
            return
        self._fetching = False
        if isinstance(message.found, AirconError):
            self.post_message(self.LoadFailed(message.found))
            return
        self._pages.put(message.page, message.found)
        self.refresh()
        if message.page == self.cursor // PAGE:
            self.post_message(self.Moved(self.cursor, self.row))
        self._pump()

    def _pump(self) -> None:
        first = int(self.scroll_offset.y)
        page = self._pages.missing(first, first + self._visible)
        if self._fetching or self._load is None or page is None:
            return
        self._fetching = True
        self.fetches += 1
        start = page * PAGE
        many = min(PAGE, self.count - start)
        fetch = partial(self._fetch, self._load, self._turn, page, (start, many))
        self.run_worker(fetch, thread=True, group="pages", exit_on_error=False)

    def _fetch(self, load: Load, turn: int, page: int, span: tuple[int, int]) -> None:
        found: Sequence[Row] | AirconError
        try:
            found = load(*span)
        except AirconError as error:
            found = error
        self.post_message(self.Fetched(turn, page, found))

    # -- drawing ---------------------------------------------------------------------------

    @property
    def _visible(self) -> int:
        return max(self.scrollable_content_region.height - 1, 1)

    def _resize_to(self, count: int) -> None:
        self.virtual_size = Size(0, count + 1 if count else 0)

    def _reveal(self) -> None:
        top = int(self.scroll_offset.y)
        wanted = min(max(top, self.cursor - self._visible + 1), self.cursor)
        if self.cursor >= self.count - 1:
            wanted = max(self.count - self._visible, 0)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    def _changed(self) -> None:
        self._pump()
        self.refresh()
        self.post_message(self.Moved(self.cursor, self.row))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whatever scrolled, fetch what came into view."""
        super().watch_scroll_y(old_value, new_value)
        self._pump()

    def _columns_for(self, cells: int) -> tuple[table.Column, ...]:
        # The scroll bar comes and goes without a resize, so the width is looked at when drawing.
        if cells != self._cells:
            self._cells = cells
            self._columns = table.layout(max(cells, 20))
        return self._columns

    def on_resize(self) -> None:
        """The cursor stays in view."""
        self._resize_to(self.count)
        self._reveal()
        self._pump()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        cells = self.scrollable_content_region.width
        if self._notice:
            at = y - max((self.size.height - len(self._notice)) // 3, 0)
            spans = self._notice[at] if 0 <= at < len(self._notice) else ()
            return strip(self, spans, cells)
        columns = self._columns_for(cells)
        if y == 0:
            style = self.get_component_rich_style("row--heading", partial=True)
            return strip(self, table.heading(columns), cells, style)
        position = int(self.scroll_offset.y) + y - 1
        if position >= self.count:
            return strip(self, (), cells)
        row = self._pages.row(position)
        spans = table.waiting(columns) if row is None else table.cells(row, columns, self.standing)
        over = None
        if position == self.cursor:
            over = self.get_component_rich_style("row--cursor", partial=True)
        return strip(self, spans, cells, over)
