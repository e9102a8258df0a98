"""Sealing whatever waits, oldest first, on behalf of one open log; see `sealing` for one segment.

One run at a time, over all processes (the seal lock). A run first finishes what a crash left:
supplements that were half made, holds that could not be set.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from logstore.errors import AirconError
from logstore.formats.custody import Custody, fold
from logstore.formats.leaf import parse
from logstore.formats.pins import KIND, ObjectSpan, SegmentPin, SupplementPin
from logstore.formats.policy import Policy
from logstore.formats.record import Record, Refusal
from logstore.keys.keystore import KeyStore
from logstore.storage import layout
from logstore.storage.commits import Committer
from logstore.storage.custodian import Custodian, Door
from logstore.storage.fence import open_fence
from logstore.storage.guards import Guards, objects_of
from logstore.storage.home import read_writer
from logstore.storage.lease import sealing_alone
from logstore.storage.logfile import LogFile
from logstore.storage.opened import opened
from logstore.storage.reader import LogReader
from logstore.storage.sealing import Intent, SealingContext, SegmentSealer, sealed_record
from logstore.storage.stores import Means
from logstore.storage.supplements import SupplementMaker, Survivor
from logstore.storage.tally import Progress, Tally
from logstore.storage.unsealed import Unsealed
from logstore.storage.wal import groups_of
from logstore.storage.writerstate import OldWal, WriterState

_WORTH_SEALING = 2**20  # not even the pins of earlier seals alone would fill so much


class SealingRuns:
    """Turns write-ahead files into segments, and changes what is sealed.

    Args:
        store: the store directory, or the bucket's home.
        description: of the log.
        keys: its key store.
        means: how it is opened.
        state: what the writer knows.
        committer: appends.

    Attributes:
        custodian: keeps and removes what is sealed.
    """

    def __init__(
        self,
        store: Path,
        description: LogFile,
        keys: KeyStore,
        means: Means,
        state: WriterState,
        committer: Committer,
    ) -> None:
        self._store = store
        self._origin = description.origin
        self._trust = Policy((keys.signer().verifier(),))
        self._means = means
        self._state = state
        self._committer = committer
        self._directory = store / layout.wal_directory(self._origin)
        blobs, disk = means.blobs, means.disk
        fence = open_fence(self._origin, keys.signer(), blobs, read_writer(store))
        context = SealingContext(self._origin, description.retention, self._directory / "staging")
        self._sealer = SegmentSealer(context, keys, blobs, fence, disk)
        self._supplements = SupplementMaker(context, keys, blobs, disk, means.clock)
        self._unsealed = Unsealed(self._directory, self._origin)
        self._guards = Guards(blobs, disk, self._directory)
        door = Door(self._alone, self._append, self._reader, means.clock.wall_us)
        self.custodian = Custodian(door, blobs, self._guards)

    def recover(self, state: WriterState) -> None:
        """Remove what a crash left half-written; the writer lease is held."""
        self._means.blobs.sweep()
        self._means.disk.sweep(self._directory / "staging")
        self._sealer.discard_except({old.first for old in state.waiting})

    def settle_if_alone(self) -> None:
        """Finish what a crash left, unless another process seals at this moment."""
        with sealing_alone(self._directory, wait=False) as alone:
            if alone:
                self._settle()

    def run(self, *, rotate: bool, most: int | None, progress: Progress | None) -> list[SegmentPin]:
        """Seal; see `Log.seal`."""
        with self._alone():
            with self._committer as state:
                if rotate and self._worth_sealing(state):
                    state.rotate()
                ends = [*(old.first for old in state.waiting[1:]), state.wal.first]
                waiting = state.waiting[:most]
            total = ends[len(waiting) - 1] - waiting[0].first if waiting else 0
            tally = Tally(total, progress)
            made = [self._seal_one(old, tally) for old in waiting]
            if made:
                self._set_guards()  # releases that are sealed now
            return made

    def supplement(self, survivors: Iterable[Survivor]) -> SupplementPin:
        """Put content under other keys; see `Log.supplement`."""
        with self._alone():
            reader = self._reader()
            custody = reader.custody_of_objects()
            first_due = bool(custody.in_force) and self._guards.expect()
            pin = self._supplements.make(survivors, reader, self._committer)
            self._hold_new(custody, [ObjectSpan(pin.body, pin.first, pin.end)], first_due)
            return pin

    def append_sealed(self, intent: Intent) -> int:
        """Pin a published segment on the log; returns the record's index."""
        return self._append(sealed_record(intent.pin))

    # -- steps --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else seals within the block, and nothing is left half-made."""
        with sealing_alone(self._directory):
            self._settle()
            yield

    def _settle(self) -> None:
        if self._supplements.left():
            with self._committer:  # nothing in flight: a pin is either on the log or never will be
                pinned = self._unsealed.supplements()
            self._supplements.settle(pinned)
        self._set_guards()

    def _set_guards(self) -> None:
        """Try again to hold what is due; no work waits for it."""
        with contextlib.suppress(AirconError):
            self.custodian.catch_up()

    def _worth_sealing(self, state: WriterState) -> bool:
        if state.wal.offset > _WORTH_SEALING:
            return True
        groups = groups_of(state.wal.path, self._origin)
        leaves = (leaf for group in groups for leaf in group.leaves)
        return any(parse(leaf).kind != KIND for leaf in leaves)

    def _seal_one(self, old: OldWal, tally: Tally) -> SegmentPin:
        began = time.monotonic()
        intent = self._sealer.staged(old.first)
        if intent is None:
            with contextlib.closing(opened(old.path, self._state.opener(old))) as portions:
                intent = self._sealer.stage(portions, old.before.frontier, tally)
        intent = self._sealer.publish(intent)
        index = self._unsealed.pinned_at(intent.pin)
        if index is None:
            index = self.append_sealed(intent)
        self._finish(intent, index)
        self._sealer.discard(old.first)
        with self._committer as state:
            state.discard(old)
        tally.sealed(intent.pin.count)
        self._means.options.on_sealed(intent.pin, time.monotonic() - began)
        return intent.pin

    def _finish(self, intent: Intent, index: int) -> None:
        """Publish the seal, and hold the segment if a record says so: sealing never waits for it.

        Args:
            intent: the segment.
            index: of the record that pins it.
        """
        pin, custody = intent.pin, self._custody(intent)
        held = custody.holding(pin.first, pin.end) is not None
        first_due = held and self._guards.expect()
        seal = self._sealer.publish_seal(intent, self._unsealed.following(pin.end, index))
        self._hold_new(custody, list(objects_of(self._origin, pin, seal)), first_due)

    def _hold_new(self, custody: Custody, new: Sequence[ObjectSpan], first_due: bool) -> None:
        """Hold new objects that a record holds; `first_due`: nothing else was due before."""
        held = [each for each in new if custody.holding(each.first, each.end) is not None]
        if self._guards.set_new(custody, held) and first_due:
            self._guards.settled()

    def _custody(self, intent: Intent) -> Custody:
        """What the log says of holds and removals, while a segment is between its two states."""
        before = [event for seal, _ in self._state.seals.all() for event in seal.custody or []]
        within = intent.custody or []
        sealed = [*before, *within]
        return fold([*sealed, *self._unsealed.custody(intent.pin.end)]).as_seen(fold(sealed))

    def _append(self, record: Record) -> int:
        outcome = self._committer.commit([record])[0]
        if isinstance(outcome, Refusal):
            raise outcome.error
        return outcome.index

    def _reader(self) -> LogReader:
        return LogReader(self._store, self._origin, self._trust, None, self._means.blobs)
