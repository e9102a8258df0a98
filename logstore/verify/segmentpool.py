"""Running segment checks: in this process for little, in one process per core for much."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol

from logstore.errors import CannotJudge
from logstore.verify.segmentcheck import SegmentJob, SegmentOutcome, check_segment, hold_keys

WORTH_PROCESSES = 40_000
"""Records from which starting processes pays."""


class Engine(Protocol):
    """What checks the sealed segments of a log."""

    @property
    def unproven(self) -> str:
        """What a report must say is taken on trust because this engine checked; or empty."""
        ...

    def outcomes(
        self, jobs: Sequence[SegmentJob], keys: Mapping[str, bytes] | None
    ) -> Iterator[SegmentOutcome]:
        """Outcomes in the order of the jobs, as they become known.

        Args:
            jobs: what to check; they can be pickled, and hold no open file and no key.
            keys: open bodies; None when none are to be opened.
        """
        ...


@dataclass(frozen=True, slots=True)
class Processes:
    """This machine; implements `Engine`.

    Attributes:
        workers: processes at most.
    """

    workers: int

    @property
    def unproven(self) -> str:
        """See `Engine`."""
        return ""

    def outcomes(
        self, jobs: Sequence[SegmentJob], keys: Mapping[str, bytes] | None
    ) -> Iterator[SegmentOutcome]:
        """See `Engine`; raises what `check_segments` does."""
        return check_segments(jobs, self.workers, keys)


def check_segments(
    jobs: Sequence[SegmentJob], workers: int, keys: Mapping[str, bytes] | None
) -> Iterator[SegmentOutcome]:
    """Outcomes in the order of the jobs, as they become known.

    Raises:
        CannotJudge: a worker process died, for want of memory or because a file shrank while it
            was read.
    """
    records = sum(job.pin.count for job in jobs)
    if workers < 2 or len(jobs) < 2 or records < WORTH_PROCESSES:
        hold_keys(keys)
        try:
            yield from map(check_segment, jobs)
        finally:
            hold_keys(None)
        return
    try:
        yield from _in_processes(jobs, workers, keys)
    except BrokenProcessPool:
        raise CannotJudge(
            "a process that checked a segment died",
            todo="Look for a lack of memory, or a file that changed; try with one worker.",
        ) from None


def _in_processes(
    jobs: Sequence[SegmentJob], workers: int, keys: Mapping[str, bytes] | None
) -> Iterator[SegmentOutcome]:
    # Not fork: pyarrow's threads do not survive it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["logstore.verify.segmentcheck", "pyarrow.parquet"])
    with ProcessPoolExecutor(
        min(workers, len(jobs)), context, initializer=hold_keys, initargs=(keys,)
    ) as pool:
        flights: deque[Future[SegmentOutcome]] = deque()
        try:
            for job in jobs:
                flights.append(pool.submit(check_segment, job))
                if len(flights) > 2 * workers:
                    yield flights.popleft().result()
            while flights:
                yield flights.popleft().result()
        finally:
            for flight in flights:
                flight.cancel()
