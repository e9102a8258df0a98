"""Clocks that are not where the machine's is."""

from __future__ import annotations

from logstore.storage.clock import SystemClock

DAY_US = 86_400_000_000


class Shifted(SystemClock):
    """The machine's clock, moved.

    Args:
        by_us: how far, microseconds; negative for the past.
    """

    def __init__(self, by_us: int) -> None:
        super().__init__()
        self.by_us = by_us

    def wall_us(self) -> int:
        return super().wall_us() + self.by_us
