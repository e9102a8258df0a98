"""How a log is opened for writing."""

from __future__ import annotations

from dataclasses import dataclass

SEAL_BYTES = 64 * 2**20
"""A write-ahead file that grew past this is sealed in the background."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a log is opened for writing.

    Attributes:
        protect: set the immutable flag on sealed files where possible.
        auto_seal_bytes: size of a write-ahead file that starts sealing; None for never.
        busy_timeout_s: how long to wait for another writer.
    """

    protect: bool = True
    auto_seal_bytes: int | None = SEAL_BYTES
    busy_timeout_s: float = 30
