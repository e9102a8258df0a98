"""All keys, the glyphs, and the filter language."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from console.presenters.spans import Line, line
from console.presenters.verdict import STATES
from console.tui.keys import ACTIONS, MOVES
from console.tui.widgets.key_bar import KeyBar
from console.tui.widgets.lines_view import LinesView
from logstore.query.filters import KEYS

_KEY = 16


def help_lines() -> list[Line]:
    """The help text."""
    out = [line(("KEYS", "title"))]
    out += [line((f"  {a.shown:<{_KEY}}", "key"), f"{a.title}: {a.help}") for a in ACTIONS]
    out += [(), line(("MOVING", "title"))]
    out += [line((f"  {keys:<{_KEY}}", "key"), said) for keys, said in MOVES]
    out += [(), line(("FILTER WORDS", "title")), line("  All must hold. Other words are text.")]
    out += [line((f"  {key + ':':<{_KEY}}", "key"), said) for key, said in KEYS.items()]
    out += [(), line(("MARKS IN THE TABLE", "title"))]
    out += [
        line((f"  {'✔':<{_KEY}}", "good"), "leaf, chain and tree verified up to a checkpoint"),
        *(
            line((f"  {glyph:<{_KEY}}", "dim"), f"{state}: {said}")
            for state, (glyph, said) in STATES.items()
        ),
        line((f"  {'!':<{_KEY}}", "bad"), "the call failed"),
        line((f"  {'+':<{_KEY}}", "warn"), "tools were called"),
        line((f"  {'~':<{_KEY}}", "warn"), "the source lost something; facts (2) says what"),
    ]
    out += [(), line(("WHAT IS SHOWN", "title"))]
    out += [
        line("  Control, bidi and invisible characters of the log are shown as symbols, and"),
        line("  text hidden in tag characters is spelled out: nothing in a record can act on"),
        line("  this terminal. Times are UTC. Verified means unchanged since it was recorded,"),
        line("  not that what a record says is true."),
    ]
    return out


class HelpScreen(Screen[None]):
    """Scrolls; Esc leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1", "leave", "Leave")]

    def compose(self) -> ComposeResult:
        """Lines and keys."""
        yield LinesView(help_lines(), id="help-lines")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """The lines scroll at once."""
        self.query_one(LinesView).focus()
        self.query_one(KeyBar).show([("Esc", "Leave", "leave"), ("PgDn", "More", "more")])

    def action_more(self) -> None:
        """One screen on."""
        self.query_one(LinesView).action_page_down()

    def action_leave(self) -> None:
        """Back."""
        self.dismiss()
