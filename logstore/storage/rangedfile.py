"""An object of which only some ranges are here: brought together, kept, nothing else is read.

What lies in it is what somebody sent. Nothing here is proven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from logstore.errors import FormatError

Span = tuple[int, int]
"""Where a range begins, and where it ends."""

Fetch = Callable[[int, int], bytes]
"""Gives so many bytes from some place on."""

_GAP = 64 * 2**10  # bytes between two ranges that cost less than another request
_THREADS = 4


class RangedFile:
    """Ranges of one object.

    Args:
        fetch: where they come from.
        size: bytes of the whole.

    Attributes:
        size: likewise.
        held: bytes that are here.
    """

    def __init__(self, fetch: Fetch, size: int) -> None:
        self.size = size
        self.held = 0
        self._fetch = fetch
        self._pieces: list[tuple[int, bytes]] = []

    def missing(self, spans: Iterable[Span]) -> list[Span]:
        """The ranges to be asked for so that all of some ranges are here.

        Raises:
            FormatError: one is no range of this object.
        """
        joined: list[Span] = []
        for start, end in sorted(spans):
            if not 0 <= start < end <= self.size:
                raise FormatError("a range that the object does not have")
            if self._find(start, end) is not None:
                continue
            if joined and start <= joined[-1][1] + _GAP:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        return joined

    def bring(self, spans: Iterable[Span]) -> None:
        """Ask for what is missing of some ranges, side by side.

        Raises:
            FormatError: one is no range of this object, or other bytes came than asked for.
        """
        wanted = self.missing(spans)
        if len(wanted) < 2:
            found = [self._ask(span) for span in wanted]
        else:
            with ThreadPoolExecutor(min(len(wanted), _THREADS), "aircon-ranges") as pool:
                found = list(pool.map(self._ask, wanted))
        for (start, _), data in zip(wanted, found, strict=True):
            self._pieces.append((start, data))
            self.held += len(data)

    def part(self, start: int, end: int) -> bytes:
        """Bytes of a range that was brought.

        Raises:
            FormatError: it was not.
        """
        found = self._find(start, end)
        if found is None:
            raise FormatError(f"bytes {start} to {end} were not asked for")
        at, data = found
        return data[start - at : end - at]

    def _ask(self, span: Span) -> bytes:
        data = self._fetch(span[0], span[1] - span[0])
        if len(data) != span[1] - span[0]:
            raise FormatError("other bytes came than were asked for")
        return data

    def _find(self, start: int, end: int) -> tuple[int, bytes] | None:
        covers = (p for p in self._pieces if p[0] <= start and end <= p[0] + len(p[1]))
        return next(covers, None)
