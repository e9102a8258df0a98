"""Words in place of rows: nothing there, nothing found, something wrong."""

from __future__ import annotations

from console.presenters.spans import Line, line
from console.presenters.wrapping import wrap
from logstore.errors import AirconError
from logstore.query.filters import Filter


def searching(seconds: int) -> list[Line]:
    """While a question is being answered."""
    waited = f" {seconds} s" if seconds else ""
    return [line(("  … Searching", "strong"), waited), line(("  Esc stops it", "dim"))]


def stopped() -> list[Line]:
    """After Esc."""
    return [line(("  ○ Stopped.", "strong")), line(("  r asks again, / changes the filter", "dim"))]


def nothing(wanted: Filter, size: int, *, locked: bool) -> list[Line]:
    """No row to show."""
    if size == 0:
        return [
            line(("  ○ This log is empty.", "strong")),
            line("  Bring records in:  ", ("aircon import FILE", "key")),
            line(("  New records appear here by themselves.", "dim")),
        ]
    out = [
        line(("  ○ No record matches.", "strong")),
        line("  Asked for: ", (wanted.describe(), "strong")),
        line(("  / changes the filter, b goes back", "dim")),
    ]
    if locked and wanted.needs_content:
        out.append(line(("  LOCKED: text and people cannot be searched. u unlocks.", "warn")))
    return out


def failed(error: AirconError, cells: int) -> list[Line]:
    """A question that could not be answered."""
    out: list[Line] = []
    for at, said in enumerate(error.diagnostics()):
        for part, text in enumerate(wrap(said, cells - 6)):
            sign = "! " if at == part == 0 else "  "
            out.append(line((f"  {sign}{text}", "bad" if at == 0 else "plain")))
    return [*out, line(("  r asks again", "dim"))]
