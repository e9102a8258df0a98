"""The clock seam: wall time, monotonic time and which boot they belong to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """Where times on records come from."""

    boot: str
    """First 8 hex digits of the boot id; monotonic times compare only within one boot."""

    def wall_us(self) -> int:
        """Microseconds since 1970 UTC."""
        ...

    def mono_us(self) -> int:
        """Monotonic microseconds since some moment of this boot."""
        ...


class SystemClock:
    """The machine's clocks; implements `Clock`."""

    def __init__(self) -> None:
        try:
            self.boot = _BOOT_ID.read_text()[:8]
        except OSError:
            self.boot = "00000000"

    def wall_us(self) -> int:
        """See `Clock.wall_us`."""
        return time.time_ns() // 1000

    def mono_us(self) -> int:
        """See `Clock.mono_us`."""
        return time.monotonic_ns() // 1000
