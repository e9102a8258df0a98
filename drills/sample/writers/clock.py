"""Times in the spellings of the formats."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_ms(when_us: int) -> str:
    """``2026-11-03T06:31:31.446Z``."""
    moment = datetime.fromtimestamp(when_us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{when_us // 1000 % 1000:03d}Z"


def iso_s(when_us: int) -> str:
    """``2026-11-03T06:31:31Z``."""
    return f"{datetime.fromtimestamp(when_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def seconds(when_us: int) -> float:
    """Seconds since 1970 with microseconds."""
    return when_us / 1_000_000
