"""A bar one line high with something on the left and something on the right."""

from __future__ import annotations

from rich.cells import cell_len
from textual.strip import Strip
from textual.widget import Widget

from console.presenters.spans import Line, Span, clip, width
from console.tui.paint import SPAN_CLASSES, strip


class OneLine(Widget):
    """Status and command lines; the right part stays whole when there is not enough room."""

    COMPONENT_CLASSES = SPAN_CLASSES

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._left: Line = ()
        self._right: Line = ()

    def show(self, left: Line, right: Line = ()) -> None:
        """Show other words."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The one line."""
        cells = self.size.width
        if y > 0:
            return strip(self, (), cells)
        room = cells - width(self._right) - (1 if self._right else 0)
        spans: list[Span] = []
        for text, role in self._left:
            shown = clip(text, room) if cell_len(text) > room else text
            room -= cell_len(shown)
            spans.append(Span(shown, role))
            if room <= 0:
                break
        spans.append(Span(" " * max(room, 0) + (" " if self._right else "")))
        return strip(self, (*spans, *self._right), cells)
