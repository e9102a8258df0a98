"""When something is to end, as people say it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from logstore.errors import UsageError

_SPAN = re.compile(r"([1-9][0-9]{0,5})([hdw])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = "never"


def ends_us(said: str, now_us: int) -> int | None:
    """The first moment after it ended, microseconds since 1970 UTC; None for never.

    Args:
        said: ``12h``, ``90d``, ``6w``, ``never``, or a date, which is included, as UTC has it.
        now_us: the moment.

    Raises:
        UsageError: it is none of these, or over already.
    """
    if said == _NEVER:
        return None
    now = _EPOCH + timedelta(microseconds=now_us)
    try:
        end = _end(said, now)
    except (ValueError, OverflowError):
        end = None
    if end is None:
        raise UsageError(
            f"--expires {said}: when is that?", todo="Say 12h, 90d, 6w, 2027-06-30 or never."
        )
    if end <= now:
        raise UsageError(f"--expires {said}: that is over already")
    return (end - _EPOCH) // timedelta(microseconds=1)


def _end(said: str, now: datetime) -> datetime | None:
    if match := _SPAN.fullmatch(said):
        return now + int(match[1]) * _UNITS[match[2]]
    if _DATE.fullmatch(said):
        return datetime.fromisoformat(said).replace(tzinfo=UTC) + timedelta(days=1)
    return None
