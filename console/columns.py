"""What a column of output is, and how one value of it reads in each format. Pure."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "int", "float", "bool", "time", "duration", "list", "any"]
"""``time`` is microseconds since 1970 UTC, ``duration`` microseconds, ``list`` a list of texts."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NUMBERS = ("int", "float", "duration")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of output.

    Attributes:
        name: its header, and its member name in JSON.
        kind: what its values are.
        most: widest it gets in a table, in terminal cells, unless asked for wide.
    """

    name: str
    kind: Kind = "text"
    most: int = 40

    @property
    def right(self) -> bool:
        """Whether a table aligns it to the right."""
        return self.kind in _NUMBERS


def words(value: object, kind: Kind) -> str:
    """A value as a person reads it; the text is untrusted still."""
    if isinstance(value, int) and kind == "time":
        return moment(value)
    if isinstance(value, int) and kind == "duration":
        return f"{value / 1000:,.1f} ms" if value < 1_000_000 else f"{value / 1e6:,.2f} s"
    if hasattr(value, "nanoseconds"):
        return _interval(value)
    if isinstance(value, list | tuple):
        return ", ".join(words(item, "any") for item in value)
    return _scalar(value)


def _interval(value: Any) -> str:
    """Arrow's intervals: a tuple of months, days and nanoseconds."""
    parts = ((value.months, "months"), (value.days, "days"), (value.nanoseconds / 1e9, "s"))
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number) or "0 s"


def _scalar(value: object) -> str:
    match value:
        case None | bool():
            return {None: "", True: "yes", False: "no"}[value]
        case float():
            return f"{value:.6g}"
        case bytes():
            return value.hex()
        case dt.datetime():
            return value.isoformat(sep=" ")
        case Mapping():
            return json.dumps(plain(value), ensure_ascii=False)
    return str(value)


def moment(time_us: int) -> str:
    """Microseconds since 1970 UTC to the millisecond, as ``2026-11-20 10:00:00.000Z``."""
    return _instant(time_us, "milliseconds")


def precise(time_us: int) -> str:
    """Microseconds since 1970 UTC, exactly, as ``2026-11-20 10:00:00.000000Z``."""
    return _instant(time_us, "microseconds")


def _instant(time_us: int, to: str) -> str:
    try:
        when = _EPOCH + dt.timedelta(microseconds=time_us)
    except OverflowError:
        return f"{time_us} us"
    return when.isoformat(sep=" ", timespec=to).removesuffix("+00:00") + "Z"


def plain(value: object) -> object:
    """A value as JSON has it: exact, with what JSON lacks as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "nanoseconds"):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, float) else words(value, "any")


RECORD_COLUMNS = (
    Column("index", "int"),
    Column("id"),
    Column("time_us", "time"),
    Column("kind"),
    Column("operation"),
    Column("application"),
    Column("user"),
    Column("session"),
    Column("model"),
    Column("model_version"),
    Column("input_preview"),
    Column("output_preview"),
    Column("tokens_in", "int"),
    Column("tokens_out", "int"),
    Column("duration_us", "duration"),
    Column("error_type"),
    Column("tool_names", "list"),
    Column("gaps", "list"),
    Column("state"),
)
"""Columns of records in JSON, CSV and Parquet, whichever door writes them."""
