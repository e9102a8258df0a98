"""The time histogram: bars, an axis, a range to zoom into by keys or mouse."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from console.presenters.bars import bars, span_of, ticks
from console.presenters.figures import moment, plural, tally
from console.presenters.spans import Line, Span, line
from console.tui.paint import SPAN_CLASSES, strip
from logstore.query.rows import Histogram


class TimeHistogram(Widget, can_focus=True):
    """Calls over time, or records where there are none.

    One bucket per cell; errors are marked by ``!`` on their own row.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"bar--fill", "bar--picked", *SPAN_CLASSES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1, False)", "Earlier", show=False),
        Binding("right", "move(1, False)", "Later", show=False),
        Binding("shift+left", "move(-1, True)", "Widen to earlier", show=False),
        Binding("shift+right", "move(1, True)", "Widen to later", show=False),
        Binding("home", "move(-9999, False)", "First", show=False),
        Binding("end", "move(9999, False)", "Last", show=False),
        Binding("enter", "zoom", "Zoom in", show=False),
    ]

    class Zoomed(Message):
        """A range was chosen: from `since_us` inclusive to `until_us` exclusive."""

        def __init__(self, since_us: int, until_us: int) -> None:
            super().__init__()
            self.since_us = since_us
            self.until_us = until_us

    class Resized(Message):
        """Another number of buckets fits now."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._data: Histogram | None = None
        self._picked: tuple[int, int] | None = None
        self._dragging = False

    @property
    def buckets(self) -> int:
        """How many buckets to ask for."""
        return max(self.size.width, 1)

    def show_counts(self, data: Histogram | None) -> None:
        """Show other counts; None while they are being made."""
        if data is None or self._data is None or self._data.start_us != data.start_us:
            self._picked = None
        self._data = data if data is not None and data.counts else None
        self.refresh()

    def action_move(self, by: int, widen: bool) -> None:
        """Move the picked bucket, or widen the range."""
        if self._data is None:
            return
        last = len(self._data.counts) - 1
        start, end = self._picked or (last + (by < 0), last + (by < 0))
        end = max(min(end + by, last), 0)
        self._picked = (start if widen else end, end)
        self.refresh()

    def action_zoom(self) -> None:
        """Zoom to the picked range."""
        if self._data is None or self._picked is None:
            return
        data = self._data
        span = span_of(*self._picked, data.start_us, data.end_us, len(data.counts))
        if span[1] - span[0] < data.end_us - data.start_us:
            self.post_message(self.Zoomed(*span))

    def on_resize(self) -> None:
        """Ask for other buckets."""
        self.post_message(self.Resized())

    def on_blur(self) -> None:
        """The picked range belongs to the keyboard."""
        self._picked = None
        self.refresh()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A drag picks a range."""
        if self._data is not None:
            self._dragging = True
            self.capture_mouse()
            at = self._bucket(event.x)
            self._picked = (at, at)
            self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Widen while dragging."""
        if self._dragging and self._picked is not None:
            self._picked = (self._picked[0], self._bucket(event.x))
            self.refresh()

    def on_mouse_up(self) -> None:
        """Zoom to what was dragged over; a plain click only picks."""
        if self._dragging:
            self._dragging = False
            self.release_mouse()
            if self._picked is not None and self._picked[0] != self._picked[1]:
                self.action_zoom()

    def on_click(self, event: events.Click) -> None:
        """Double click zooms into one bucket."""
        if event.chain == 2 and self._data is not None:
            at = self._bucket(event.x)
            self._picked = (at, at)
            self.action_zoom()

    def render_line(self, y: int) -> Strip:
        """Bars, then the axis."""
        cells = self.size.width
        if self._data is None:
            return strip(self, line(("", "dim")), cells)
        height = max(self.size.height - 1, 1)
        if y < height:
            return self._bar_line(y, height, cells)
        return strip(self, self._axis(self._data, cells), cells)

    def _bar_line(self, y: int, height: int, cells: int) -> Strip:
        assert self._data is not None
        shown = bars(self._data.counts, height)[y]
        errors = self._data.errors if y == height - 1 else ()
        fill = self.get_component_rich_style("bar--fill", partial=True)
        text = "".join(
            "!" if at < len(errors) and errors[at] else glyph for at, glyph in enumerate(shown)
        )
        if self._picked is None:
            return self._with_errors(text, cells, y == height - 1)
        low, high = sorted(self._picked)
        picked = self.get_component_rich_style("bar--picked", partial=True)
        parts = (text[:low], text[low : high + 1], text[high + 1 :])
        whole = [strip(self, (Span(part),), len(part), fill) for part in parts]
        whole[1] = strip(self, (Span(parts[1]),), len(parts[1]), fill + picked)
        return Strip.join(whole).adjust_cell_length(cells, self.rich_style)

    def _with_errors(self, text: str, cells: int, bottom: bool) -> Strip:
        fill = self.get_component_rich_style("bar--fill", partial=True)
        if not bottom or "!" not in text:
            return strip(self, (Span(text),), cells, fill)
        pieces: list[Strip] = []
        for glyph in text:
            if glyph == "!":
                pieces.append(strip(self, (Span("!", "bad"),), 1))
            else:
                pieces.append(strip(self, (Span(glyph),), 1, fill))
        return Strip.join(pieces).adjust_cell_length(cells, self.rich_style).simplify()

    def _axis(self, data: Histogram, cells: int) -> Line:
        if self._picked is None:
            return line((ticks(data.start_us, data.end_us, cells), "dim"))
        since, until = span_of(*self._picked, data.start_us, data.end_us, len(data.counts))
        when, hint = f"{moment(since)} to {moment(until)} UTC: ", " Enter zooms in"
        low, high = sorted(self._picked)
        records = sum(data.records[low : high + 1])
        calls = None if data.calls is None else sum(data.calls[low : high + 1])
        said = tally(records, calls, settled=data.settled)
        if calls is not None and len(when + said + hint) > cells:
            said = plural(calls, "call")
        return line((when + said, "strong"), (hint, "dim"))

    def _bucket(self, x: int) -> int:
        assert self._data is not None
        return max(min(x, len(self._data.counts) - 1), 0)
