"""Appending from asyncio: many tasks share one group commit without a thread each."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from logstore.errors import AirconError, NotDurable
from logstore.formats.record import Receipt, Record, Refusal
from logstore.storage.commits import Committer
from logstore.storage.portions import MAX_GROUP

_Waiting = tuple[Record, asyncio.Future[Receipt]]
_Outcomes = list[Receipt | Refusal] | AirconError


class TaskDoor:
    """Collects what tasks append and commits it together.

    Each event loop has a queue of its own, because only its own thread may touch its futures, and
    because a loop that ends with work under way must not stop the others.

    Args:
        committer: stores the records.
        before: called before every commit, in its thread; what it raises refuses the records.
    """

    def __init__(self, committer: Committer, before: Callable[[], None]) -> None:
        self._committer = committer
        self._before = before
        # Of its own: a commit here may wait for a flush queued elsewhere.
        self._pool = ThreadPoolExecutor(1, "aircon-commit")
        self._queues: dict[asyncio.AbstractEventLoop, _Queue] = {}
        self._guard = threading.Lock()  # guards _queues

    async def append(self, record: Record) -> Receipt:
        """See `Log.aappend`."""
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop) or self._queue(loop)
        future: asyncio.Future[Receipt] = loop.create_future()
        queue.add(loop, (record, future))
        return await future

    def shutdown(self) -> None:
        """Wait for the commit under way; what tasks append from now on is refused."""
        self._pool.shutdown()

    def _queue(self, loop: asyncio.AbstractEventLoop) -> _Queue:
        with self._guard:
            for ended in [each for each in self._queues if each.is_closed()]:
                del self._queues[ended]
            return self._queues.setdefault(loop, _Queue(self._pool, self._commit))

    def _commit(self, records: list[Record]) -> _Outcomes:
        try:
            self._before()
            return self._committer.commit(records)
        except AirconError as error:
            return error


class _Queue:
    """What tasks of one event loop wait for; used in that loop's thread only."""

    def __init__(
        self, pool: ThreadPoolExecutor, commit: Callable[[list[Record]], _Outcomes]
    ) -> None:
        self._pool = pool
        self._commit = commit
        self._awaiting: deque[_Waiting] = deque()
        self._draining = False

    def add(self, loop: asyncio.AbstractEventLoop, waiting: _Waiting) -> None:
        """Have a record stored with whatever else this loop's tasks append in this turn."""
        self._awaiting.append(waiting)
        if not self._draining:
            self._draining = True
            loop.call_soon(self._drain, loop)

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = [self._awaiting.popleft() for _ in range(min(len(self._awaiting), MAX_GROUP))]
        try:
            task = loop.run_in_executor(self._pool, self._commit, [record for record, _ in batch])
        except RuntimeError as error:  # the log was closed meanwhile
            self._draining = False
            _deliver([*batch, *self._awaiting], _lost(error))
            self._awaiting.clear()
            return
        task.add_done_callback(lambda done: self._resolve(loop, batch, done))

    def _resolve(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting],
        done: asyncio.Future[_Outcomes],
    ) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        _deliver(batch, done.result() if error is None else _lost(error))
        if self._awaiting:
            self._drain(loop)
        else:
            self._draining = False


def _deliver(batch: list[_Waiting], outcomes: _Outcomes) -> None:
    for place, (_, future) in enumerate(batch):
        if future.done():
            continue  # cancelled by its caller; the record is stored all the same
        outcome = outcomes if isinstance(outcomes, AirconError) else outcomes[place]
        if isinstance(outcome, Receipt):
            future.set_result(outcome)
        else:
            future.set_exception(outcome.error if isinstance(outcome, Refusal) else outcome)


def _lost(error: BaseException) -> NotDurable:
    return NotDurable(
        f"the log stopped: {type(error).__name__}", todo="Reopen it; it recovers by itself."
    )
