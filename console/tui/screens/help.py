"""All keys, the glyphs, and the filter language."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from console.presenters.spans import Line, Role, line
from console.presenters.verdict import STATES
from console.presenters.wrapping import wrap
from console.tui.keys import ACTIONS, MOVES
from console.tui.widgets.key_bar import KeyBar
from console.tui.widgets.lines_view import LinesView
from logstore.query.filters import KEYS

_KEY = 16
_FLAGS: tuple[tuple[str, str, Role], ...] = (
    ("!", "the call failed", "bad"),
    ("+", "tools were called", "warn"),
    ("~", "the source lost something; facts (2) says what", "warn"),
)


_SHOWN = (
    "  Control, bidi and invisible characters of the log are shown as symbols, and text hidden in"
    " tag characters is spelled out: nothing in a record can act on this terminal. Times are UTC."
    " Verified means unchanged since it was recorded, not that what a record says is true."
)


def help_lines(cells: int) -> list[Line]:
    """The help text, laid out for a width in terminal cells."""
    out = [line(("KEYS", "title"))]
    for action in ACTIONS:
        out += _entry(action.shown, f"{action.title}: {action.help}", "key", cells)
    out += [(), line(("MOVING", "title"))]
    for keys, said in MOVES:
        out += _entry(keys, said, "key", cells)
    out += [(), line(("FILTER WORDS", "title")), line("  All must hold. Other words are text.")]
    for word, said in KEYS.items():
        out += _entry(f"{word}:", said, "key", cells)
    out += [(), line(("MARKS IN THE TABLE", "title"))]
    out += _entry("✔", "leaf, chain and tree verified up to a checkpoint", "good", cells)
    for state, (glyph, said) in STATES.items():
        out += _entry(glyph, f"{state}: {said}", "dim", cells)
    for glyph, said, role in _FLAGS:
        out += _entry(glyph, said, role, cells)
    out += [(), line(("WHAT IS SHOWN", "title"))]
    return out + [line(text) for text in wrap(_SHOWN, cells)]


def _entry(key: str, said: str, role: Role, cells: int) -> list[Line]:
    """A key and what it means; what does not fit stands below, under the meaning."""
    first, *more = wrap(said, max(cells - _KEY - 2, 1))
    rest = [line(" " * (_KEY + 2) + text) for text in more]
    return [line((f"  {key:<{_KEY}}", role), first), *rest]


class HelpText(LinesView):
    """The help, laid out for its own width."""

    def on_resize(self) -> None:
        """The terminal changed, or the scroll bar came."""
        cells = max(self.scrollable_content_region.width, 20)
        self.show_lines(help_lines(cells), at=int(self.scroll_offset.y))


class HelpScreen(Screen[None]):
    """Scrolls; Esc leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1", "leave", "Leave")]

    def compose(self) -> ComposeResult:
        """Lines and keys."""
        yield HelpText(id="help-lines")
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
