"""One thing that `aircon doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: ``ok``; ``warn`` for what weakens a protection; ``bad`` where one is missing.
        says: what was seen, and what to do where it is not well.
    """

    name: str
    state: State
    says: str
