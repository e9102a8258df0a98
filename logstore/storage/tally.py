"""How far sealing is: told in records, also within a long segment."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (records done, records in all). What it raises stops the work cleanly: everything
done so far is kept, and sealing again goes on from there."""


class Tally:
    """Counts the records of one sealing; a record is half done when it was read.

    Args:
        total: records to be sealed.
        progress: told of every step.
    """

    def __init__(self, total: int, progress: Progress | None = None) -> None:
        self._total = total
        self._progress = progress
        self._halves = 0
        self._due = 0

    def read(self, count: int) -> None:
        """Take note of records that were read and whose clear part is built."""
        self._add(count)

    def packed(self, count: int) -> None:
        """Take note of records whose content is encrypted for good."""
        self._add(count)

    def sealed(self, count: int) -> None:
        """Take note of a whole segment of `count` records, however far it was counted."""
        self._due += 2 * count
        self._add(self._due - self._halves)

    def _add(self, halves: int) -> None:
        self._halves += halves
        if self._progress is not None:
            self._progress(min(self._halves // 2, self._total), self._total)
