"""What became of the files of an import, for people and scripts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MAX_LISTED = 1000
"""Most refusals a report keeps of one file; the listing on disk has them all."""

Status = Literal["imported", "known", "empty", "unrecognised", "unreadable", "body-object"]
"""What became of a file; ``body-object`` was read as part of another file's interaction."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A piece of a file that became no interaction.

    Attributes:
        where: its place in the file.
        reason: a slug without content.
    """

    where: str
    reason: str


@dataclass(slots=True)
class FileReport:
    """What became of one file.

    Attributes:
        path: the file, ``-`` for standard input.
        status: see `Status`.
        source: the source its records carry.
        formats: pieces taken by format.
        taken: pieces this run made durable.
        aside: of these, spans and log lines of the application itself, which are no interactions.
        rejected: pieces this run rejected.
        refused: the first `MAX_LISTED` of them.
        rejects: the listing of all of them, if any.
        note: a sentence for a person, e.g. why a file cannot be read.
    """

    path: str
    status: Status = "imported"
    source: str = ""
    formats: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    aside: int = 0
    rejected: int = 0
    refused: list[Refused] = field(default_factory=list)
    rejects: Path | None = None
    note: str = ""


@dataclass(slots=True)
class ImportReport:
    """What became of every file, in order."""

    files: list[FileReport] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """Pieces this run made durable."""
        return sum(file.taken for file in self.files)

    @property
    def aside(self) -> int:
        """Of these, spans and log lines of the applications themselves."""
        return sum(file.aside for file in self.files)

    @property
    def interactions(self) -> int:
        """AI interactions this run made durable."""
        return self.taken - self.aside

    @property
    def rejected(self) -> int:
        """Pieces this run rejected."""
        return sum(file.rejected for file in self.files)
