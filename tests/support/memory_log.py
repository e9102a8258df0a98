"""A log that keeps records in memory, for tests of what feeds a log."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from logstore.capture.linking import Sighting
from logstore.errors import KeyDestroyed, NotDurable
from logstore.formats import body as bodies
from logstore.formats.body import Body
from logstore.formats.record import LINKED, Receipt, Record, Refusal


class MemoryLog:
    """Keeps records; can break after some of them, as a crash would, and refuse some people."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.break_after: int | None = None
        self.destroyed: set[str] = set()

    def append_many(
        self, records: Iterable[Record], *, group: int = 1024
    ) -> Iterator[Receipt | Refusal]:
        source = iter(records)
        while chunk := list(itertools.islice(source, group)):
            for record in chunk:
                if self.break_after is not None and len(self.records) >= self.break_after:
                    raise NotDurable("the disk is gone")
                if self.destroyed & set(record.subjects):
                    yield Refusal(record, KeyDestroyed("gone for good"))
                    continue
                self.records.append(record)
                yield Receipt(len(self.records) - 1, "id", bytes(32))

    def last_seq(self, source: str) -> int | None:
        numbers = [r.seq for r in self.records if r.source == source and r.seq is not None]
        return max(numbers, default=None)

    def places(self, source: str) -> dict[int, int]:
        return {
            r.seq: at
            for at, r in enumerate(self.records)
            if r.source == source and r.seq is not None
        }

    def linked(self, source: str) -> set[int]:
        links = [r.clear["records"] for r in self.of_kind(LINKED) if r.source == source]
        return {index for listed in links if isinstance(listed, list) for index in listed}

    def earlier(self, source: str, before: int) -> list[tuple[Sighting, int]]:
        """It remembers nothing of what was told; stores do."""
        return []

    def of_kind(self, kind: str) -> list[Record]:
        return [record for record in self.records if record.kind == kind]

    def bodies(self, kind: str = "interaction") -> list[Body]:
        return [bodies.parse(r.content) for r in self.of_kind(kind) if r.content is not None]
