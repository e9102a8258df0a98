"""Progress of long work: how far, how fast, how long still. Drawn by `console.diagnostics`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from console import diagnostics

_INTERVAL_S = 0.1
_WIDTH = 24


class Progress:
    """A progress line for one piece of work; use as a context manager.

    Args:
        what: what is being done, e.g. ``verifying``.
        unit: what is counted, e.g. ``records``.
        clock: seconds, for tests.
    """

    def __init__(
        self, what: str, unit: str = "records", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._unit = unit
        self._clock = clock
        self._started = clock()
        self._drawn = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        diagnostics.clear_status()

    def __call__(self, done: int, total: int | None = None) -> None:
        """Take note of how far the work is; draws at most ten times a second."""
        now = self._clock()
        if now - self._drawn < _INTERVAL_S:
            return
        self._drawn = now
        diagnostics.status(self.line(done, total))

    def bytes(self, done: int, total: int | None, count: int) -> None:
        """Take note of bytes read and units made; the bar follows the bytes."""
        share = None if not total else min(done, total) / total
        self(count, None if not share else max(round(count / share), 1))

    def line(self, done: int, total: int | None = None) -> str:
        """The progress line as text."""
        elapsed = max(self._clock() - self._started, 1e-9)
        rate = done / elapsed
        speed = f"{rate:,.0f} {self._unit}/s"
        if not total:
            return f"{self._what}  {done:,} {self._unit}  {speed}"
        done = min(done, total)
        filled = _WIDTH * done // total
        bar = "#" * filled + "." * (_WIDTH - filled)
        left = f"  {(total - done) / rate:,.0f} s left" if rate > 0 else ""
        return f"{self._what} [{bar}] {100 * done // total}%  {done:,} of {total:,}  {speed}{left}"
