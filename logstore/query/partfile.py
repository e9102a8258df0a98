"""Writing one part: a new DuckDB file, filled, checkpointed, synced, then renamed into place.

A crash leaves either no part or a whole one; half-written files carry ``.new`` in their name and
are swept by the next builder. Deleted plaintext stays inside a DuckDB file (measured), so a part
is never changed: erasure and repair write a new one and unlink the old.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from logstore.query.arrow import arrow_table
from logstore.query.columns import TEXT_COLUMNS, records_schema
from logstore.query.lockdown import instance, quoted
from logstore.query.parts import GROUP, Part
from logstore.query.skipbitmap import GroupMap

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

VERSION = "5"
"""Layout and decoder generation of parts; parts of another one are built again."""

_MAPS_AT_ONCE = 8
_NEW = "new"


class PartWriter:
    """Writes parts into one directory through an instance of its own that runs no user's SQL."""

    def __init__(self, directory: Path, key: bytes | None, *, threads: int, memory: str) -> None:
        self.directory = directory
        self._connection, _ = instance(threads=threads, memory=memory)
        self._key = key

    def close(self) -> None:
        """Release the instance."""
        self._connection.close()

    def write(self, part: Part, batches: Iterable[pa.RecordBatch], facts: dict[str, str]) -> Path:
        """Write a part from batches of `records_schema`, in order.

        Args:
            part: which records.
            batches: exactly those records.
            facts: what `read_facts` shall tell, e.g. the log's origin.
        """
        connection = self._connection
        staged = self._attach_new(part)
        try:
            connection.register("empty", records_schema().empty_table())
            connection.execute(f"CREATE TABLE {_NEW}.records AS SELECT * FROM empty")
            connection.unregister("empty")
            connection.execute("BEGIN")
            for batch in batches:
                connection.register("batch", batch)
                connection.execute(f"INSERT INTO {_NEW}.records SELECT * FROM batch")
                connection.unregister("batch")
            connection.execute("COMMIT")
            return self._finish(part, staged, facts)
        except BaseException:
            self._abandon(staged)
            raise

    def merge(self, part: Part, old: list[Part], facts: dict[str, str]) -> Path:
        """Write a part from the records of older parts that it covers, without decrypting again."""
        connection = self._connection
        for number, each in enumerate(old):
            path = self.directory / each.file_name
            connection.execute(attach(path, f"old_{number}", self._key))
        staged = self._attach_new(part)
        try:
            sources = " UNION ALL ".join(f"SELECT * FROM old_{n}.records" for n in range(len(old)))
            connection.execute(f"CREATE TABLE {_NEW}.records AS {sources}")
            return self._finish(part, staged, facts)
        except BaseException:
            self._abandon(staged)
            raise
        finally:
            for number in range(len(old)):
                connection.execute(f"DETACH old_{number}")

    def _attach_new(self, part: Part) -> Path:
        staged = self.directory / f"{part.file_name}.{os.getpid()}.new"
        staged.unlink(missing_ok=True)
        self._connection.execute(attach(staged, _NEW, self._key, read_only=False))
        staged.chmod(0o600)
        return staged

    def _abandon(self, staged: Path) -> None:
        import duckdb

        for statement in ("ROLLBACK", f"DETACH {_NEW}"):
            try:
                self._connection.execute(statement)
            except duckdb.Error:
                continue  # nothing was open, or the disk is gone: the file is swept either way
        staged.unlink(missing_ok=True)
        staged.with_name(staged.name + ".wal").unlink(missing_ok=True)

    def _finish(self, part: Part, staged: Path, facts: dict[str, str]) -> Path:
        connection = self._connection
        self._write_maps(part)
        connection.execute(f"CREATE TABLE {_NEW}.facts (name VARCHAR, value VARCHAR)")
        connection.executemany(f"INSERT INTO {_NEW}.facts VALUES (?, ?)", list(facts.items()))
        connection.execute(f"CHECKPOINT {_NEW}")
        connection.execute(f"DETACH {_NEW}")
        final = self.directory / part.file_name
        _sync(staged)
        staged.rename(final)
        _sync(self.directory)
        return final

    def _write_maps(self, part: Part) -> None:
        connection = self._connection
        connection.execute(f"CREATE TABLE {_NEW}.skip (position INTEGER, map BLOB)")
        folded = ", ".join(f"lower({name}) AS {name}" for name in TEXT_COLUMNS)
        step = GROUP * _MAPS_AT_ONCE
        for low in range(part.first, part.end, step):
            texts = arrow_table(
                connection,
                f"SELECT {folded} FROM {_NEW}.records "
                f"WHERE index BETWEEN {low} AND {low + step - 1} ORDER BY index",
            )
            for start in range(0, texts.num_rows, GROUP):
                group = GroupMap()
                for name in TEXT_COLUMNS:
                    group.add(texts.column(name).slice(start, GROUP))
                position = (low - part.first + start) // GROUP
                connection.execute(
                    f"INSERT INTO {_NEW}.skip VALUES (?, ?)", [position, group.to_bytes()]
                )


def attach(path: Path, alias: str, key: bytes | None, *, read_only: bool = True) -> str:
    """The ATTACH statement for a part; no key, no encryption."""
    options = [] if key is None else [f"ENCRYPTION_KEY {quoted(key.hex())}"]
    options += ["READ_ONLY"] if read_only else []
    listed = f" ({', '.join(options)})" if options else ""
    return f"ATTACH {quoted(str(path))} AS {alias}{listed}"


def read_facts(connection: DuckDBPyConnection, alias: str) -> dict[str, str]:
    """What an attached part says about itself."""
    rows = connection.execute(f"SELECT name, value FROM {alias}.facts").fetchall()
    return {str(name): str(value) for name, value in rows}


def read_maps(connection: DuckDBPyConnection, alias: str) -> list[bytes]:
    """The stored skip bitmaps of an attached part, by group."""
    rows = connection.execute(f"SELECT map FROM {alias}.skip ORDER BY position").fetchall()
    return [bytes(row[0]) for row in rows]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
