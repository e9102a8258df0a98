"""The console's Textual application and its entry point."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from console import diagnostics
from console.tui.keys import ACTIONS
from console.tui.screens.explorer import ExplorerScreen
from console.tui.session import Session
from console.tui.themes import DARK, LIGHT, THEMES
from logstore.errors import UsageError


class ConsoleApp(App[None]):
    """Holds the explorer; more rooms will follow."""

    TITLE = "aircon"
    CSS_PATH = "console.tcss"
    COMMAND_PALETTE_BINDING = "ctrl+p"
    ESCAPE_TO_MINIMIZE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "quit", "Quit", show=False, priority=True)
    ]

    def __init__(self, session: Session) -> None:
        # NO_COLOR means none at all: native colours let Textual's filter drop every colour code.
        colourless = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if colourless else None)
        self.session = session
        if "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        wished = os.environ.get("TEXTUAL_THEME", "")
        self.theme = wished if wished in self.available_themes else THEMES[0].name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colours under a theme that does not know them, e.g. one of Textual's own."""
        return (DARK if self.current_theme.dark else LIGHT).variables

    def get_default_screen(self) -> Screen[None]:
        """The explorer."""
        return ExplorerScreen(self.session)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the explorer by name, then the themes."""
        if not isinstance(screen, ExplorerScreen):
            return
        for action in ACTIONS:
            run = partial(screen.run_action, action.action)
            yield SystemCommand(f"{action.title} ({action.shown})", action.help, run)
        for theme in THEMES:
            look = partial(setattr, self, "theme", theme.name)
            yield SystemCommand(f"Theme: {theme.name}", "change the look", look)


def run(session: Session) -> int:
    """Show the console until the person leaves it.

    Returns:
        The exit code.
    """
    if not sys.stdin.isatty() or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        error = UsageError(
            "The console needs a terminal that can move its cursor.",
            todo="`aircon search`, `aircon show` and `aircon tail` say the same in plain lines.",
        )
        return diagnostics.report(error)
    # Opening may ask for a passphrase and show progress: both before the screen is ours.
    _ = (session.name, session.explorer)
    app = ConsoleApp(session)
    app.run()
    return app.return_code or diagnostics.OK
