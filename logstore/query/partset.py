"""The parts on disk, as one process has them attached: which are usable, under which names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logstore.query.partfile import attach, read_facts, read_maps
from logstore.query.parts import Part, cover, parse_name
from logstore.query.skipbitmap import PartMaps

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MAPS_IN_MEMORY = 512 * 2**20


@dataclass(frozen=True, slots=True)
class _Attached:
    alias: str
    file: tuple[int, int]
    """Inode and change time: a file put in its place later is another one."""


class PartSet:
    """Parts of one directory attached to one instance, read only.

    Attributes:
        parts: parts in use, in log order.
    """

    def __init__(
        self,
        directory: Path,
        key: bytes | None,
        connection: DuckDBPyConnection,
        facts: Callable[[Part], dict[str, str]],
    ) -> None:
        """Start with nothing attached.

        Args:
            directory: where parts lie.
            key: opens them; None where they are not encrypted.
            connection: the instance.
            facts: what a part must say about itself to be used.
        """
        self.directory = directory
        self.parts: list[Part] = []
        self._key = key
        self._connection = connection
        self._facts = facts
        self._attached: dict[Part, _Attached] = {}
        self._maps: dict[Part, PartMaps] = {}
        self._count = 0

    @property
    def end(self) -> int:
        """Index just behind the last part."""
        return self.parts[-1].end if self.parts else 0

    def on_disk(self) -> list[Part]:
        """Every part whose file is there, usable or not."""
        if not self.directory.is_dir():
            return []
        names = (path.name for path in self.directory.iterdir())
        return [part for name in names if (part := parse_name(name)) is not None]

    def update(self, end: int) -> list[str]:
        """Attach what is on disk and usable below `end`; returns names to detach afterwards."""
        chosen = cover(self.on_disk(), end)
        for part in [part for part in self._attached if part in chosen and self._replaced(part)]:
            self.detach([self._forget(part)])  # one path cannot be attached twice
        self.parts = [part for part in chosen if part in self._attached or self._attach(part)]
        return [self._forget(part) for part in list(self._attached) if part not in self.parts]

    def detach(self, aliases: list[str]) -> None:
        """Let go of attached files; running queries finish on them."""
        for alias in aliases:
            self._connection.execute(f"DETACH {alias}")

    def drop(self, part: Part) -> str | None:
        """Stop using a part; returns the name to detach, if it was attached."""
        self.parts = [each for each in self.parts if each != part]
        return self._forget(part) if part in self._attached else None

    def table(self, part: Part) -> str:
        """SQL name of a part's records."""
        return f"{self._attached[part].alias}.main.records"

    def maps(self, part: Part) -> PartMaps:
        """Skip bitmaps of a part, read once and kept while there is room."""
        found = self._maps.get(part)
        if found is None:
            with self._connection.cursor() as cursor:
                found = PartMaps(read_maps(cursor, self._attached[part].alias))
            while self._maps and found.size + self._held() > _MAPS_IN_MEMORY:
                self._maps.pop(next(iter(self._maps)))
            self._maps[part] = found
        return found

    def _held(self) -> int:
        return sum(maps.size for maps in self._maps.values())

    def _forget(self, part: Part) -> str:
        self._maps.pop(part, None)
        return self._attached.pop(part).alias

    def _replaced(self, part: Part) -> bool:
        return _identity(self.directory / part.file_name) != self._attached[part].file

    def _attach(self, part: Part) -> bool:
        import duckdb

        path = self.directory / part.file_name
        self._count += 1
        alias = f"part_{self._count}"
        try:
            attached = _Attached(alias, _identity(path))
            self._connection.execute(attach(path, alias, self._key))
        except (duckdb.Error, OSError):
            return False  # another key, a damaged or vanished file: it is built again
        try:
            good = read_facts(self._connection, alias) == self._facts(part)
        except duckdb.Error:
            good = False
        if good:
            self._attached[part] = attached
        else:
            self.detach([alias])
        return good


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_ctime_ns
