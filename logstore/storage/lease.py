"""The writer lease: one writer at a time, handed around fairly between processes.

A process holds the lock file only while group commits are under way. Between commits others may
append; whoever takes the lease back first reads what they added. A long import gives the lease up
now and then, so that a console or a query beside it can record what it did.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from logstore.disk import lock_file
from logstore.errors import WriterBusy

_HOLD_S = 0.1
_PAUSE_S = 0.001
_POLL_S = 0.0004


@contextlib.contextmanager
def sealing_alone(directory: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the seal lock of a log; gives False when it is held elsewhere and `wait` is false."""
    lock = lock_file(directory / "seal.lock", wait=wait)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


class Lease:
    """Exclusive right to append, counted over the commits in flight; its owner serialises.

    Args:
        path: the lock file.
        on_taken: called whenever the lease was taken anew, to catch up with other writers.
        timeout_s: how long to wait for another writer.
    """

    def __init__(self, path: Path, on_taken: Callable[[], None], *, timeout_s: float = 30) -> None:
        self._path = path
        self._on_taken = on_taken
        self._timeout_s = timeout_s
        self._fd: int | None = None
        self._holders = 0
        self._since = 0.0

    @property
    def due(self) -> bool:
        """Whether it has been held long enough that others should have a turn."""
        return self._fd is not None and time.monotonic() - self._since > _HOLD_S

    def enter(self) -> None:
        """Take the lease, or share it with a commit of this process that holds it.

        Raises:
            WriterBusy: another process kept it longer than the timeout.
        """
        if self._fd is None:
            self._fd = self._take()
            self._since = time.monotonic()
            try:
                self._on_taken()
            except BaseException:
                self._drop()
                raise
        self._holders += 1

    def leave(self) -> None:
        """Give up one share; the last one frees the lease."""
        self._holders -= 1
        if self._holders == 0:
            overdue = self.due
            self._drop()
            if overdue:
                time.sleep(_PAUSE_S)

    def _drop(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _take(self) -> int:
        deadline = time.monotonic() + self._timeout_s
        while (fd := lock_file(self._path, wait=False)) is None:
            if time.monotonic() > deadline:
                raise WriterBusy(
                    "another process keeps writing to this log",
                    kept="Nothing was written by this command.",
                    todo="Wait for it to end, or stop it, then try again.",
                )
            time.sleep(_POLL_S)
        return fd
