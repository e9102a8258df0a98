"""A menu over the screen: one key or Enter picks; what is not possible says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from console.presenters.spans import clip, line
from console.tui.widgets.one_line import OneLine

_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry.

    Attributes:
        key: the key that picks it.
        title: untrusted text.
        reason: why it cannot be picked; empty when it can.
    """

    key: str
    title: str
    reason: str = ""


class ChoiceScreen(ModalScreen[str]):
    """Gives the key of the picked entry, or an empty text when left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "Leave")]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._choices = choices

    def compose(self) -> ComposeResult:
        """A title and the entries."""
        with Vertical(classes="box"):
            yield OneLine(id="choice-title")
            yield OptionList(*map(self._option, self._choices), markup=False)

    def on_mount(self) -> None:
        """Say what is asked."""
        self.query_one(OneLine).show(line((self._title, "title")), line(("Esc leaves", "dim")))
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or click."""
        self.dismiss(self._choices[event.option_index].key)

    def on_key(self, event: events.Key) -> None:
        """The entry's own key."""
        for choice in self._choices:
            if event.character == choice.key:
                event.stop()
                if choice.reason:
                    self.query_one(OneLine).show(line((f"! {choice.reason}", "warn")))
                else:
                    self.dismiss(choice.key)

    def action_leave(self) -> None:
        """Pick nothing."""
        self.dismiss("")

    def _option(self, choice: Choice) -> Option:
        said = f"{choice.title} ({choice.reason})" if choice.reason else choice.title
        content = Content(f" {choice.key}  {clip(said, _WIDTH)}")
        return Option(content, disabled=bool(choice.reason))
