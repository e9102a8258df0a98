"""Driving the console in tests: waiting until it has nothing left to do, pressing, looking."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from textual.pilot import Pilot

from console.tui.screens.explorer import ExplorerScreen

PATIENCE_S = 30
"""A busy machine is no reason to fail; a console that never comes to rest is."""


async def settle(pilot: Pilot[Any]) -> None:
    """Until no worker runs, nothing is being fetched and messages are handled."""
    quiet = 0
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        await pilot.pause()
        screen = pilot.app.screen_stack[0]
        running = [w for w in pilot.app.workers if not w.is_finished and w.group != "default"]
        busy = isinstance(screen, ExplorerScreen) and (
            screen.rows.loading_rows or (screen.busy_since is not None)
        )
        quiet = 0 if running or busy else quiet + 1
        if quiet >= 2:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the console does not come to rest")


def screen_of(pilot: Pilot[Any]) -> ExplorerScreen:
    """The explorer, also when a menu stands over it."""
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, ExplorerScreen)
    return screen


def seen(pilot: Pilot[Any]) -> str:
    """Everything on the screen, as text."""
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in lines)


async def press(pilot: Pilot[Any], *names: str) -> None:
    """Press keys, waiting for the console after each."""
    for name in names:
        await pilot.press(name)
        await settle(pilot)


async def go_to(pilot: Pilot[Any], position: int) -> None:
    """Put the cursor on a row and wait until that row is there."""
    screen_of(pilot).rows.go_to(position)
    await settle(pilot)
