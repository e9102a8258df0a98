"""Places and releases legal holds, and removes what has outlived its retention; each on the log.

The order of every deed is: say on the log what is about to be done, on disk and signed; do it;
say what became of it. So a crash leaves what the log asks for and the store lacks, never what the
store lacks and nobody asked for; it is finished the next time (`Custodian.catch_up`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from logstore.errors import AirconError, NotFound, UsageError
from logstore.formats.custody import (
    APPLIED,
    FINISHED,
    PLACED,
    RELEASED,
    Applied,
    Custody,
    Finished,
    Hold,
    Placed,
    Released,
    Removal,
    to_clear,
)
from logstore.formats.pins import ObjectSpan
from logstore.formats.record import Record
from logstore.storage.blobs import Blobs
from logstore.storage.guards import Guards
from logstore.storage.logfile import DAY_US
from logstore.storage.orders import Order, check_order
from logstore.storage.probed import keeps_event_holds
from logstore.storage.retention import Kept, RetentionPlan, check_digest, plan

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader


_THREADS = 8  # each waits for the server


@dataclass(frozen=True, slots=True)
class Door:
    """What a custodian may do to its log.

    Attributes:
        alone: keeps everybody else from sealing while it is open.
        append: puts a record on the log and returns its index.
        reader: a reader of the log as it is now.
        now_us: tells the time, microseconds since 1970 UTC.
    """

    alone: Callable[[], AbstractContextManager[object]]
    append: Callable[[Record], int]
    reader: Callable[[], LogReader]
    now_us: Callable[[], int]


@dataclass(frozen=True, slots=True)
class HoldOutcome:
    """What became of a hold that was placed or released.

    Attributes:
        hold: as the log has it now.
        objects: how many objects are held, or were.
        pending: why the store does not do yet what the log says; None when it does.
    """

    hold: Hold
    objects: int
    pending: AirconError | None = None


@dataclass(frozen=True, slots=True)
class RemovalOutcome:
    """What became of an applied plan, or of one that was broken off.

    Attributes:
        removal: as the log has it now.
        removed: names of the objects that are gone.
        kept: names of those that are not, with the reason.
    """

    removal: Removal
    removed: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]


class Custodian:
    """Keeps and removes on behalf of one open log.

    Args:
        door: to the log.
        blobs: where its objects are.
        guards: its holds on objects.
    """

    def __init__(self, door: Door, blobs: Blobs, guards: Guards) -> None:
        self._door = door
        self._blobs = blobs
        self._guards = guards

    @property
    def due(self) -> bool:
        """Whether objects may not be held, or released, as the log says; see `Guards`."""
        return self._guards.due

    # -- legal holds --------------------------------------------------------------------------

    def place(self, scope: Placed, order: Order) -> HoldOutcome:
        """Hold records, sealed or not.

        Args:
            scope: which.
            order: who wants it, and why.

        Raises:
            UsageError: the order lacks something, or the scope has records that are not there.
            NotDurable: the log refuses; nothing is held.
        """
        check_order(order)
        with self._door.alone():
            reader = self._door.reader()
            size = reader.size
            if max(scope.records, default=0) >= size or (scope.onward or 0) > size:
                raise UsageError(f"the log has {size:,} records", kept="Nothing is held.")
            event = scope.then_days > 0 and self._blobs.shared and keeps_event_holds(reader)
            return self._say(PLACED, to_clear(replace(scope, event=event)), order, None)

    def release(self, number: int, order: Order) -> HoldOutcome:
        """Lift a hold; what it asked to keep from then on stays locked so long.

        Objects are released once the release is sealed: who sees sealed records alone would take
        it for a broken hold before.

        Raises:
            NotFound: there is no such hold in force.
            UsageError: the order lacks something.
            NotDurable: the log refuses; the hold is in force still.
        """
        check_order(order)
        with self._door.alone():
            custody = self._door.reader().custody()
            found = next((each for each in custody.in_force if each.number == number), None)
            if found is None:
                raise NotFound(
                    f"no hold {number} is in force", todo="`aircon hold list` shows them."
                )
            days = found.scope.then_days
            until = self._door.now_us() + days * DAY_US if days else 0
            return self._say(RELEASED, to_clear(Released(number, until)), order, number)

    def _say(
        self, kind: str, clear: dict[str, object], order: Order, number: int | None
    ) -> HoldOutcome:
        was_due = self._guards.due
        self._guards.expect()
        index = self._door.append(order.record(kind, clear))
        reader = self._door.reader()
        number = index if number is None else number
        hold = next(each for each in reader.custody().holds if each.number == number)
        objects, pending = 0, None
        try:
            objects = self._guards.set_all(reader, None if was_due else hold)
        except AirconError as error:
            pending = error
        else:
            self._guards.settled(reader)
        return HoldOutcome(hold, objects, pending)

    def catch_up(self) -> None:
        """Set the holds that are due since somebody could not, or a crash came between.

        Raises:
            StoreAway: they still can not be set; they stay due.
            TamperingFound: an object is gone.
        """
        if self._guards.due:
            reader = self._door.reader()
            self._guards.set_all(reader)
            self._guards.settled(reader)

    def finish_holds(self) -> int:
        """Set every hold anew as the log says, due or not; returns how many objects were looked at.

        Raises:
            StoreAway: they can not be set; they are due.
            TamperingFound: an object is gone.
        """
        with self._door.alone():
            self._guards.expect()
            reader = self._door.reader()
            objects = self._guards.set_all(reader)
            self._guards.settled(reader)
        return objects

    # -- retention ----------------------------------------------------------------------------

    def plan(self, until_us: int) -> RetentionPlan:
        """What may be removed; see `retention.plan`."""
        return planned(self._door.reader(), until_us, self._door.now_us())

    def apply(self, digest: str, until_us: int, order: Order) -> RemovalOutcome:
        """Remove what a plan names.

        Args:
            digest: the plan's.
            until_us: its cutoff.
            order: who wants it, and why.

        Raises:
            UsageError: the plan is another one by now; nothing was removed.
            NotDurable: the log refuses; nothing was removed.
            StoreAway: the store can not be reached; a later `finish` goes on.
        """
        check_order(order)
        with self._door.alone():
            reader = self._door.reader()
            made = planned(reader, until_us, self._door.now_us())
            check_digest(made, digest)
            clear = to_clear(Applied(digest, until_us, [each.key for each in made.objects]))
            index = self._door.append(order.record(APPLIED, clear))
            return self._remove(index, order.by)

    def finish(self, by: str) -> list[RemovalOutcome]:
        """Go on with removals that were broken off.

        Raises:
            StoreAway: the store can not be reached; a later call goes on.
        """
        with self._door.alone():
            return [self._remove(each.at, by) for each in self._door.reader().custody().unfinished]

    def _remove(self, at: int, by: str) -> RemovalOutcome:
        reader = self._door.reader()
        custody = reader.custody_of_objects()
        bodies = {each.pin.key: each for each in reader.bodies()}
        begun = next(each for each in custody.unfinished if each.at == at)
        keys = begun.fields.objects
        with ThreadPoolExecutor(_THREADS, "aircon-retention") as pool:
            why = list(pool.map(lambda key: self._remove_one(bodies.get(key), custody), keys))
        kept = [(key, said) for key, said in zip(keys, why, strict=True) if said]
        names = {key for key, _ in kept}
        removed = tuple(key for key in keys if key not in names)
        fields = Finished(at, len(removed), sorted(names))
        self._door.append(Record(FINISHED, "console", by, clear=to_clear(fields)))
        ended = next(e for e in self._door.reader().custody().removals if e.at == at)
        return RemovalOutcome(ended, removed, tuple(kept))

    def _remove_one(self, body: ObjectSpan | None, custody: Custody) -> str:
        """Why an object is still there; empty when it is gone."""
        if body is None:
            return "no record pins such an object"
        hold = custody.holding(body.first, body.end)  # placed since it was broken off
        return self._blobs.remove(body.pin) if hold is None else f"hold {hold.number} is in force"


def planned(reader: LogReader, until_us: int, now_us: int) -> RetentionPlan:
    """What may be removed of a log that somebody reads; see `retention.plan`."""
    kept = Kept(reader.origin, reader.bodies(), reader.custody_of_objects())
    return plan(kept, until_us, now_us)
