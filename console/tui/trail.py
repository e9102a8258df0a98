"""Where the person is and how they came there: the back stack of pivots. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from logstore.query.filters import Filter
from logstore.query.rows import Detail, Row, Selection

MAX_STEPS = 100
"""Most places remembered."""


@dataclass(frozen=True, slots=True)
class Place:
    """One thing the table can show.

    Attributes:
        filter: what is asked.
        fixed: records found otherwise than by the filter (similar text, same call).
        origin: id of the record that `fixed` started from.
        cursor: record index under the cursor when it was left; None for the newest.
    """

    filter: Filter = field(default_factory=Filter)
    fixed: Selection | None = None
    origin: str = ""
    cursor: int | None = None

    def words(self) -> str:
        """What the filter line shows; untrusted text."""
        if self.fixed is not None:
            return self.fixed.label or "chosen records"
        return self.filter.to_words()


class Trail:
    """The places gone through; the last one is where the person is."""

    def __init__(self) -> None:
        self._steps = [Place()]

    @property
    def here(self) -> Place:
        """The present place."""
        return self._steps[-1]

    @property
    def depth(self) -> int:
        """How many steps back there are."""
        return len(self._steps) - 1

    def leave_at(self, cursor: int | None) -> None:
        """Remember where the cursor stands here."""
        self._steps[-1] = replace(self.here, cursor=cursor)

    def go(self, place: Place) -> None:
        """Go on to another place."""
        self._steps = [*self._steps, place][-MAX_STEPS:]

    def back(self) -> bool:
        """Go one step back; False when there is none."""
        if not self.depth:
            return False
        self._steps.pop()
        return True


@dataclass(frozen=True, slots=True)
class Pivot:
    """One way on from a record.

    Attributes:
        key: the key that picks it.
        title: what it finds.
        place: where it leads; None when it must be looked for first, or is not possible.
        reason: why it is not possible; empty when it is.
    """

    key: str
    title: str
    place: Place | None = None
    reason: str = ""


def pivots(row: Row, detail: Detail | None) -> list[Pivot]:
    """Ways on from a record; those that are not possible say why."""
    gone = "content is locked" if row.state == "locked" else "the record names none"
    return [
        _by("u", "same user", "user", row.user, gone),
        _by("s", "same session", "session", row.session, gone),
        _by("m", "same model version", "model_version", row.model_version, "no version is stated")
        if row.model_version or not row.model
        else _by("m", "same model", "model", row.model, gone),
        _by("a", "same application", "application", row.application, gone),
        Pivot("t", "similar text", reason=_no_text(row)),
        Pivot("c", "same call, recorded elsewhere", reason=_no_twin(detail)),
    ]


def _by(key: str, title: str, name: str, value: str | None, gone: str) -> Pivot:
    if not value:
        return Pivot(key, title, reason=gone)
    return Pivot(key, f"{title}: {value}", Place(_WANTED[name](value)))


_WANTED: dict[str, Callable[[str], Filter]] = {
    "user": lambda value: Filter(user=value),
    "session": lambda value: Filter(session=value),
    "model": lambda value: Filter(model=value),
    "model_version": lambda value: Filter(model_version=value),
    "application": lambda value: Filter(application=value),
}


def _no_text(row: Row) -> str:
    if row.state == "locked":
        return "content is locked"
    return "" if row.input_preview or row.output_preview else "the record has no text"


def _no_twin(detail: Detail | None) -> str:
    return "no other record of this call" if detail is not None and not detail.same_call else ""
