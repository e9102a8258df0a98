"""Sealing in the background, so that write-ahead files stay small while records keep coming.

A write-ahead file that is large enough is closed and waits; one after another they are sealed. A
segment therefore never takes more memory than one file of that size does, however far sealing
lags behind; what lies waiting lies on the disk, and writers wait when it is too much. A store that
can not be reached stops nobody, until the disk is nearly full.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from logstore.errors import NotDurable, StoreAway
from logstore.storage.pace import Pace
from logstore.storage.tally import Progress

MOST_WAITING = 3
"""Write-ahead files that may wait before writers do, where the store can be reached."""

SPARE_BYTES = 512 * 2**20
"""Disk space below which nothing is taken while the store can not be reached."""

FIRST_RETRY_S = 2.0
LAST_RETRY_S = 60.0
"""Pauses between two tries to reach the store: they double from the first to the last."""


@dataclass(frozen=True, slots=True)
class Sealable:
    """A log as this module sees it.

    Attributes:
        size: bytes in the write-ahead file that is being written.
        waiting: write-ahead files that wait to be sealed.
        free: bytes free on their disk.
        rotate: closes the write-ahead file for sealing, if it has that many bytes.
        seal_oldest: seals the write-ahead file that has waited longest, telling its progress.
    """

    size: Callable[[], int]
    waiting: Callable[[], int]
    free: Callable[[], int]
    rotate: Callable[[int], object]
    seal_oldest: Callable[[Progress], object]


class BackgroundSealing:
    """Starts sealing when the write-ahead file is large; lets writers wait when it falls behind.

    While the store can not be reached nobody waits for it: files pile up on this disk, as far as
    there is room, and are sealed one after another once it can be reached again.

    Args:
        log: what is sealed.
        limit: bytes of a write-ahead file that start it; None for never.

    Attributes:
        away: why the store can not be reached; None when it can, as far as is known.
    """

    def __init__(self, log: Sealable, limit: int | None) -> None:
        self._log = log
        self._limit = limit
        self._pool = ThreadPoolExecutor(1, "aircon-seal-wal")
        self._guard = threading.Lock()  # guards _tasks: one writer at a time sees to it
        self._tasks: deque[Future[object]] = deque()
        self._end = threading.Event()
        self.away: StoreAway | None = None

    def keep_up(self) -> None:
        """Called before anything new is stored.

        Raises:
            NotDurable: the store can not be reached, and the disk is nearly full.
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
            while self.away is None and log.waiting() >= MOST_WAITING:
                if not self._tasks:  # it failed before, or the files were there before us
                    self._start()
                self._wait(self._tasks.popleft())  # it must keep up in the long run
            if self.away is not None and log.free() < SPARE_BYTES:
                raise _no_room(self.away)
            log.rotate(limit)
            self._start()

    def put_off(self, error: StoreAway) -> None:
        """The store was found not to be reachable: go on trying in the background."""
        known, self.away = self.away, error
        if self._limit is not None and known is None:
            with self._guard:
                for _ in range(self._log.waiting()):
                    self._start()

    def _wait(self, task: Future[object]) -> None:
        """Wait for a sealing, unless the store turns out not to be reachable."""
        while self.away is None:
            try:
                task.result(timeout=_LOOK_S)
            except TimeoutError:
                continue
            return
        self._tasks.appendleft(task)

    def _start(self) -> None:
        self._tasks.append(self._pool.submit(self._seal_oldest))

    def _seal_oldest(self) -> None:
        """Seal one file; where the store is away, as soon as it can be reached again."""
        pause = FIRST_RETRY_S
        while True:
            try:
                self._log.seal_oldest(Pace(self._in_haste))
            except StoreAway as error:
                self.away = error
            else:
                self.away = None
                return
            if self._end.wait(pause):
                return
            pause = min(pause * 2, LAST_RETRY_S)

    def _in_haste(self) -> bool:
        # Before writers would have to wait for it, and when somebody waits for the end.
        return self._end.is_set() or self._log.waiting() > 1

    def shutdown(self) -> None:
        """Wait for what is to be sealed, unless the store can not be reached."""
        self._end.set()
        self._pool.shutdown(cancel_futures=self.away is not None)


_LOOK_S = 0.5


def _no_room(away: StoreAway) -> NotDurable:
    return NotDurable(
        f"the store can not be reached and this disk is nearly full: {away.what}",
        kept="Everything acknowledged before is on this disk, and goes to the store later.",
        todo=away.todo or "Make the store reachable, or free some disk space.",
    )
