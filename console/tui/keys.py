"""Every action of the explorer, in one table: keys, palette and help are all made from it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do.

    Attributes:
        keys: Textual key names, separated by commas.
        shown: the keys as a person reads them.
        action: the action it runs.
        title: two or three words.
        help: one line.
    """

    keys: str
    shown: str
    action: str
    title: str
    help: str

    def binding(self) -> Binding:
        """The key binding."""
        return Binding(self.keys, self.action, self.title, show=False)


ACTIONS: tuple[Action, ...] = (
    Action("slash", "/", "filter", "Filter", "type what to look for; Esc leaves"),
    Action("enter", "Enter", "open", "Open", "read the record under the cursor"),
    Action("escape", "Esc", "leave", "Leave", "back to the table; stops what is running"),
    Action("p", "p", "pivot", "Pivot", "same user, session, model, similar text, same call"),
    Action("b,backspace", "b", "back", "Back", "one step back through filters and pivots"),
    Action("f", "f", "follow", "Follow", "stay at the newest record; scrolling up pauses"),
    Action("exclamation_mark", "!", "errors", "Errors only", "show only what failed, or all"),
    Action("t", "t", "time", "Time range", "pick a range in the histogram; Enter zooms in"),
    Action("z", "z", "unzoom", "Whole span", "drop the time limits of the filter"),
    Action("left_square_bracket", "[", "step(-1)", "Previous record", "read the one before"),
    Action("right_square_bracket", "]", "step(1)", "Next record", "read the one after"),
    Action("1", "1", "view('talk')", "View: talk", "turns, tool calls, results"),
    Action("2", "2", "view('facts')", "View: facts", "who, model, tokens, gaps, how sure"),
    Action("3", "3", "view('raw')", "View: raw", "the source's own bytes"),
    Action("4", "4", "view('leaf')", "View: leaf", "the exact bytes that are hashed"),
    Action("5", "5", "view('proof')", "View: proof", "what proves it, how far it is verified"),
    Action("y", "y", "copy", "Copy", "id, command, text, leaf; or to a file"),
    Action("e", "e", "export", "Export", "write the rows or the record to a file"),
    Action("v", "v", "verify", "Verify", "the verification report; run it again"),
    Action("u", "u", "unlock", "Unlock", "give the passphrase to read content"),
    Action("r", "r", "refresh", "Refresh", "ask the same question again"),
    Action("T", "T", "theme", "Theme", "dark, light, high contrast"),
    Action("question_mark,f1", "?", "help", "Help", "all keys and the filter language"),
    Action("q", "q", "app.quit", "Quit", "leave the console"),
)
"""Screen-wide actions, in the order help shows them."""

MOVES: tuple[tuple[str, str], ...] = (
    ("↑ ↓  j k", "one row or line"),
    ("PgUp PgDn", "one screen (also Ctrl+U, Ctrl+D, Space)"),
    ("Home End  g G", "oldest and newest; top and bottom"),
    ("Tab", "table, detail, histogram in turn"),
    ("← →", "histogram: pick a bucket; Shift: a range; Enter zooms"),
    ("mouse", "click, double click opens, wheel, drag over bars zooms"),
    ("Ctrl+P", "command palette: every action by name"),
)
"""Keys of the widgets themselves."""

TABLE_KEYS = ("filter", "open", "pivot", "follow", "export", "help", "app.quit")
"""Key bar while the table has the focus: at most seven fit 80 columns."""
TABLE_KEYS_DEEP = ("filter", "open", "pivot", "back", "follow", "help", "app.quit")
"""The same after a pivot."""


def bar(names: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """(key, title, action) for a key bar."""
    by_action = {action.action: action for action in ACTIONS}
    return [(by_action[name].shown, by_action[name].title, name) for name in names]


DETAIL_BAR = [
    ("Esc", "Table", "leave"),
    ("1-5", "View", "next_view"),
    ("[ ]", "Record", "step(1)"),
    *bar(("pivot", "copy", "help", "app.quit")),
]
"""Key bar while the detail has the focus."""

TIME_BAR = [
    ("← →", "Pick", "nothing"),
    ("Shift+← →", "Widen", "nothing"),
    ("Enter", "Zoom", "zoom_time"),
    ("z", "Whole span", "unzoom"),
    ("Esc", "Table", "leave"),
    *bar(("help",)),
]
"""Key bar while the histogram has the focus."""

FILTER_BAR = [
    ("Enter", "Apply", "apply_filter"),
    ("Esc", "Leave", "leave_filter"),
    ("↑ ↓", "History", "nothing"),
    ("Ctrl+L", "Clear", "clear_filter"),
    ("Tab", "Table", "leave_filter"),
]
"""Key bar while the filter is being typed."""
