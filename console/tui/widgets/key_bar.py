"""The bottom line: the keys that matter here. Whole entries only, never a cut one; clickable."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from console.presenters.spans import Span
from console.tui.paint import SPAN_CLASSES, strip


class KeyBar(Widget):
    """Key, title and action of each entry."""

    COMPONENT_CLASSES = SPAN_CLASSES

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._entries: Sequence[tuple[str, str, str]] = ()

    def show(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Show other keys."""
        self._entries = entries
        self.refresh()

    def _placed(self) -> list[tuple[int, int, tuple[str, str, str]]]:
        placed, at = [], 1
        for entry in self._entries:
            taken = cell_len(entry[0]) + 1 + cell_len(entry[1])
            if at + taken > self.size.width:
                break
            placed.append((at, at + taken, entry))
            at += taken + 2
        return placed

    def render_line(self, y: int) -> Strip:
        """The one line."""
        spans: list[Span] = [Span(" ")]
        for _, _, (key, title, _) in self._placed() if y == 0 else ():
            spans += [Span(key, "key"), Span(f" {title}  ")]
        return strip(self, tuple(spans), self.size.width)

    async def on_click(self, event: events.Click) -> None:
        """A click does what the key does."""
        for start, end, (_, _, action) in self._placed():
            if start <= event.x < end:
                await self.screen.run_action(action)
                return
