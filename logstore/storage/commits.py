"""Group commit: concurrent callers share one encryption, one signature and one sync.

How a group travels:

1. A caller puts its records into the queue. If nobody leads, it does; the others sleep. There is
   no thread of our own between a lone caller and the disk.
2. The leader waits until the disk is idle, so that the group is as large as it can be, takes
   everything queued, encodes it as one group and so fixes its place in the chain, and flushes it.
3. Then it wakes the callers of its group, which get their receipts, and hands the lead to the
   first who queued meanwhile. Each sleeper wakes the next: hundreds of threads woken at once
   would fight for the interpreter.
4. A batch (`encode`, then `flush`) overlaps: its next group is encoded while one is flushed.
   Groups are written in the order they were encoded.

If a flush fails, that group and everything encoded behind it is not stored and never
acknowledged, and the committer refuses all further work: after a failed fsync the page cache can
no longer be trusted. Reopening the log recovers it from disk.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from logstore.errors import AirconError, NotDurable
from logstore.formats.record import Receipt, Record, Refusal
from logstore.keys.keystore import KeyStore
from logstore.storage.encoding import Encoded, GroupEncoder
from logstore.storage.lease import Lease
from logstore.storage.portions import MAX_GROUP, MAX_GROUP_BYTES, content_size
from logstore.storage.writerstate import WriterState

_PATIENCE_S = 60  # for a last flush; a disk that hangs must not keep a process from ending


class _Submission:
    """Records of one caller, waiting for their group.

    `wake` is a lock that is held until `job` is decided and flushed, or its caller is to lead;
    `after` is whom its caller wakes next. A caller that was interrupted is `gone`.
    """

    __slots__ = ("after", "gone", "job", "leads", "records", "start", "wake")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.job: Job | None = None
        self.leads = False
        self.gone = False
        self.start = 0
        self.after: _Submission | None = None
        self.wake = threading.Lock()
        self.wake.acquire()

    def wake_next(self) -> None:
        """Pass the word on, once."""
        after, self.after = self.after, None
        if after is not None:
            after.wake.release()


class Job:
    """One group commit on its way to the disk.

    Attributes:
        ticket: its place in the order of writing.
        encoded: what to write.
        error: why it was not stored, once known.
        landed: whether its turn is over.
    """

    __slots__ = ("encoded", "error", "landed", "ticket")

    def __init__(self, ticket: int, encoded: Encoded) -> None:
        self.ticket = ticket
        self.encoded = encoded
        self.error: AirconError | None = None
        self.landed = ticket < 0

    def outcomes(self) -> list[Receipt | Refusal]:
        """The receipts, once it was flushed.

        Raises:
            NotDurable: the group is not stored.
        """
        if self.error is not None:
            raise self.error
        return self.encoded.outcomes


class Committer:
    """Orders, encodes and flushes group commits of one log; see the module text."""

    def __init__(
        self, encoder: GroupEncoder, state: WriterState, lease: Lease, keys: KeyStore
    ) -> None:
        self._encoder = encoder
        self._state = state
        self._lease = lease
        self._keys = keys
        self._door = threading.Lock()  # guards _queue and _led
        self._queue: deque[_Submission] = deque()
        self._led = False
        self.encode_lock = threading.RLock()  # guards state.chain, the lease and ticket numbers
        self._turn = threading.Condition()  # guards _written and the write-ahead file
        self._tickets = 0
        self._written = 0
        self._failed: AirconError | None = None

    def commit(self, records: Sequence[Record]) -> list[Receipt | Refusal]:
        """Store records together with whatever other callers have queued.

        Raises:
            NotDurable: they are not stored.
            WriterBusy: another process keeps writing.
        """
        mine = _Submission(records)
        with self._door:
            self._queue.append(mine)
            mine.leads = not self._led
            self._led = True
        if not mine.leads:
            self._sleep(mine)
        job = mine.job or self._lead(mine)
        return job.outcomes()[mine.start : mine.start + len(records)]

    def _sleep(self, mine: _Submission) -> None:
        """Wait for a leader's word, and pass it on."""
        try:
            mine.wake.acquire()
        except BaseException:  # interrupted: nobody may wait for this caller
            with self._door:
                mine.gone = True
                leads = mine.leads
                if not leads:
                    with contextlib.suppress(ValueError):  # taken already: it will be stored
                        self._queue.remove(mine)
            if leads:
                self._pass_lead(mine, ())
            raise
        finally:
            mine.wake_next()

    def _lead(self, mine: _Submission) -> Job:
        """Store everything queued as one group; `mine` is first of it."""
        taken: list[_Submission] = []
        job = None
        try:
            with self.encode_lock:
                self.drain()
                with self._door:
                    taken = self._take()
                job = self._encode(taken)
            self.flush(job)
        except BaseException as error:
            if job is not None:  # interrupted between its encoding and its flush
                self.abandon(job, error)
            raise
        finally:
            self._pass_lead(mine, taken)
        return job

    def _pass_lead(self, mine: _Submission, taken: Sequence[_Submission]) -> None:
        """Wake the callers of a group, then the next leader; last, so that more have queued."""
        with self._door:
            if mine.job is None:  # interrupted before it was encoded: it is not stored
                with contextlib.suppress(ValueError):
                    self._queue.remove(mine)
            chain = [mine, *(each for each in taken if each is not mine and not each.gone)]
            self._led = bool(self._queue)
            if self._led:
                heir = self._queue[0]
                heir.leads = True
                chain.append(heir)
            for each, after in pairwise(chain):
                each.after = after
        mine.wake_next()

    def encode(self, records: Sequence[Record]) -> tuple[Job, int]:
        """Fix the place of one group; (job, offset of its outcomes). The caller must `flush`."""
        mine = _Submission(records)
        with self.encode_lock:
            return self._encode([mine]), mine.start

    def flush(self, job: Job) -> None:
        """Write a job when its turn has come. Does not raise: see `Job.outcomes`."""
        if job.landed:
            return  # failed before it had a place
        try:
            with self._turn:
                self._turn.wait_for(lambda: self._written == job.ticket or self._failed)
            job.error = self._failed
            if job.error is None and job.encoded.payload:
                self._write(job.encoded)
        except AirconError as error:
            self._failed = job.error = error
        except BaseException as error:
            self._failed = job.error = _stopped(error)
            raise
        finally:
            self._land(job)

    def _land(self, job: Job) -> None:
        """Let the next group have its turn, whatever became of this one."""
        with self._turn:
            if not job.landed:
                job.landed = True
                self._written += 1
                self._lease.leave()
                self._turn.notify_all()

    def abandon(self, job: Job, error: BaseException) -> None:
        """Give up a job that has a place and will not be flushed; the log stops."""
        if not job.landed:
            self._failed = job.error = _stopped(error)
            self._land(job)

    def _write(self, encoded: Encoded) -> None:
        self._state.wal.append(encoded.payload)
        # Not before the log itself is on disk: a remembered head may lag, never lead.
        self._keys.head.write(encoded.state.size, encoded.note)

    def drain(self) -> None:
        """Wait, with the encode lock held, until every encoded group is written."""
        with self._turn:
            self._turn.wait_for(lambda: self._written == self._tickets)

    def __enter__(self) -> WriterState:
        """Exclusive use of the writer state: nothing in flight, lease held."""
        self.encode_lock.acquire()
        try:
            self.drain()
            self._check()
            with self._turn:
                self._lease.enter()
        except BaseException:
            self.encode_lock.release()
            raise
        return self._state

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self._lease.leave()
        self.encode_lock.release()

    def stop(self, error: AirconError) -> None:
        """Refuse all further work, once what is under way is done."""
        with self.encode_lock:
            with self._turn:
                self._turn.wait_for(lambda: self._written == self._tickets, _PATIENCE_S)
            self._failed = self._failed or error

    def _check(self) -> None:
        if self._failed is not None:
            raise NotDurable(
                f"the log has stopped: {self._failed.what}",
                kept="Everything acknowledged before is on disk.",
                todo="Reopen the log; it recovers by itself.",
            )

    def _take(self) -> list[_Submission]:
        taken = [self._queue.popleft()]
        count, size = len(taken[0].records), content_size(taken[0].records)
        while self._queue and count < MAX_GROUP and size < MAX_GROUP_BYTES:
            count += len(self._queue[0].records)
            size += content_size(self._queue[0].records)
            taken.append(self._queue.popleft())
        return taken

    def _encode(self, taken: list[_Submission]) -> Job:
        job = None
        try:
            job = self._encode_group(taken)
        except AirconError as error:
            # Nothing has a place in the chain yet: these callers fail, the log goes on, unless
            # it is the key store's disk that refused.
            if isinstance(error, NotDurable):
                self._failed = self._failed or error
            job = self._refuse(error)
        except BaseException as error:
            job = self._refuse(_stopped(error))
            raise
        finally:
            for each in taken:
                each.job = job
        return job

    def _refuse(self, error: AirconError) -> Job:
        self._keys.drop_pending()
        job = Job(-1, Encoded(bytearray(), [], self._state.chain, b""))
        job.error = error
        return job

    def _encode_group(self, taken: list[_Submission]) -> Job:
        self._check()
        if self._lease.due:
            self.drain()  # gives the lease up, so that other processes get a turn
        with self._turn:
            self._lease.enter()
        try:
            state = self._state
            records = _recovered(state.cut)
            for each in taken:
                each.start = len(records)
                records.extend(each.records)
            encoded = self._encoder.encode(records, state.chain, state.sealer, state.wal.first)
            state.chain, state.cut = encoded.state, 0
        except BaseException:
            with self._turn:
                self._lease.leave()
            raise
        self._tickets += 1
        return Job(self._tickets - 1, encoded)


def _recovered(cut: int) -> list[Record]:
    """The record that says what a crash left half-written, if it did."""
    if not cut:
        return []
    return [Record("log.recovered", "aircon", clear={"torn_bytes_cut": cut})]


def _stopped(error: BaseException) -> NotDurable:
    return NotDurable(
        f"the log stopped: {type(error).__name__}", todo="Reopen it; it recovers by itself."
    )
