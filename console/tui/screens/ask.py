"""One question with a typed answer: a path, or a passphrase."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from console.presenters.spans import line
from console.tui.widgets.filter_bar import SafeInput
from console.tui.widgets.lines_view import LinesView
from console.tui.widgets.one_line import OneLine


class AskScreen(ModalScreen[str]):
    """Gives what was typed, or an empty text when left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave", priority=True)]

    def __init__(
        self, title: str, explain: tuple[str, ...] = (), *, value: str = "", secret: bool = False
    ) -> None:
        super().__init__()
        self._title = title
        self._explain = explain
        self._value = value
        self._secret = secret

    def compose(self) -> ComposeResult:
        """A title, an input, an explanation."""
        with Vertical(classes="box"):
            yield OneLine(id="ask-title")
            yield SafeInput(self._value, password=self._secret, select_on_focus=False)
            yield LinesView([line((said, "dim")) for said in self._explain], id="ask-explain")

    def on_mount(self) -> None:
        """Say what is asked."""
        self.query_one(OneLine).show(line((self._title, "title")), line(("Esc leaves", "dim")))
        self.query_one("#ask-explain", LinesView).can_focus = False
        self.query_one(SafeInput).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter answers."""
        event.stop()
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Answer nothing."""
        self.dismiss("")
