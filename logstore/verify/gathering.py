"""What of a bucket's listing is kept, however much lies there. Pure: entries in, names out.

Whoever may put objects can put any number of them. So what nobody asks for is counted, and only
the first of it kept by name; of one name only the versions that were put first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from logstore.s3.versions import Entry, Marker, Version

MOST_KEPT = 200_000
"""Entries that are kept before it is asked which of them matter."""

MOST_NAMED = 100
"""Names that nobody accounts for and that are told; the others are counted."""

_OLDEST = 64  # versions of one name that are kept; of more the server is asked again

_MASK = 2**64 - 1


@dataclass(slots=True)
class Held:
    """What lies under one name.

    Attributes:
        oldest: its versions, newest first; when there are very many, only those put first.
        count: how many versions there are.
        hidden: whether a delete marker lies among them.
        identity: changes with every version that comes or goes, within one process.
    """

    oldest: list[Version] = field(default_factory=list)
    count: int = 0
    hidden: bool = False
    identity: int = 0

    @property
    def whole(self) -> bool:
        """Whether every version is kept."""
        return self.count == len(self.oldest)

    def take(self, entry: Entry) -> int:
        """Take the next entry of the listing; returns by how many more are kept."""
        self.identity = (self.identity * 1_000_003 ^ hash(entry.version_id)) & _MASK
        if isinstance(entry, Marker):
            self.hidden = True
            return 0
        before = len(self.oldest)
        self.count += 1
        self.oldest.append(entry)
        if before >= 2 * _OLDEST:
            del self.oldest[:-_OLDEST]
        return len(self.oldest) - before


class Gathering:
    """Takes a listing, entry by entry.

    Args:
        wanted: whether something of a name is kept; everything else is counted.
        most: entries that are kept at most.

    Attributes:
        held: what is kept, by name.
        seen: entries that were taken.
        named: the first names that are not wanted.
        unnamed: entries of further such names.
    """

    def __init__(self, wanted: Callable[[str], bool], most: int = MOST_KEPT) -> None:
        self._wanted = wanted
        self._most = most
        self._kept = 0
        self.held: dict[str, Held] = {}
        self.seen = 0
        self.named: dict[str, None] = {}
        self.unnamed = 0

    @property
    def full(self) -> bool:
        """Whether more would have to be kept than may be: then what is held is not all."""
        return self._kept > self._most

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        self.seen += 1
        held = self.held.get(entry.name)
        if held is None:
            if not self._wanted(entry.name):
                if len(self.named) < MOST_NAMED:
                    self.named[entry.name] = None
                self.unnamed += entry.name not in self.named
                return
            held = self.held[entry.name] = Held()
            self._kept += 1
        self._kept += held.take(entry)
