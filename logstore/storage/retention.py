"""What has outlived its retention, exactly: a plan that can be agreed to by its digest. Pure.

Rules:

1. Only body objects and supplements are ever removed: the index objects, which prove what was
   recorded, outlive them.
2. What a hold in force covers, or a released one keeps for some time still, is in no plan.
3. A plan depends on the log and its cutoff alone, so everybody who looks at the same log sees the
   same digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from logstore.errors import UsageError
from logstore.formats.custody import Custody
from logstore.formats.pins import ObjectSpan
from logstore.storage.logfile import DAY_US

MOST_NAMES = 40_000
"""Most characters of all names in one plan: they stand in one record."""


class PlannedObject(msgspec.Struct, frozen=True):
    """One object that may go.

    Attributes:
        key: its name.
        first: index of the first record whose content it may hold.
        last: index of the last.
        size: bytes.
        sha256: of its bytes, hexadecimal.
        retain_until_us: until when it had to be kept, microseconds since 1970 UTC.
    """

    key: str
    first: int
    last: int
    size: int
    sha256: str
    retain_until_us: int


class RetentionPlan(msgspec.Struct, frozen=True):
    """What would be removed.

    Attributes:
        origin: the log.
        until_us: the cutoff: what had to be kept until before then may go.
        objects: in the order of the log.
        held: names of objects that would be here but for a legal hold.
        later: how many more there are than one plan takes.
    """

    origin: str
    until_us: int
    objects: tuple[PlannedObject, ...]
    held: tuple[str, ...] = ()
    later: int = 0

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of what would be removed, from which log, up to which cutoff."""
        fixed = (self.origin, self.until_us, self.objects)
        return hashlib.sha256(msgspec.json.encode(fixed)).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Bytes that would be freed."""
        return sum(each.size for each in self.objects)


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything of a log that retention may concern.

    Attributes:
        origin: the log.
        bodies: its body objects and supplements.
        custody: its holds and removals.
    """

    origin: str
    bodies: Sequence[ObjectSpan]
    custody: Custody


def day_before(now_us: int) -> int:
    """The last midnight (UTC): the usual cutoff, so that a plan holds for a day."""
    return now_us // DAY_US * DAY_US


def plan(kept: Kept, until_us: int, now_us: int) -> RetentionPlan:
    """What may be removed.

    Args:
        kept: the log.
        until_us: the cutoff, microseconds since 1970 UTC.
        now_us: now, likewise.

    Raises:
        UsageError: the cutoff is not past: what is locked until later can not go now.
    """
    if until_us > now_us:
        raise UsageError("retention that ends in the future has not ended", kept="Nothing changed.")
    due, held, gone = [], [], kept.custody.gone
    for pin, first, end in kept.bodies:
        if pin.retain_until_us >= until_us or pin.key in gone:
            continue
        if kept.custody.holding(first, end) is not None:
            held.append(pin.key)
        elif kept.custody.keep_until(first, end) < until_us:
            due.append(PlannedObject(
                pin.key, first, end - 1, pin.size, pin.sha256, pin.retain_until_us
            ))  # fmt: skip
    lengths = accumulate(len(each.key) for each in due)
    now = [each for each, length in zip(due, lengths, strict=True) if length <= MOST_NAMES]
    return RetentionPlan(kept.origin, until_us, tuple(now), tuple(held), len(due) - len(now))


def check_digest(made: RetentionPlan, digest: str) -> None:
    """See that a plan is the one that was agreed to.

    Raises:
        UsageError: it is not: something was held, removed or sealed since, or the cutoff differs.
    """
    if not made.objects:
        raise UsageError("nothing has outlived its retention", kept="Nothing was removed.")
    if digest != made.digest:
        raise UsageError(
            "this is not the digest of what would be removed now",
            kept="Nothing was removed.",
            todo="Look at `aircon retention plan` again: a hold was placed or released, something"
            " was removed, or the cutoff (--before) is another one.",
        )
