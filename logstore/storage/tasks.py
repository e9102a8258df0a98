"""Appending from asyncio: many tasks share one group commit without a thread each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from logstore.errors import AirconError
from logstore.formats.record import Receipt, Record, Refusal
from logstore.storage.commits import MAX_GROUP, Committer

_Waiting = tuple[Record, asyncio.Future[Receipt]]


class TaskDoor:
    """Collects what tasks of one event loop append and commits it together.

    Args:
        committer: stores the records.
        after: called after every commit.
    """

    def __init__(self, committer: Committer, after: Callable[[], None]) -> None:
        self._committer = committer
        self._after = after
        # Of its own: a commit here may wait for a flush queued elsewhere.
        self._pool = ThreadPoolExecutor(1, "aircon-commit")
        self._awaiting: deque[_Waiting] = deque()
        self._draining = False

    async def append(self, record: Record) -> Receipt:
        """See `Log.aappend`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._awaiting.append((record, future))
        if not self._draining:
            self._draining = True
            loop.call_soon(self._drain_soon, loop)
        return await future

    def shutdown(self) -> None:
        """Wait for the commit under way."""
        self._pool.shutdown()

    def _drain_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = [self._awaiting.popleft() for _ in range(min(len(self._awaiting), MAX_GROUP))]
        task = loop.run_in_executor(self._pool, self._commit_or_error, [r for r, _ in batch])
        task.add_done_callback(lambda done: self._resolve(loop, batch, done))

    def _commit_or_error(self, records: list[Record]) -> list[Receipt | Refusal] | AirconError:
        try:
            return self._committer.commit(records)
        except AirconError as error:
            return error

    def _resolve(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting],
        done: asyncio.Future[list[Receipt | Refusal] | AirconError],
    ) -> None:
        if self._awaiting:
            self._drain_soon(loop)
        else:
            self._draining = False
        outcomes = done.result()
        for place, (_, future) in enumerate(batch):
            if future.done():
                continue  # cancelled by its caller; the record is stored all the same
            outcome = outcomes if isinstance(outcomes, AirconError) else outcomes[place]
            if isinstance(outcome, Receipt):
                future.set_result(outcome)
            else:
                future.set_exception(outcome.error if isinstance(outcome, Refusal) else outcome)
        self._after()
