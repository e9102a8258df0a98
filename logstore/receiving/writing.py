"""The endpoint's one writer: the records of all requests under way share group commits.

Rules of this file:

1. A submission is answered when every record of it is on disk, or was refused by the log.
2. A log that stopped (a failed flush, a full disk) is opened again, not more often than every
   `REOPEN_S`; until then everything is refused, and nothing is queued for later.
3. Whoever brings much takes turns with the others: no more than a share of it goes into one commit.
4. Records of a person whose keys were destroyed are not stored under another key; a record without
   content says that something was refused (``capture.refused``).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from logstore.errors import AirconError, KeyDestroyed, NotDurable
from logstore.formats.record import Receipt, Record, Refusal
from logstore.storage.log import Log
from logstore.storage.portions import MAX_GROUP_BYTES, content_size, portions

REOPEN_S = 1.0
"""Seconds between attempts to open a log that stopped."""

MAX_TAKEN = 2048
"""Records from which no more are committed in one go; what comes meanwhile shares the next."""

SHARE = 512
"""Most records of one submission in one go: a few milliseconds of everybody's time."""

SHARE_BYTES = 4 * 2**20
"""Content bytes of one submission after which the rest waits for the next go."""

_ONE_GROUP = 1024  # records that are flushed at once; more are encoded while others are flushed

REFUSED = "capture.refused"
"""Kind of a record that says, without content, that records were refused and why."""

Outcomes = list[Receipt | Refusal]


class _Submission:
    __slots__ = ("future", "outcomes", "records")

    def __init__(self, records: Sequence[Record], future: asyncio.Future[Outcomes]) -> None:
        self.records = records
        self.future = future
        self.outcomes: Outcomes = []

    def share(self) -> _Share:
        """What of it is stored next."""
        first = len(self.outcomes)
        left = self.records[first : first + SHARE]
        return _Share(self, next(portions(left, SHARE, SHARE_BYTES)))


class _Share:
    __slots__ = ("outcomes", "records", "submission")

    def __init__(self, submission: _Submission, records: Sequence[Record]) -> None:
        self.submission = submission
        self.records = records
        self.outcomes: Outcomes = []


class Opening(Protocol):
    """Opens the log for writing; called again after it stopped."""

    def __call__(self) -> Log:
        """Open it, finishing what a crash left half-done."""
        ...


