"""From styled lines to terminal cells: the last door before the screen.

Every text passes `one_line` once more here, so a presenter that forgot it cannot hurt anybody;
it changes nothing on text that has passed before.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.presenters.spans import Line, Role
from console.text import one_line

SPAN_CLASSES = {
    f"span--{role}"
    for role in (
        *("plain", "dim", "strong", "title", "good", "bad", "warn"),
        *("user", "model", "tool", "mark", "key"),
    )
}
"""Component classes a widget needs for `strip`; `console.tcss` gives them their look."""


def styles(widget: Widget, role: Role) -> Style:
    """How a role looks on a widget, without its background."""
    return widget.get_component_rich_style(f"span--{role}", partial=True)


def strip(widget: Widget, spans: Line, cells: int, over: Style | None = None) -> Strip:
    """One line of a widget, cut and filled to exactly `cells` cells.

    Args:
        widget: whose component styles apply.
        spans: the line.
        cells: the width.
        over: laid over everything, e.g. the cursor.
    """
    base = widget.rich_style
    segments = []
    for text, role in spans:
        style = base + styles(widget, role)
        segments.append(Segment(one_line(text), style + over if over is not None else style))
    fill = base + over if over is not None else base
    return Strip(segments).adjust_cell_length(cells, fill).simplify()
