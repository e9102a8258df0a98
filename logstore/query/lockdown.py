"""The DuckDB instance that answers questions: no file, network, extension or setting within reach.

Three walls, each enough alone for most attacks: `statements` refuses what is not one SELECT over
our views; the instance has external access off and its configuration locked; the directories it
may open hold nothing but verified index files or the working copy.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SETTINGS = {
    "temp_directory": "",  # no plaintext spills to disk; a query too large is refused instead
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "python_enable_replacements": "false",
    "preserve_insertion_order": "true",
}


@dataclass(frozen=True, slots=True)
class Protection:
    """How the working copy lies on disk.

    Attributes:
        encrypted: its files are encrypted.
        words: one sentence for `aircon doctor`.
    """

    encrypted: bool
    words: str


def extension_path() -> Path | None:
    """The signed httpfs extension that fits this DuckDB, or None.

    DuckDB needs its crypto to write encrypted files; the wheel's own can only read them.
    """
    import duckdb

    spec = importlib.util.find_spec("duckdb_extension_httpfs")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}"
    found = path / "httpfs.duckdb_extension"
    return found if found.is_file() else None


def instance(*, threads: int, memory: str) -> tuple[DuckDBPyConnection, Protection]:
    """A new in-memory instance, not locked yet, and how it can protect files."""
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {**_SETTINGS}
    settings |= {"threads": threads, "memory_limit": memory}
    connection = duckdb.connect(":memory:", config=settings)
    return connection, _load_crypto(connection)


def _load_crypto(connection: DuckDBPyConnection) -> Protection:
    import duckdb

    path = extension_path()
    if path is None:
        return Protection(
            False,
            f"NOT encrypted: DuckDB {duckdb.__version__} has no httpfs extension here to write "
            "encrypted files with; install duckdb 1.5.5 with duckdb-extension-httpfs 1.5.5",
        )
    try:
        connection.execute(f"LOAD {quoted(str(path))}")
    except duckdb.Error:
        return Protection(False, f"NOT encrypted: DuckDB refused its extension at {path}")
    return Protection(True, "encrypted by DuckDB (AES-256-GCM) under a key of the key store")


def lock(connection: DuckDBPyConnection, directories: Iterable[Path]) -> None:
    """Shut the instance: only files below `directories` open, and no setting changes any more."""
    allowed = ", ".join(quoted(f"{directory}/") for directory in sorted(set(directories)))
    connection.execute(f"SET allowed_directories=[{allowed}]")
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")


def quoted(text: str) -> str:
    """A SQL string literal, for the few places that take no parameter."""
    return "'" + text.replace("'", "''") + "'"
