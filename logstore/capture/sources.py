"""Which files an import reads: named ones, directories walked in order, standard input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from logstore.errors import NotFound, UsageError

STDIN = "-"
"""Standard input, as it is named on a command line."""


def files_of(paths: Iterable[str | Path]) -> list[Path | None]:
    """Every file to read, in order; None stands for standard input.

    Directories are walked recursively in the order of names. Links inside a directory are followed
    only to regular files of the same tree; directories behind links, devices and pipes are left
    out. Files named outright are taken as they are.

    Raises:
        NotFound: a path that was named does not exist.
        UsageError: a path that was named is neither a file nor a directory.
    """
    found: list[Path | None] = []
    for path in paths:
        if str(path) == STDIN:
            found.append(None)
            continue
        named = Path(path)
        if named.is_dir():
            found.extend(_walk(named, named.resolve()))
        elif named.is_file():
            found.append(named)
        elif named.exists():
            raise UsageError(f"{named} is neither a file nor a directory.")
        else:
            raise NotFound(f"{named} does not exist.", kept="Nothing was imported.")
    return found


def _walk(folder: Path, tree: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, tree)
        elif entry.is_file(follow_symlinks=False) or (
            entry.is_symlink() and path.is_file() and path.resolve().is_relative_to(tree)
        ):
            yield path
