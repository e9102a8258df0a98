"""What is said about each query and decryption before its result is handed out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Action = Literal["sql", "search", "rows", "detail", "histogram", "similar", "build", "reconcile"]
"""What was done: SQL, a search, a page of rows, one record, a histogram, a look for similar text,
a build of the working copy, or a comparison with another source."""


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """One query or decryption, reported before its result is handed out.

    Attributes:
        action: what was done.
        text: the SQL or the filter in words; may hold personal data, so it belongs in a body.
        rows: rows that will be handed out.
        indexes_read: records whose content was opened one by one; empty for whole-log questions.
        error: why it failed; empty when it did not.
    """

    action: Action
    text: str
    rows: int = 0
    indexes_read: tuple[int, ...] = ()
    error: str = ""


OnAccess = Callable[[AccessEvent], None]
"""Where events go. When it raises, the result is withheld."""
