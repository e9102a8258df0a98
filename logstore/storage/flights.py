"""A stream of records stored in groups: one is encoded while the one before is being flushed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from logstore.errors import AirconError
from logstore.formats.record import Receipt, Record, Refusal
from logstore.storage.commits import Committer, Job
from logstore.storage.portions import portions

_Flight = tuple[Future[None], Job, int]


class Flights:
    """Keeps one group in the air while the next is made ready.

    Args:
        committer: encodes and flushes groups.
        before: called before every group; what it raises ends the stream.
    """

    def __init__(self, committer: Committer, before: Callable[[], None]) -> None:
        self._committer = committer
        self._before = before
        self._flusher = ThreadPoolExecutor(1, "aircon-flush")

    def store(self, records: Iterable[Record], group: int) -> Iterator[Receipt | Refusal]:
        """See `Log.append_many`."""
        flights: deque[_Flight] = deque()
        problem = None
        for chunk in portions(records, group):
            try:
                self._before()
            except AirconError as error:  # first say what became of those under way
                problem = error
                break
            job, start = self._committer.encode(chunk)
            flights.append((self._flush_soon(job), job, start))
            while len(flights) > 1:
                yield from _landed(flights.popleft())
        while flights:
            yield from _landed(flights.popleft())
        if problem is not None:
            raise problem

    def shutdown(self) -> None:
        """Wait for the flush under way; what comes from now on is refused."""
        self._flusher.shutdown()

    def _flush_soon(self, job: Job) -> Future[None]:
        try:
            return self._flusher.submit(self._committer.flush, job)
        except BaseException as error:  # closed meanwhile, or interrupted: nobody will flush it
            self._committer.abandon(job, error)
            raise


def _landed(flight: _Flight) -> list[Receipt | Refusal]:
    future, job, start = flight
    future.result()
    return job.outcomes()[start:]
