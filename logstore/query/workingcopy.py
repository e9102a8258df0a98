"""The working copy: every body decrypted and decoded once, into files that may be deleted anytime.

What is on disk are immutable parts (`parts`, `partfile`), encrypted under the key store's
``workingcopy`` key. Records newer than the last part stand in a table in memory, so a live tail
costs only its new records; enough of them become a part. One process builds at a time; any number
read. A part that another process merged or rebuilt is noticed at `refresh`.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from logstore.disk import Disk
from logstore.errors import CannotJudge
from logstore.query.batches import InProcess
from logstore.query.build import FLUSH, Builder, Progress
from logstore.query.columns import records_types
from logstore.query.forgetting import touched
from logstore.query.lockdown import Protection
from logstore.query.parts import GROUP, Part, gaps
from logstore.query.partset import PartSet
from logstore.query.recordbatches import record_batches
from logstore.query.skipbitmap import PartMaps
from logstore.query.tailtable import TailTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from logstore.storage.reader import LogReader


class WorkingCopy:
    """Decrypted records of one log, queryable as ``base.records`` of an instance.

    What a refresh replaces stays attached until the next one, for questions that are under way.

    Attributes:
        content: True: content columns are there.
        protection: how its files lie on disk.
        built: records decrypted into files by the last `refresh`.
        rewritten: whether it took records away, so that what was made of them is out of date.
    """

    content = True

    def __init__(
        self,
        reader: LogReader,
        directory: Path,
        connection: DuckDBPyConnection,
        protection: Protection,
        progress: Progress | None = None,
    ) -> None:
        """Open it without looking at the log yet; call `refresh`.

        Args:
            reader: the evidence, with its key store.
            directory: where parts lie; made with mode 0700.
            connection: the instance that answers; may open files of `directory`.
            protection: whether that instance can encrypt.
            progress: told while parts are built.

        Raises:
            CannotJudge: the reader has no key store.
        """
        if reader.keys is None:
            raise CannotJudge("a working copy needs the key store")
        make_private(directory)
        key = reader.keys.purpose_key("workingcopy") if protection.encrypted else None
        self.protection = protection
        self._reader = reader
        self._directory = directory
        self._connection = connection
        self._builder = Builder(reader, directory, key, progress or (lambda _done, _total: None))
        self._builder.removed = reader.removed()
        self._set = PartSet(directory, key, connection, self._builder.facts)
        self._tail = TailTable(connection, records_types(), 0)
        self._unused: list[str] = []
        self._old_tails: list[TailTable] = []
        self.built = 0
        self.rewritten = False
        self._publish()

    @property
    def size(self) -> int:
        """Records covered, parts and memory together."""
        return self._tail.end

    @property
    def parts(self) -> list[Part]:
        """Parts in use, in log order."""
        return self._set.parts

    @property
    def tail_first(self) -> int:
        """Index of the first record that is in memory only."""
        return self._tail.begin

    def tables(self) -> list[tuple[int, int, str]]:
        """(first, end, SQL name) of every table that holds records, in log order."""
        found = [(part.first, part.end, self._set.table(part)) for part in self._set.parts]
        return [*found, (self._tail.begin, self._tail.end, self._tail.name)]

    def maps(self, part: Part) -> PartMaps:
        """Skip bitmaps of a part."""
        return self._set.maps(part)

    def refresh(self) -> int:
        """Take in what the reader has now; returns the records covered.

        Refresh the reader first. Where many records are missing parts are built; a few are only
        decoded into memory.

        Raises:
            TamperingFound: the evidence does not hold; nothing of it is used.
        """
        self.rewritten = self._forget_removed()
        self._let_go()
        self._take()
        self.built = 0
        if self._holes():
            with self._builder.alone(wait=True):
                self._take()
                self._builder.sweep(self._set.parts)
                self.built = self._builder.fill(self._holes())
            self._take()
        new = record_batches(self._reader, self._tail.end, self._reader.size, InProcess())
        self._tail.extend(new)
        if self._tail.end - self._tail.begin >= FLUSH:
            self._flush()
        return self.size

    def _forget_removed(self) -> bool:
        """Let go of content that retention has removed since the last look."""
        now, before = self._reader.removed(), self._builder.removed
        fresh = [span for name, span in now.items() if name not in before]
        if not fresh:
            return False
        self._builder.removed = now
        self._discard([part for part in self._set.on_disk() if touched(part, fresh)])
        return True

    def rebuild(self, period: str) -> list[Part]:
        """Write every part of a period, and what is in memory, anew; returns the parts replaced.

        Needed after an erasure: a DuckDB file keeps what was deleted in it.
        """
        return self._rebuild([part for part in self._set.on_disk() if part.period == period])

    def rebuild_holding(self, first: int, end: int) -> list[Part]:
        """Write only the parts that hold a record of [first, end) anew; returns those replaced."""
        return self._rebuild(
            [part for part in self._set.on_disk() if part.first < end and part.end > first]
        )

    def close(self) -> None:
        """Keep what is in memory if it is worth a part."""
        if self._tail.end - self._tail.begin >= GROUP:
            self._flush()

    def _rebuild(self, old: list[Part]) -> list[Part]:
        self._discard(old)
        self.refresh()
        self._let_go()
        return old

    def _discard(self, old: list[Part]) -> None:
        """Remove parts, and forget what is in memory; a refresh builds them anew."""
        disk = Disk(immutable=False)
        self._let_go()
        with self._builder.alone(wait=True):
            unused = [alias for part in old if (alias := self._set.drop(part)) is not None]
            self._publish()
            self._set.detach(unused)
            for part in old:
                disk.remove(self._directory / part.file_name, shred=not self.protection.encrypted)
        self._restart_tail(keep=False)

    def _holes(self) -> list[tuple[int, int]]:
        """What has to become parts: gaps between parts, and a long end."""
        size = self._reader.size
        return [
            (first, end)
            for first, end in gaps(self._set.parts, size)
            if end < size or end - first >= 2 * FLUSH
        ]

    def _take(self) -> None:
        unused = self._set.update(self._reader.size)
        if self._tail.begin != self._set.end:
            self._restart_tail(keep=True)
        else:
            self._publish()
        self._unused += unused

    def _let_go(self) -> None:
        self._set.detach(self._unused)
        for tail in self._old_tails:
            tail.drop()
        self._unused, self._old_tails = [], []

    def _restart_tail(self, *, keep: bool) -> None:
        old = self._tail
        self._tail = TailTable(self._connection, records_types(), self._set.end)
        if keep:
            self._tail.take_over(old)
        self._publish()
        self._old_tails.append(old)

    def _flush(self) -> None:
        with self._builder.alone(wait=False) as alone:
            if not alone:
                return  # the other process writes them
            self._take()
            self._builder.flush(self._tail.begin, self._tail.to_arrow(), self._set.parts)
            self._take()
            self._builder.sweep(self._set.parts)

    def _publish(self) -> None:
        union = " UNION ALL ".join(f"SELECT * FROM {name}" for _, _, name in self.tables())
        self._connection.execute(f"CREATE OR REPLACE VIEW base.records AS {union}")


def make_private(directory: Path) -> None:
    """Make a directory that only its owner may enter."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
