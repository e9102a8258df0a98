"""Sealing in the background, so that write-ahead files stay small while records keep coming.

A write-ahead file that is large enough is closed and waits; one after another they are sealed. A
segment therefore never takes more memory than one file of that size does, however far sealing
lags behind; what lies waiting lies on the disk, and writers wait when it is too much.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from logstore.storage.pace import Pace
from logstore.storage.tally import Progress

MOST_WAITING = 3
"""Write-ahead files that may wait before writers do."""


@dataclass(frozen=True, slots=True)
class Sealable:
    """A log as this module sees it.

    Attributes:
        size: bytes in the write-ahead file that is being written.
        waiting: write-ahead files that wait to be sealed.
        rotate: closes the write-ahead file for sealing, if it has that many bytes.
        seal_oldest: seals the write-ahead file that has waited longest, telling its progress.
    """

    size: Callable[[], int]
    waiting: Callable[[], int]
    rotate: Callable[[int], object]
    seal_oldest: Callable[[Progress], object]


class BackgroundSealing:
    """Starts sealing when the write-ahead file is large; lets writers wait when it falls behind.

    Args:
        log: what is sealed.
        limit: bytes of a write-ahead file that start it; None for never.
    """

    def __init__(self, log: Sealable, limit: int | None) -> None:
        self._log = log
        self._limit = limit
        self._pool = ThreadPoolExecutor(1, "aircon-seal-wal")
        self._guard = threading.Lock()  # guards _tasks: one writer at a time sees to it
        self._tasks: deque[Future[object]] = deque()
        self._ending = False

    def keep_up(self) -> None:
        """Called before anything new is stored.

        Raises:
            AirconError: what a sealing ran into; it is tried again the next time.
        """
        limit, log = self._limit, self._log
        if limit is None or log.size() < limit:
            return
        with self._guard:
            if log.size() < limit:
                return  # another writer has seen to it meanwhile
            while self._tasks and self._tasks[0].done():
                self._tasks.popleft().result()
            while log.waiting() >= MOST_WAITING:
                if not self._tasks:  # it failed before, or the files were there before us
                    self._start()
                self._tasks.popleft().result()  # back-pressure: it must keep up in the long run
            log.rotate(limit)
            self._start()

    def _start(self) -> None:
        self._tasks.append(self._pool.submit(self._log.seal_oldest, Pace(self._in_haste)))

    def _in_haste(self) -> bool:
        # Before writers would have to wait for it, and when somebody waits for the end.
        return self._ending or self._log.waiting() > 1

    def shutdown(self) -> None:
        """Wait for what is to be sealed."""
        self._ending = True
        self._pool.shutdown()
