"""Sealing in the background, so that write-ahead files stay small while records keep coming."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class BackgroundSealing:
    """Starts sealing when the write-ahead file is large; lets writers wait when it falls behind.

    Args:
        seal: seals everything durable.
        limit: bytes of a write-ahead file that start it; None for never.
    """

    def __init__(self, seal: Callable[[], object], limit: int | None) -> None:
        self._seal = seal
        self._limit = limit
        self._pool = ThreadPoolExecutor(1, "aircon-seal-wal")
        self._running: Future[object] | None = None

    def keep_up(self, size: int) -> None:
        """Called with the size of the write-ahead file before anything new is stored.

        Raises:
            AirconError: what the last sealing ran into; it is tried again the next time.
        """
        if self._limit is None or size < self._limit:
            return
        running = self._running
        if running is None:
            running = self._running = self._pool.submit(self._seal)
        if running.done() or size > 3 * self._limit:
            try:
                running.result()  # back-pressure: it must keep up in the long run
            finally:
                self._running = None

    def shutdown(self) -> None:
        """Wait for the sealing under way."""
        self._pool.shutdown()
