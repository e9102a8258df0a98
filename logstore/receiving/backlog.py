"""Bytes of requests that are not answered yet: bounded, whatever senders do. Pure.

A request counts with what really arrived, not with what it announced, so that one slow sender can
not take the room of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from logstore.receiving.refusals import later


class Backlog:
    """Counts what is under way.

    Args:
        most: bytes under way at a time.
        on_change: told the bytes under way now.
    """

    def __init__(self, most: int, on_change: Callable[[int], None]) -> None:
        self._most = most
        self._on_change = on_change
        self.size = 0
        self.requests = 0

    @contextmanager
    def entry(self) -> Iterator[Entry]:
        """One request's share, given back in the end."""
        entry = Entry(self)
        self.requests += 1
        try:
            yield entry
        finally:
            self.requests -= 1
            self.change(-entry.size)

    def change(self, size: int) -> None:
        """Count more, or less."""
        self.size += size
        self._on_change(self.size)

    def has_room(self, size: int) -> bool:
        """Whether so much more may be under way; a lone request always may."""
        return self.size + size <= self._most or self.requests <= 1


class Entry:
    """What one request has under way."""

    __slots__ = ("_backlog", "size")

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self.size = 0

    def grow(self, size: int) -> None:
        """Count more bytes of this request.

        Raises:
            ComeBack: too much is under way; send it again.
        """
        if not self._backlog.has_room(size):
            raise later("queue-full", "too many requests are under way", 1)
        self.size += size
        self._backlog.change(size)
