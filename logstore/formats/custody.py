"""Records that say what must be kept, or may go: legal holds and retention. Pure.

Rules:

1. What is held, and which content was removed, is a fold over these records; nothing else says it.
2. A hold covers records, sealed or not. `onward` also covers every record that comes after.
3. Why stands in the encrypted body; what stands here in clear names no person.
4. A hold's number is the index of the record that placed it. It also holds that record, whose body
   says why.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec

from logstore.errors import FormatError
from logstore.formats.leaf import Leaf

PLACED = "hold.placed"
"""Kind of the record that places a legal hold."""

RELEASED = "hold.released"
"""Kind of the record that lifts one."""

APPLIED = "retention.applied"
"""Kind of the record that says which content is about to be removed."""

FINISHED = "retention.finished"
"""Kind of the record that says what became of that."""

KINDS = frozenset({PLACED, RELEASED, APPLIED, FINISHED})

MOST_DAYS = 36_500
"""Days that an object can be locked for at most (Amazon S3: 100 years)."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class CustodyEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One such record, as seals list it.

    Attributes:
        at: its index.
        kind: one of `KINDS`.
        by: who wrote it.
        us: when, microseconds since 1970 UTC.
        clear: its clear fields.
    """

    at: int
    kind: str
    by: str
    us: int
    clear: dict[str, object]


class Placed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Clear fields of a ``hold.placed`` record.

    Attributes:
        records: first and last record of each range that is held, ascending.
        onward: also everything from this record on, whatever comes; None for no more than that.
        review: day on which somebody looks whether it is still needed, ``YYYY-MM-DD``, or empty.
        then_days: for so many days from its release everything is kept that it held.
        event: the bucket was found to keep event holds, so that those days are left to it as well.
    """

    records: list[int]
    onward: int | None = None
    review: str = ""
    then_days: int = 0
    event: bool = False


