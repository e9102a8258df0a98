"""The log: the one door for writing evidence.

    with Log.open(store, keys) as log:
        receipt = log.append(record)         # on disk, signed, in the tree

A record passes four states: durable (its receipt exists), signed (with the same group commit),
sealed (in an immutable segment) and, where a witness is configured, witnessed.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from logstore.disk import Disk
from logstore.errors import NotDurable, NotFound, StoreAway, UsageError
from logstore.formats.leaf import parse
from logstore.formats.pins import SegmentPin, SupplementPin
from logstore.formats.record import Receipt, Record, Refusal
from logstore.keys.keystore import KeyStore
from logstore.storage import layout
from logstore.storage.clock import Clock
from logstore.storage.commits import Committer
from logstore.storage.custodian import Custodian
from logstore.storage.encoding import GroupEncoder
from logstore.storage.flights import Flights
from logstore.storage.home import check_may_write
from logstore.storage.keepup import BackgroundSealing, Sealable
from logstore.storage.lease import Lease
from logstore.storage.logfile import (
    DAY_US,
    LOG_FORMAT,
    LogFile,
    Retention,
    StoreFile,
    check_origin,
    from_clear,
    parse_log_file,
)
from logstore.storage.options import SEAL_BYTES, Options
from logstore.storage.portions import MAX_BATCH_BYTES, MAX_GROUP, content_size
from logstore.storage.sealingruns import SealingRuns
from logstore.storage.stores import Means
from logstore.storage.supplements import Owner, Survivor
from logstore.storage.tally import Progress
from logstore.storage.tasks import TaskDoor
from logstore.storage.wal import read_wal, wal_files
from logstore.storage.writerstate import WriterState

_WORTH_SEALING = 2**20  # not even the pins of earlier seals alone would fill so much


class Log:
    """One append-only log, open for writing. Thread-safe; `aappend` for asyncio.

    Attributes:
        origin: the log's name.
        keys: its key store.
        description: what ``log.json`` says.
    """

    def __init__(
        self,
        store: Path,
        description: LogFile,
        keys: KeyStore,
        means: Means,
    ) -> None:
        self.origin = description.origin
        self._store = store
        self.description = description
        self.keys = keys
        self._options, self._disk, clock = means.options, means.disk, means.clock
        self._blobs = means.blobs
        self._directory = store / layout.wal_directory(self.origin)
        self._state = WriterState(self.origin, store, keys, means.blobs, self._disk)
        lease = Lease(
            self._directory / "writer.lock",
            self._state.refresh,
            timeout_s=self._options.busy_timeout_s,
        )
        self._committer = Committer(
            GroupEncoder(self.origin, keys, clock), self._state, lease, keys
        )
        self._sealing = SealingRuns(store, description, keys, means, self._state, self._committer)
        self._flights = Flights(self._committer, self._make_ready)
        self._tasks = TaskDoor(self._committer, self._make_ready)
        state = self._state
        sealable = Sealable(
            lambda: state.wal.offset,
            lambda: len(state.waiting),
            lambda: shutil.disk_usage(self._directory).free,
            self._rotate,
            lambda progress: self._sealing.run(rotate=False, most=1, progress=progress),
        )
        self._background = BackgroundSealing(sealable, self._options.auto_seal_bytes)
        self._closed = False

    # -- life ---------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        store: Path,
        keys: KeyStore,
        *,
        retention: Retention | None = None,
        options: Options | None = None,
        disk: Disk | None = None,
        clock: Clock | None = None,
    ) -> Log:
        """Make the store (if need be) and a new log in it, named as its signing key is.

        Raises:
            UsageError: the log exists already; it is never started anew.
        """
        means = Means.of(store, options, disk, clock)
        signer = keys.signer().verifier()
        origin = check_origin(signer.name)
        moment = means.clock.wall_us()
        description = LogFile(LOG_FORMAT, origin, signer.vkey(), moment, retention or Retention())
        wal = store / layout.wal_directory(origin)
        for folder in (store, wal, wal / "staging"):
            means.disk.make_directory(folder)
            means.disk.sweep(folder)
        log = cls(store, description, keys, means)
        if log._blobs.keys(layout.log_file(origin)):
            raise UsageError(f"{store} holds a log {origin} already", todo="Open it instead.")
        log._publish(layout.STORE_FILE, StoreFile.encode())  # of the logs of many hosts, perhaps
        if not wal_files(wal):  # a creation that crashed half-way is continued, not repeated
            log._state.start()
        with log._committer as state:
            fresh = state.chain.size == 0
            if fresh:
                state.cut = 0  # half of record 0 itself: nothing that could be recovered
        if fresh:
            log.append(Record("log.created", "aircon", clear=description.to_clear()))
        else:
            description = log.description = log._as_recorded()
        # Last: from here on the log is expected, and is never started anew.
        log._publish(layout.log_file(origin), description.encode())
        return log

    def _publish(self, key: str, data: bytes) -> None:
        """Make bytes a small object that is kept as long as the index is."""
        until = self.description.created_us + self.description.retention.index_days * DAY_US
        staged = self._disk.stage(self._directory / "staging" / "made", data)
        self._blobs.publish(key, staged, until)

    def _as_recorded(self) -> LogFile:
        """The description in record 0 of a log whose creation a crash interrupted."""
        groups = read_wal(self._directory / layout.wal_name(0), self.origin).groups
        return from_clear(parse(groups[0].leaves[0]).clear)

    @classmethod
    def open(
        cls,
        store: Path,
        keys: KeyStore,
        *,
        options: Options | None = None,
        disk: Disk | None = None,
        clock: Clock | None = None,
        progress: Progress | None = None,
    ) -> Log:
        """Open the key store's log for writing and finish what a crash left half-done.

        Args:
            store: the store directory.
            keys: the log's key store.
            options: how it is opened.
            disk: what changes files.
            clock: tells the time.
            progress: told how far the sealing of what a crash left is.

        Raises:
            NotFound: there is no such log here.
            TamperingFound: it ends before what the key store remembers, or contradicts itself.
            WriterBusy: another process keeps writing.
        """
        origin = keys.signer().verifier().name
        check_may_write(store)
        means = Means.of(store, options, disk, clock)
        try:
            data = means.blobs.read(layout.log_file(origin))
        except FileNotFoundError:
            raise NotFound(
                f"{store} holds no log {origin}",
                todo="Check --store and --keys; `aircon init` makes a new store.",
            ) from None
        log = cls(store, parse_log_file(data), keys, means)
        try:
            log._recover(progress)
        except BaseException:
            log.close()
            raise
        return log

    def _recover(self, progress: Progress | None) -> None:
        with self._committer as state:
            cut, waiting = state.cut, bool(state.waiting)
            self._sealing.recover(state)
        if cut:
            self._committer.commit([])
        self._sealing.settle_if_alone()
        if waiting:
            with contextlib.suppress(StoreAway):
                self.seal(rotate=False, progress=progress)

    def close(self) -> None:
        """Wait for background work and close; what was acknowledged needs no closing."""
        if self._closed:
            return
        self._closed = True
        for pool in (self._tasks, self._background, self._flights):
            pool.shutdown()
        self._committer.stop(UsageError("the log is closed"))
        self._state.close()
        self.keys.head.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- writing ------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Records so far, as this process knows."""
        return self._state.chain.size

    def append(self, record: Record) -> Receipt:
        """Store one record; returns when it is on disk and signed.

        Raises:
            NotDurable: it is not stored, and the log refuses further work until reopened.
            KeyDestroyed: it concerns a person whose keys were destroyed; it is not stored.
            UsageError: it can not be written as a record; it is not stored.
        """
        self._make_ready()
        return _receipt(self._committer.commit([record])[0])

    def append_batch(self, records: Iterable[Record]) -> list[Receipt | Refusal]:
        """Store up to `MAX_GROUP` records in one group commit; outcomes in order."""
        batch = list(records)
        if len(batch) > MAX_GROUP:
            raise UsageError(f"a batch holds at most {MAX_GROUP} records; this one {len(batch)}")
        if content_size(batch) > MAX_BATCH_BYTES:
            raise UsageError(f"a batch holds at most {MAX_BATCH_BYTES} bytes of content")
        self._make_ready()
        return self._committer.commit(batch) if batch else []

    def append_many(
        self, records: Iterable[Record], *, group: int = 1024
    ) -> Iterator[Receipt | Refusal]:
        """Store a stream of records, encoding one group while the one before is being flushed.

        Takes from `records` only as fast as the disk follows. Each outcome is yielded once its
        record is on disk (or was refused), in order.

        Raises:
            NotDurable: from here on nothing more is stored.
        """
        return self._flights.store(records, group)

    async def aappend(self, record: Record) -> Receipt:
        """`append` for asyncio: many tasks share one group commit without a thread each."""
        return await self._tasks.append(record)

    # -- sealing ------------------------------------------------------------------------------

    def seal(
        self,
        *,
        rotate: bool = True,
        most: int | None = None,
        progress: Progress | None = None,
    ) -> list[SegmentPin]:
        """Seal everything durable into immutable segments; returns the new ones.

        Repeats safely after a crash, or an error that `progress` raises, at any point. Nothing is
        sealed when the only unsealed records are those that earlier seals themselves left.

        Args:
            rotate: also what stands in the write-ahead file that is being written.
            most: segments to make at most, oldest first.
            progress: see `Progress`.

        Raises:
            StoreAway: the store can not be reached; nothing is lost, and it goes on being tried.
            Fenced: another writer seals the same log; nothing of this one was published.
        """
        try:
            made = self._sealing.run(rotate=rotate, most=most, progress=progress)
        except StoreAway as error:
            self._background.put_off(error)
            raise
        self._background.away = None
        return made

    def _rotate(self, size: int) -> None:
        """Let the write-ahead file wait for its sealing if it has that many bytes."""
        with self._committer as state:
            if state.wal.offset >= size:
                state.rotate()

    def supplement(self, survivors: Iterable[Survivor]) -> SupplementPin:
        """Put the content of earlier records under other keys, in an object of its own.

        Returns when the object is published and pinned on the log; only then may the keys that
        opened the content so far be destroyed. Repeats safely after a crash: what is not pinned
        is discarded. The survivors are held in memory, so a large erasure makes several.

        Raises:
            UsageError: a record has no such content; nothing was written.
            KeyDestroyed: an owner's keys were destroyed; nothing was written.
            NotDurable: the log refuses further work until reopened.
        """
        return self._sealing.supplement(survivors)

    @property
    def custodian(self) -> Custodian:
        """Places and releases legal holds; removes what has outlived its retention."""
        return self._sealing.custodian

    @property
    def away(self) -> StoreAway | None:
        """Why sealed segments can not be published for the time being; None when they can."""
        return self._background.away

    @property
    def waiting(self) -> int:
        """Write-ahead files that wait to be sealed, as this process knows."""
        return len(self._state.waiting)

    def _make_ready(self) -> None:
        """Before anything new is stored: is the log open, and does sealing keep up?

        Raises:
            UsageError: the log was closed.
            AirconError: what the sealing in the background ran into.
        """
        if self._closed:
            raise UsageError("the log is closed; nothing was stored", todo="Open it again.")
        self._background.keep_up()


def _receipt(outcome: Receipt | Refusal) -> Receipt:
    if isinstance(outcome, Refusal):
        raise outcome.error
    return outcome


__all__ = [
    "SEAL_BYTES", "Log", "NotDurable", "Options", "Owner", "Receipt", "Record", "Refusal",
    "Survivor",
]  # fmt: skip
