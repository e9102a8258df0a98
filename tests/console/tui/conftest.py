"""Pilots over synthetic stores, and waiting until the console has nothing left to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from support.console_pilot import settle
from support.fake_explorer import FakeSession
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.screens import answers

Opened = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests does not matter."""
    for name in ("NO_COLOR", "TMUX", "TEXTUAL_THEME", "AIRCON_CLIPBOARD", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(answers, "READ_S", 0.001)


@pytest.fixture
def open_console() -> Opened:
    """`async with open_console(session, (80, 24)) as pilot`."""

    @asynccontextmanager
    async def opened(
        session: FakeSession, size: tuple[int, int] = (80, 24), *, rest: bool = True
    ) -> AsyncIterator[Pilot[None]]:
        app = ConsoleApp(session)
        async with app.run_test(size=size, notifications=True) as pilot:
            if rest:
                await settle(pilot)
            yield pilot

    return opened
