"""How a log is opened for writing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from logstore.formats.pins import SegmentPin

SEAL_BYTES = 64 * 2**20
"""A write-ahead file that grew past this is sealed in the background."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a log is opened for writing.

    Attributes:
        protect: set the immutable flag on sealed files where possible.
        auto_seal_bytes: size of a write-ahead file that starts sealing; None for never.
        busy_timeout_s: how long to wait for another writer.
        on_sealed: told each segment that was sealed and the seconds it took, whatever it was sealed
            for, in the thread that sealed it; must not raise.
    """

    protect: bool = True
    auto_seal_bytes: int | None = SEAL_BYTES
    busy_timeout_s: float = 30
    on_sealed: Callable[[SegmentPin, float], object] = lambda *_: None
