"""Legal holds on objects, as the records of the log ask for them.

Rules:

1. The log says what is held. What the server holds follows, and is set anew until it does: an
   empty file, ``guards.due``, tells that something was asked for and may not be so yet.
2. Sealing never waits for a hold: it is made after the objects are locked for their retention.
3. A segment is held whole: its index object, its body object, its seal, and every supplement that
   holds content of its records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from logstore.disk import AlreadyThere, Disk
from logstore.errors import AirconError, StoreAway
from logstore.formats.custody import Custody, Hold
from logstore.formats.pins import ObjectSpan, SegmentPin
from logstore.storage import layout
from logstore.storage.blobs import Blobs, Guard
from logstore.storage.seal import Seal
from logstore.storage.segment import pin_bytes

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader

_DUE = "guards.due"
_THREADS = 8


def objects_of(origin: str, pin: SegmentPin, seal: Seal) -> Iterator[ObjectSpan]:
    """What is held with a segment, but for supplements."""
    name = layout.seal_object(origin, pin.first, pin.count)
    parts = [pin.index, pin_bytes(name, seal.encode(), pin.index.retain_until_us)]
    parts += [pin.body] if pin.body is not None else []
    for part in parts:
        yield ObjectSpan(part, pin.first, pin.end)


def are_due(directory: Path) -> bool:
    """Whether some object may not be held, or released, as the log of this machine says.

    Args:
        directory: of the log's write-ahead files.
    """
    return (directory / _DUE).exists()


class Guards:
    """Places and lifts holds on the objects of one log.

    Args:
        blobs: where they are.
        disk: changes the file that says that something is due.
        directory: of the log's write-ahead files.
    """

    def __init__(self, blobs: Blobs, disk: Disk, directory: Path) -> None:
        self._blobs = blobs
        self._disk = disk
        self._directory = directory
        self._file = directory / _DUE

    @property
    def due(self) -> bool:
        """Whether some object may not be held, or released, as the log says."""
        return are_due(self._directory)

    def expect(self) -> bool:
        """From here on something is due, whatever happens; says whether nothing was before."""
        try:
            self._disk.create(self._file, b"", mode=0o600)
        except AlreadyThere:
            return False
        return True

    def set_all(self, reader: LogReader, only: Hold | None = None) -> int:
        """Hold and release what the log says; returns how many objects were looked at.

        Args:
            reader: of the log as it is now; nobody seals meanwhile.
            only: what this hold covers; None for everything that any hold ever covered, which
                settles what was due.

        Raises:
            StoreAway: the store can not be reached or refuses; it is tried again.
            TamperingFound: an object is gone.
        """
        custody = reader.custody_of_objects()
        holds = custody.holds if only is None else (only,)
        chosen = [each for each in _objects(reader) if _covered(holds, each)]
        self._set(custody, chosen)
        return len(chosen)

    def settled(self, reader: LogReader | None = None) -> None:
        """Nothing is due any more, but for what a release on the log awaits: that it is sealed."""
        if reader is None or reader.custody() == reader.custody_of_objects():
            self._disk.remove(self._file)

    def set_new(self, custody: Custody, objects: Sequence[ObjectSpan]) -> bool:
        """Hold what was sealed a moment ago; says whether it is held."""
        try:
            self._set(custody, objects)
        except AirconError:
            return False
        return True

    def _set(self, custody: Custody, chosen: Sequence[ObjectSpan]) -> None:
        gone = custody.gone
        left = [each for each in chosen if each.pin.key not in gone]

        def one(each: ObjectSpan) -> AirconError | None:
            try:
                self._blobs.guard(each.pin, _guard(custody, each))
            except AirconError as error:
                return error
            return None

        with ThreadPoolExecutor(_THREADS, "aircon-holds") as pool:
            failed = [error for error in pool.map(one, left) if error is not None]
        # What a person must mend outweighs what may come right by itself.
        for error in sorted(failed, key=lambda error: type(error) is StoreAway):
            raise error


def _objects(reader: LogReader) -> Iterator[ObjectSpan]:
    for pin, seal in zip(reader.pins, reader.seals, strict=True):
        yield from objects_of(reader.origin, pin, seal)
    for each in reader.supplements():
        yield ObjectSpan(each.body, each.first, each.end)


def _guard(custody: Custody, each: ObjectSpan) -> Guard:
    """How the log wants an object to be kept."""
    first, end = each.first, each.end
    over = [hold for hold in custody.in_force if hold.covers(first, end)]
    days = max((hold.scope.then_days for hold in over if hold.scope.event), default=0)
    return Guard(bool(over), custody.keep_until(first, end), days)


def _covered(holds: Iterable[Hold], each: ObjectSpan) -> bool:
    return any(hold.covers(each.first, each.end) for hold in holds)
