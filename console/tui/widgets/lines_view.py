"""A scrollable view of prepared lines (Line API): any number of them costs nothing to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.presenters.spans import Line
from console.tui.paint import SPAN_CLASSES, strip


class LinesView(ScrollView, can_focus=True):
    """Lines from a presenter, laid out for this width already."""

    COMPONENT_CLASSES = SPAN_CLASSES
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("pageup,ctrl+u", "page_up", "Page up", show=False),
        Binding("pagedown,ctrl+d,space", "page_down", "Page down", show=False),
        Binding("home,g", "scroll_home", "Top", show=False),
        Binding("end,G", "scroll_end", "Bottom", show=False),
    ]

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.lines = lines

    def show_lines(self, lines: Sequence[Line], *, at: int = 0) -> None:
        """Show other lines, from line `at` on."""
        self.lines = lines
        self._fit()
        self.scroll_to(y=at, animate=False, force=True, immediate=True)
        self.refresh()

    def on_mount(self) -> None:
        """The lines given at the start have a height."""
        self._fit()

    def on_resize(self) -> None:
        """The scroll bar may come or go."""
        self._fit()

    def _fit(self) -> None:
        self.virtual_size = Size(0, len(self.lines))

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        at = int(self.scroll_offset.y) + y
        spans = self.lines[at] if at < len(self.lines) else ()
        return strip(self, spans, self.scrollable_content_region.width)
