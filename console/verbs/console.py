"""`aircon console`: the explorer, where there is a terminal."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading

from console import diagnostics
from console.opening import OpenStore
from logstore.errors import UsageError


def run(args: argparse.Namespace) -> int:
    """Open the explorer; returns what it returns.

    Raises:
        UsageError: this is no terminal that can show it.
    """
    reason = unfit_terminal()
    if reason:
        raise UsageError(
            f"the console needs a terminal: {reason}",
            kept="Nothing was opened.",
            todo="Use `aircon search`, `tail`, `show` and `sql`: they do the same without one.",
        )
    begin_loading()
    with OpenStore(args, "console") as store:
        return explore(store)


def begin_loading() -> None:
    """Load the screen's libraries beside what comes first: the passphrase, the store, its files."""
    # A daemon: a store that cannot be opened is said at once, not after the libraries are there.
    threading.Thread(target=importlib.import_module, args=("console.tui.app",), daemon=True).start()


def explore(store: OpenStore) -> int:
    """Run the explorer over an open store.

    What is slow to open is opened before, while a progress line can still be seen.
    """
    from console.tui.app import run as run_app

    store.explorer.refresh()
    with diagnostics.silence():
        return run_app(store)


def unfit_terminal() -> str:
    """Why the explorer cannot be shown here; empty where it can."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        return "standard input, output or error is not one"
    if os.environ.get("TERM", "dumb") == "dumb":
        return "TERM is dumb"
    return ""