class Writer:
    """Stores the records of many requests; used in one event loop.

    Args:
        opening: opens the log.
        on_trouble: told, in another thread, what stopped the log and when it goes on (None).
    """

    def __init__(self, opening: Opening, on_trouble: Callable[[AirconError | None], None]) -> None:
        self._opening = opening
        self._on_trouble = on_trouble
        self._log: Log | None = opening()
        self._trouble: AirconError | None = None
        self._tried = float("-inf")
        self._waiting: deque[_Submission] = deque()
        self._pool = ThreadPoolExecutor(1, "aircon-serve-commit")
        self._busy = False
        self._idle = asyncio.Event()

    @property
    def trouble(self) -> AirconError | None:
        """Why nothing is stored at the moment; None when all is well."""
        return self._trouble

    @property
    def log(self) -> Log | None:
        """The log as it is open now; None while it can not be opened."""
        return self._log

    async def store(self, records: Sequence[Record]) -> Outcomes:
        """Store records together with what other requests bring; a receipt or refusal for each.

        Raises:
            AirconError: not all of them are known to be stored; the request must be sent again.
        """
        if not records:
            return []
        loop = asyncio.get_running_loop()
        submission = _Submission(records, loop.create_future())
        self._waiting.append(submission)
        self._wake(loop)
        return await submission.future

    async def revive(self) -> None:
        """Try to open a log that stopped, also when no request asks for it."""
        if self._trouble is not None:
            self._wake(asyncio.get_running_loop())

    async def close(self) -> None:
        """Finish what is under way and close the log."""
        loop = asyncio.get_running_loop()
        if self._busy:
            await self._idle.wait()
        await loop.run_in_executor(self._pool, self._close)
        self._pool.shutdown()

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._busy:
            self._busy = True
            self._idle.clear()
            loop.call_soon(self._drain, loop)

    def _close(self) -> None:
        if self._log is not None:
            self._log.close()

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        shares: list[_Share] = []
        count = 0
        while self._waiting and count < MAX_TAKEN:
            shares.append(self._waiting.popleft().share())
            count += len(shares[-1].records)
        done = loop.run_in_executor(self._pool, self._commit, shares)
        done.add_done_callback(lambda future: self._deliver(loop, shares, future))

    def _deliver(
        self,
        loop: asyncio.AbstractEventLoop,
        shares: Sequence[_Share],
        done: asyncio.Future[AirconError | None],
    ) -> None:
        raised = done.exception()
        error = done.result() if raised is None else _fault(raised)
        for share in shares:
            self._advance(share, error)
        if self._waiting:
            self._drain(loop)
        else:
            self._busy = False
            self._idle.set()

    def _advance(self, share: _Share, error: AirconError | None) -> None:
        """Answer a submission that is done with, or let it wait for its next turn."""
        whole = share.submission
        whole.outcomes.extend(share.outcomes)
        gone = whole.future.done()  # its sender went away; what is stored is stored
        if len(whole.outcomes) == len(whole.records):
            if not gone:
                whole.future.set_result(whole.outcomes)
        elif error is None:
            self._waiting.append(whole)
        elif not gone:
            whole.future.set_exception(error)

    # -- in the commit thread -----------------------------------------------------------------

    def _commit(self, shares: Sequence[_Share]) -> AirconError | None:
        """Store some records; fills in outcomes, and gives what stopped it, if anything did."""
        try:
            log = self._opened()
            outcomes = _appended(log, [record for share in shares for record in share.records])
            for share in shares:
                share.outcomes.extend(islice(outcomes, len(share.records)))
            refusals = list(_refusals(shares))
            if refusals:
                log.append_batch(refusals)
        except AirconError as error:
            self._stop(error)
            return error
        return None

    def _opened(self) -> Log:
        if self._log is not None:
            return self._log
        assert self._trouble is not None
        if time.monotonic() - self._tried < REOPEN_S:
            raise self._trouble
        self._tried = time.monotonic()
        self._log = self._opening()
        self._trouble = None
        self._on_trouble(None)
        return self._log

    def _stop(self, error: AirconError) -> None:
        if error is not self._trouble:
            self._trouble = error
            self._on_trouble(error)
        log, self._log = self._log, None
        if log is not None:
            self._tried = time.monotonic()
            log.close()


def _appended(log: Log, records: Sequence[Record]) -> Iterator[Receipt | Refusal]:
    """Outcomes of records; few are flushed by the thread that encoded them, which is sooner."""
    if len(records) <= _ONE_GROUP and content_size(records) <= MAX_GROUP_BYTES:
        return iter(log.append_batch(records))
    return log.append_many(records, group=_ONE_GROUP)


def _refusals(shares: Sequence[_Share]) -> Iterator[Record]:
    """One record without content for each source and reason of what the log refused."""
    counts: dict[tuple[str, str], int] = {}
    for share in shares:
        for outcome in share.outcomes:
            if isinstance(outcome, Refusal):
                key = (outcome.record.source, type(outcome.error).__name__)
                counts[key] = counts.get(key, 0) + 1
    for (source, reason), count in counts.items():
        yield Record(REFUSED, source, clear={"reason": reason, "records": count})


def is_withheld(refusal: Refusal) -> bool:
    """Whether a record was refused because its person's keys were destroyed."""
    return isinstance(refusal.error, KeyDestroyed)


def _fault(error: BaseException) -> NotDurable:
    return NotDurable(f"the writer failed: {type(error).__name__}")
