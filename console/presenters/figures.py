"""Times, durations and counts as people read them. All times are UTC and say so in the title."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time_us: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An instant in UTC; microseconds beyond the calendar are shown as ``@microseconds``."""
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).strftime(form)
    except (OverflowError, ValueError):
        return f"@{time_us}"


def precise(time_us: int) -> str:
    """An instant in UTC with its microseconds."""
    return moment(time_us, "%Y-%m-%d %H:%M:%S.%f UTC")


def axis(time_us: int, span_us: int) -> str:
    """An instant for a time axis that covers `span_us`: as short as stays unambiguous."""
    if span_us < 120 * 1_000_000:
        return moment(time_us, "%H:%M:%S")
    if span_us < 36 * 3600 * 1_000_000:
        return moment(time_us, "%m-%d %H:%M")
    return moment(time_us, "%Y-%m-%d")


def duration(span_us: int | None) -> str:
    """A span of time in two units at most; empty when unknown."""
    if span_us is None:
        return ""
    if abs(span_us) < 1_000_000:
        return f"{span_us // 1000} ms" if abs(span_us) >= 1000 else f"{span_us} µs"
    seconds = span_us / 1_000_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, name, below, below_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // below
            return (
                f"{whole // unit} {name} {rest} {below_name}" if rest else f"{whole // unit} {name}"
            )
    return f"{whole} s"


def count(number: int) -> str:
    """A whole number with thousands apart: 1,234,567."""
    return f"{number:,}"


def short(number: int | None) -> str:
    """A whole number in at most five characters: 950, 12.3k, 4.5M; empty when unknown."""
    if number is None:
        return ""
    for unit, name in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= unit:
            scaled = number / unit
            return f"{scaled:.1f}{name}" if abs(scaled) < 100 else f"{scaled:.0f}{name}"
    return str(number)


def size(length: int) -> str:
    """A number of bytes."""
    return f"{length} B" if length < 1024 else f"{short(length)}B ({count(length)} bytes)"


def plural(number: int, one: str, many: str = "") -> str:
    """A count with its noun: 1 record, 2 records."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def tally(records: int, calls: int | None = None, *, settled: bool = True, at: str = "") -> str:
    """How many calls, and how many records where that is another number.

    Args:
        records: how many records.
        calls: how many calls they tell of; None where that is not known, or they are of none.
        settled: whether records of one call were all told apart; else ``~`` says so.
        at: place of the record under the cursor, shown before what is counted one by one.
    """
    place = f"{at}/" if at else ""
    if calls is None or (calls == records and not settled):
        return place + plural(records, "record")
    if calls == records:
        return place + plural(calls, "call")
    return f"{'' if settled else '~'}{plural(calls, 'call')} ({place}{plural(records, 'record')})"