class Released(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Clear fields of a ``hold.released`` record.

    Attributes:
        hold: the hold's number.
        keep_until_us: until when what it held is kept all the same, microseconds since 1970 UTC.
    """

    hold: int
    keep_until_us: int = 0


class Applied(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clear fields of a ``retention.applied`` record.

    Attributes:
        digest: of the plan, hexadecimal.
        until_us: the plan's: what had to be kept until before then, microseconds since 1970 UTC.
        objects: names of the body objects whose removal begins now.
    """

    digest: str
    until_us: int
    objects: list[str]


class Finished(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clear fields of a ``retention.finished`` record.

    Attributes:
        applied: index of the ``retention.applied`` record.
        removed: how many objects are gone.
        kept: names of those that are not: the server refused, or somebody placed a hold meanwhile.
    """

    applied: int
    removed: int
    kept: list[str]


Fields = Placed | Released | Applied | Finished

_FIELDS: dict[str, type[Placed | Released | Applied | Finished]] = {
    PLACED: Placed,
    RELEASED: Released,
    APPLIED: Applied,
    FINISHED: Finished,
}


@dataclass(frozen=True, slots=True)
class Hold:
    """One legal hold.

    Attributes:
        number: index of the record that placed it.
        by: who placed it.
        placed_us: when, microseconds since 1970 UTC.
        scope: what it covers.
        released: index of the record that released it; None while it is in force.
        keep_until_us: see `Released.keep_until_us`.
    """

    number: int
    by: str
    placed_us: int
    scope: Placed
    released: int | None = None
    keep_until_us: int = 0

    def covers(self, first: int, end: int) -> bool:
        """Whether a record of [first, end) is, or was, held by it."""
        if self.scope.onward is not None and end > self.scope.onward:
            return True
        ranges = zip(self.scope.records[::2], self.scope.records[1::2], strict=True)
        return first <= self.number < end or any(
            low < end and high >= first for low, high in ranges
        )

    def in_force_at(self, index: int | None) -> bool:
        """Whether it was in force when a record was written; None for now."""
        if index is None:
            return self.released is None
        return self.number < index and (self.released is None or self.released > index)


@dataclass(frozen=True, slots=True)
class Removal:
    """One application of retention.

    Attributes:
        at: index of its record.
        fields: what that says.
        by: who applied it.
        us: when, microseconds since 1970 UTC.
        kept: objects that were not removed after all.
        finished: index of the record that says so; None when it was broken off.
    """

    at: int
    fields: Applied
    by: str
    us: int
    kept: frozenset[str] = frozenset()
    finished: int | None = None


@dataclass(frozen=True, slots=True)
class Custody:
    """What a log says of keeping and removing.

    Attributes:
        holds: every hold ever placed, oldest first.
        removals: every application of retention, oldest first.
    """

    holds: tuple[Hold, ...] = ()
    removals: tuple[Removal, ...] = ()

    @property
    def in_force(self) -> list[Hold]:
        """Holds that nobody released."""
        return [hold for hold in self.holds if hold.released is None]

    def holding(self, first: int, end: int, at: int | None = None) -> Hold | None:
        """The oldest hold over a record of [first, end) that is in force, or was at record `at`."""
        return next((h for h in self.holds if h.in_force_at(at) and h.covers(first, end)), None)

    def keep_until(self, first: int, end: int) -> int:
        """Until when released holds keep records of [first, end); microseconds since 1970 UTC."""
        kept = (h.keep_until_us for h in self.holds if h.covers(first, end))
        return max(kept, default=0)

    def as_seen(self, sealed: Custody) -> Custody:
        """The same, with every hold in force that is so for who sees sealed records alone.

        Until its release is sealed, a hold that was lifted would look broken from elsewhere.
        """
        there = {hold.number for hold in sealed.in_force}
        holds = (replace(h, released=None) if h.number in there else h for h in self.holds)
        return replace(self, holds=tuple(holds))

    @property
    def gone(self) -> frozenset[str]:
        """Names of objects that the log says were removed: their content is not read any more."""
        return frozenset(self.removed_by)

    @property
    def removed_by(self) -> dict[str, Removal]:
        """The same, with the newest removal that says so."""
        return {
            key: each for each in self.removals for key in each.fields.objects
            if key not in each.kept
        }  # fmt: skip

    @property
    def unfinished(self) -> list[Removal]:
        """Removals that were broken off."""
        return [each for each in self.removals if each.finished is None]


NOTHING = Custody()


def fields_of(kind: str, clear: dict[str, object]) -> Fields:
    """The clear fields of such a record.

    Raises:
        FormatError: they are not those of its kind.
    """
    try:
        found = msgspec.convert(clear, _FIELDS[kind])
    except msgspec.ValidationError as error:
        raise FormatError(f"{kind} record does not say what it should: {error}") from None
    if not _sound(found):
        raise FormatError(f"{kind} record states something impossible")
    return found


def to_clear(fields: Fields) -> dict[str, object]:
    """The clear fields as a record carries them."""
    plain: dict[str, object] = msgspec.to_builtins(fields)
    return plain


def _sound(fields: Fields) -> bool:
    if isinstance(fields, Placed):
        return _sound_scope(fields)
    if isinstance(fields, Applied):
        names = fields.objects
        good = all(name.startswith("body/") for name in names) and len(set(names)) == len(names)
        return good and _DIGEST.fullmatch(fields.digest) is not None
    return True


def _sound_scope(scope: Placed) -> bool:
    ends, onward = scope.records, scope.onward
    if len(ends) % 2 or not (ends or onward is not None):
        return False
    pairs = list(zip(ends[::2], ends[1::2], strict=True))
    apart = all(one[1] < other[0] for one, other in pairwise(pairs))
    whole = apart and all(0 <= low <= high for low, high in pairs) and (onward or 0) >= 0
    day = not scope.review or _DAY.fullmatch(scope.review) is not None
    return whole and day and 0 <= scope.then_days <= MOST_DAYS


def event_of(leaf: Leaf) -> CustodyEvent:
    """A record of one of `KINDS` as seals list it."""
    return CustodyEvent(leaf.index, leaf.kind, leaf.by, leaf.recorded_us, leaf.clear)


def events_among(leaves: Iterable[Leaf]) -> list[CustodyEvent]:
    """Such records among leaves, in order."""
    return [event_of(leaf) for leaf in leaves if leaf.kind in KINDS]


def mentions(raw: bytes) -> bool:
    """Whether the bytes of a leaf may be those of such a record."""
    return b'"kind":"hold.' in raw or b'"kind":"retention.' in raw


def custody_digest(events: Sequence[CustodyEvent]) -> str:
    """Hexadecimal SHA-256 over the JSON of events in order; empty when there are none.

    It makes the list in a seal trustworthy, as `pins.destroyed_digest` does.
    """
    lines = map(msgspec.json.encode, events)
    return hashlib.sha256(b"\n".join(lines)).hexdigest() if events else ""


def fold(events: Iterable[CustodyEvent]) -> Custody:
    """What is held and what was removed, after these records in order.

    What is malformed, or releases or finishes what was not there before, changes nothing; a
    verification names it.
    """
    holds: dict[int, Hold] = {}
    removals: dict[int, Removal] = {}
    for event in sorted({event.at: event for event in events}.values(), key=lambda e: e.at):
        try:
            fields = fields_of(event.kind, event.clear)
        except (FormatError, KeyError):
            continue
        if isinstance(fields, Placed):
            holds[event.at] = Hold(event.at, event.by, event.us, fields)
        elif isinstance(fields, Released):
            held = holds.get(fields.hold)
            if held is not None and held.released is None:
                kept = fields.keep_until_us
                holds[fields.hold] = replace(held, released=event.at, keep_until_us=kept)
        elif isinstance(fields, Applied):
            removals[event.at] = Removal(event.at, fields, event.by, event.us)
        else:
            begun = removals.get(fields.applied)
            if begun is not None and begun.finished is None:
                kept_back = frozenset(fields.kept)
                removals[begun.at] = replace(begun, kept=kept_back, finished=event.at)
    return Custody(tuple(holds.values()), tuple(removals.values()))
