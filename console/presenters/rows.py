"""Table rows: which columns fit a width, and what one record puts into each.

Free text stands last: where terminals disagree with us about the width of a character, nothing
that matters is to the right of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from console.presenters.figures import duration, moment, short
from console.presenters.spans import Line, Role, Span, fit
from console.presenters.verdict import Standing, mark
from logstore.formats.record import CAPTURED, INTERACTION
from logstore.query.rows import Row


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: which fact it shows.
        title: its heading.
        width: cells.
        right: whether it is aligned to the right.
    """

    name: str
    title: str
    width: int
    right: bool = False


_NARROW = (Column("proof", " ", 1), Column("time", "time UTC", 14))
_FLAGS = Column("flags", "!+~", 3)
_MIN_TEXT = 24

# In the order in which they are worth their room, with the place they then take on screen.
_OPTIONAL: tuple[tuple[int, Column], ...] = (
    (10, Column("user", "user", 14)),
    (20, Column("model", "model", 15)),
    (50, Column("tokens", "in/out", 11, right=True)),
    (40, Column("application", "application", 14)),
    (60, Column("duration", "took", 9, right=True)),
    (30, Column("operation", "operation", 13)),
    (25, Column("version", "version", 12)),
    (15, Column("session", "session", 14)),
)


def layout(cells: int) -> tuple[Column, ...]:
    """The columns that fit into a width in terminal cells."""
    room = cells - sum(column.width + 1 for column in _NARROW) - _FLAGS.width - 1 - _MIN_TEXT
    chosen: list[tuple[int, Column]] = []
    for place, column in _OPTIONAL:
        if room < column.width + 1:
            break
        room -= column.width + 1
        chosen.append((place, column))
    middle = tuple(column for _, column in sorted(chosen, key=lambda pair: pair[0]))
    text = Column("text", "what was asked → answered", max(_MIN_TEXT + room, 1))
    return (*_NARROW, *middle, _FLAGS, text)


def heading(columns: tuple[Column, ...]) -> Line:
    """The titles, aligned with `cells`."""
    return _join([Span(fit(c.title, c.width, right=c.right), "title") for c in columns])


def cells(row: Row, columns: tuple[Column, ...], standing: Standing) -> Line:
    """One record as a table line of exactly the columns' width."""
    spans = []
    for column in columns:
        text, role = _fact(row, column.name, standing)
        spans.append(Span(fit(text, column.width, right=column.right), role))
    return _join(spans)


def waiting(columns: tuple[Column, ...]) -> Line:
    """A row that is still being fetched."""
    return _join([Span(fit("·" if c.name == "time" else "", c.width), "dim") for c in columns])


def flags(row: Row) -> str:
    """``!`` failed, ``+`` used tools, ``~`` the source lost something."""
    return (
        ("!" if row.error_type else " ")
        + ("+" if row.tool_names else " ")
        + ("~" if row.gaps else " ")
    )


def preview(row: Row) -> str:
    """What was asked and answered, or why there is nothing to show."""
    if row.input_preview is None and row.output_preview is None:
        return _unread(row) if row.kind in CAPTURED else row.kind
    asked, answered = row.input_preview or "", row.output_preview or ""
    if row.kind != INTERACTION:
        return f"{row.kind}: {asked or answered}" if asked or answered else row.kind
    return f"{asked} → {answered}" if answered else asked


def _unread(row: Row) -> str:
    words = {
        "locked": "(locked)",
        "no-key": "(locked: no key here)",
        "destroyed": "(key destroyed)",
        "absent": "(content not in this store)",
        "no-body": "(no content)",
    }
    said = words.get(row.state, "(nothing said)")
    said += f" error {row.error_type}" if row.error_type else ""
    return f"{said} tools {', '.join(row.tool_names)}" if row.tool_names else said


def _fact(row: Row, name: str, standing: Standing) -> tuple[str, Role]:
    if name == "proof":
        return mark(row.index, standing)
    if name == "flags":
        return flags(row), "bad" if row.error_type else "warn"
    if name == "text":
        return preview(row), "plain" if row.input_preview is not None else "dim"
    make, role = _FACTS[name]
    return make(row), role


def _instead_of_model(row: Row) -> str:
    return f"({row.operation or 'unknown'})" if row.kind == INTERACTION else row.kind


def _tokens(row: Row) -> str:
    if row.tokens_in is None and row.tokens_out is None:
        return ""
    return f"{short(row.tokens_in) or '?'}/{short(row.tokens_out) or '?'}"


_FACTS: dict[str, tuple[Callable[[Row], str], Role]] = {
    "time": (lambda row: moment(row.time_us, "%m-%d %H:%M:%S"), "dim"),
    "user": (lambda row: row.user or "", "user"),
    "model": (lambda row: row.model or _instead_of_model(row), "plain"),
    "version": (lambda row: row.model_version or "", "dim"),
    "tokens": (_tokens, "dim"),
    "duration": (lambda row: duration(row.duration_us), "dim"),
    "application": (lambda row: row.application or "", "dim"),
    "operation": (lambda row: row.operation or "", "dim"),
    "session": (lambda row: row.session or "", "dim"),
}


def _join(spans: list[Span]) -> Line:
    joined: list[Span] = []
    for at, span in enumerate(spans):
        joined.append(Span(span.text + " ", span.role) if at + 1 < len(spans) else span)
    return tuple(joined)
