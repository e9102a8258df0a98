"""The filter line: typed text, history, and errors in place."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from console.presenters.spans import Line, line
from console.text import one_line
from console.tui.widgets.one_line import OneLine

HISTORY = 100
"""Filters remembered, in memory only: they name people."""


class SafeInput(Input):
    """An input that cannot hold, and so cannot show, what a terminal would obey."""

    def validate_value(self, value: str) -> str:
        """Everything that gets in, typed, pasted or set, is made showable."""
        return one_line(value)


class FilterBar(Vertical):
    """`/` enters, Enter applies, Esc leaves; up and down walk through the history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", priority=True),
        Binding("enter", "app.nothing", "Apply"),
        Binding("up,down", "app.nothing", "History", key_display="↑↓"),
        Binding("ctrl+l", "clear", "Clear"),
    ]

    class Submitted(Message):
        """A filter line to apply."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The person left without applying."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._history: list[str] = []
        self._at = 0
        self._applied = ""

    def compose(self) -> ComposeResult:
        """An input and a line for errors and hints."""
        with Horizontal(id="filter-line"):
            yield OneLine(id="filter-sign")
            yield SafeInput(
                placeholder='everything; try user:maria model:gpt-5* since:2h is:error "any text"',
                compact=True,
                select_on_focus=False,
                id="filter-input",
            )
        yield OneLine(id="filter-say")

    @property
    def field(self) -> SafeInput:
        """The input."""
        return self.query_one(SafeInput)

    def show(self, words: str) -> None:
        """Show the filter in force."""
        self._applied = one_line(words)
        self.field.value = self._applied
        self.say(())

    def say(self, words: Line) -> None:
        """Show an error or a hint under the input; nothing hides the line."""
        hint = self.query_one("#filter-say", OneLine)
        hint.show(words)
        hint.display = bool(words)

    def enter(self) -> None:
        """Start editing."""
        self.field.focus()
        if self.field.value and not self.field.value.endswith(" "):
            self.field.value += " "
        self.field.cursor_position = len(self.field.value)

    def action_leave(self) -> None:
        """Back to the table; what was typed is dropped."""
        self.show(self._applied)
        self.post_message(self.Left())

    def action_clear(self) -> None:
        """Empty the line."""
        self.field.value = ""

    def on_mount(self) -> None:
        """No error at the start."""
        self.query_one("#filter-sign", OneLine).show(line((" /", "key")))
        self.say(())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Remember and hand on."""
        event.stop()
        text = event.value
        if text and (not self._history or self._history[-1] != text):
            self._history = [*self._history, text][-HISTORY:]
        self._at = len(self._history)
        self.post_message(self.Submitted(text))

    def on_input_changed(self, event: Input.Changed) -> None:
        """An old error does not outlive the text it was about."""
        event.stop()
        if event.value != self._applied:
            self.say(())

    def on_key(self, event: events.Key) -> None:
        """Walk through the history."""
        if event.key not in {"up", "down"}:
            return
        event.stop()
        event.prevent_default()
        if not self._history:
            self.say(line(("no filters in the history yet", "dim")))
            return
        self._at = max(min(self._at + (-1 if event.key == "up" else 1), len(self._history)), 0)
        kept = self._history[self._at] if self._at < len(self._history) else ""
        self.field.value = kept
        self.field.cursor_position = len(kept)
