"""Pages of rows around what is looked at; nothing else is held. Knows no widget and no thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from logstore.query.rows import Row

PAGE = 128
"""Rows of one page."""

KEPT = 24
"""Pages held; the least recently looked at goes first."""

Load = Callable[[int, int], Sequence[Row]]
"""`load(start, count)` fetches rows by position; slow, for worker threads."""


class Pages:
    """An LRU of pages over `count` rows."""

    def __init__(self) -> None:
        self.count = 0
        self._held: OrderedDict[int, Sequence[Row]] = OrderedDict()

    def clear(self) -> None:
        """Forget every page."""
        self._held.clear()

    def grow(self, count: int) -> None:
        """There are more rows now; the page that was not full is fetched again."""
        if count != self.count:
            self._held.pop(self.count // PAGE, None)
        self.count = count

    def row(self, position: int) -> Row | None:
        """The row at a position, or None while its page is not here."""
        number, at = divmod(position, PAGE)
        page = self._held.get(number)
        if page is None or at >= len(page):
            return None
        self._held.move_to_end(number)
        return page[at]

    def put(self, number: int, rows: Sequence[Row]) -> None:
        """Take in a fetched page."""
        self._held[number] = rows
        while len(self._held) > KEPT:
            self._held.popitem(last=False)

    def missing(self, first: int, last: int) -> int | None:
        """The page to fetch next so that rows first..last, then those around, are here."""
        if self.count == 0:
            return None
        low, high = first // PAGE, min(last, self.count - 1) // PAGE
        end = (self.count - 1) // PAGE
        around = (number for number in (high + 1, low - 1) if 0 <= number <= end)
        return next((n for n in (*range(low, high + 1), *around) if n not in self._held), None)

    @property
    def held(self) -> int:
        """How many pages are in memory."""
        return len(self._held)
