"""The verification report: what was found, what it means, and running it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from console.presenters.spans import Line, line
from console.presenters.verdict import Standing, summary
from console.presenters.wrapping import wrap
from console.tui.widgets.key_bar import KeyBar
from console.tui.widgets.lines_view import LinesView


def report_lines(standing: Standing, command: str, cells: int) -> list[Line]:
    """The report for a person."""
    out: list[Line] = [line(("VERIFICATION", "title")), (), summary(standing), ()]
    for said in standing.lines:
        out += [line(made) for made in wrap(said, cells)]
    if standing.lines:
        out.append(())
    return [*out, line(("$ ", "dim"), (command, "key"))]


class ReportScreen(Screen[None]):
    """Lives along with the verification that runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "leave", "Leave"),
        Binding("r", "again", "Run again"),
        Binding("x", "stop", "Stop"),
    ]

    def __init__(
        self, standing: Standing, command: str, again: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        super().__init__()
        self._standing = standing
        self._command = command
        self._again = again
        self._stop = stop

    def compose(self) -> ComposeResult:
        """Lines and keys."""
        yield LinesView(id="report-lines")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Show what is known."""
        self.query_one(LinesView).focus()
        self.query_one(KeyBar).show(
            [("Esc", "Leave", "leave"), ("r", "Run again", "again"), ("x", "Stop", "stop")]
        )

    def on_resize(self) -> None:
        """Lines are laid out for one width."""
        self.show_standing(self._standing)

    def show_standing(self, standing: Standing) -> None:
        """Something changed."""
        self._standing = standing
        if self.is_mounted:
            view = self.query_one(LinesView)
            lines = report_lines(standing, self._command, max(self.size.width - 4, 20))
            view.show_lines(lines, at=int(view.scroll_offset.y))

    def action_again(self) -> None:
        """Run it again."""
        self._again()

    def action_stop(self) -> None:
        """Stop it."""
        self._stop()

    def action_leave(self) -> None:
        """Back."""
        self.dismiss()
