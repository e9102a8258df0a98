"""Building parts: decrypt, decode, write; merge small ones; one process at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logstore.disk import Disk, lock_file
from logstore.formats.leaf import leaf_hash
from logstore.query.batches import InProcess, InWorkers, processors
from logstore.query.columns import records_schema
from logstore.query.forgetting import LOCK, Ranges, fact
from logstore.query.partfile import VERSION, PartWriter
from logstore.query.parts import GROUP, PART_RECORDS, Part, merge_tail, split_runs
from logstore.query.recordbatches import Batches, record_batches

if TYPE_CHECKING:
    import pyarrow as pa

    from logstore.storage.reader import LogReader

FLUSH = 8 * GROUP
"""Records in memory that become a part."""

WORTH_WORKERS = 20_000
"""Records from which worker processes pay for their start."""

Progress = Callable[[int, int], None]
"""Called with records done and records to do; may raise to stop, which leaves whole parts only."""


class Builder:
    """Writes parts of one log into one directory.

    Attributes:
        removed: what retention has removed, as the parts that are built now know it.
    """

    def __init__(
        self, reader: LogReader, directory: Path, key: bytes | None, progress: Progress
    ) -> None:
        self._reader = reader
        self._directory = directory
        self._key = key
        self._progress = progress
        self.removed: Ranges = {}

    @contextmanager
    def alone(self, *, wait: bool) -> Iterator[bool]:
        """Hold the builder's lock; False when another process has it and `wait` is false."""
        lock = lock_file(self._directory / LOCK, wait=wait)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                os.close(lock)

    def facts(self, part: Part) -> dict[str, str]:
        """What a part must say about itself: of this log, this history, this program."""
        last = self._reader.leaves(part.end - 1, 1)
        return {
            "version": VERSION,
            "origin": self._reader.origin,
            "last_leaf": leaf_hash(last[0]).hex() if last else "",
            **fact(part, self.removed),
        }

    def fill(self, missing: list[tuple[int, int]]) -> int:
        """Build parts for ranges of records; a short end of the log is left for memory.

        Returns the number of records written.

        Raises:
            TamperingFound: the evidence does not hold.
        """
        total = sum(end - first for first, end in missing)
        writer, decode = self._writer(), _decoder(total)
        done = 0
        try:
            for part in (part for first, end in missing for part in self._runs(first, end)):
                batches = record_batches(self._reader, part.first, part.end, decode)
                writer.write(part, self._counted(batches, done, total), self.facts(part))
                done += part.count
        finally:
            decode.close()
            writer.close()
        return done

    def flush(self, first: int, table: pa.Table, parts: list[Part]) -> None:
        """Write records from memory as parts, merging small ones before them.

        Args:
            first: index of the first record of `table`.
            table: consecutive records, columns of `records_schema`.
            parts: parts in use.
        """
        writer = self._writer()
        moments: list[Any] = table.column("recorded_us").to_pylist()
        try:
            for fresh in split_runs(first, moments):
                rows = table.slice(fresh.first - first, fresh.count).cast(records_schema())
                writer.write(fresh, rows.to_batches(), self.facts(fresh))
                old = merge_tail([part for part in parts if part.end <= fresh.first], fresh)
                if old:
                    whole = Part(old[0].first, fresh.end, fresh.period)
                    writer.merge(whole, [*old, fresh], self.facts(whole))
        finally:
            writer.close()

    def sweep(self, used: list[Part]) -> None:
        """Remove half-written files and parts that are not in `used`; hold the lock."""
        names = {part.file_name for part in used} | {LOCK}
        disk = Disk(immutable=False)
        for path in list(self._directory.iterdir()):
            if path.name not in names:
                disk.remove(path, shred=self._key is None)

    def _counted(self, batches: Iterator[Any], done: int, total: int) -> Iterator[Any]:
        for batch in batches:
            yield batch
            done += batch.num_rows
            self._progress(done, total)

    def _runs(self, first: int, end: int) -> Iterator[Part]:
        while first < end:
            table = self._reader.table(first, min(PART_RECORDS, end - first))
            moments: list[Any] = table.column("recorded_us").to_pylist()
            runs = split_runs(first, moments)
            if runs[-1].end == self._reader.size and runs[-1].count < FLUSH:
                runs.pop()
                end = runs[-1].end if runs else first
            yield from runs
            first = runs[-1].end if runs else end

    def _writer(self) -> PartWriter:
        return PartWriter(self._directory, self._key, threads=processors(), memory="2GB")


def _decoder(records: int) -> Batches:
    workers = processors()
    return InWorkers(workers) if records >= WORTH_WORKERS and workers > 1 else InProcess()
