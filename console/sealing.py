"""Runs a sealing for a command, with a progress line, and says that it can be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import diagnostics
from console.progress import Progress

if TYPE_CHECKING:
    from logstore.formats.pins import SegmentPin
    from logstore.storage.log import Log


def seal(log: Log, *, rotate: bool = True) -> list[SegmentPin]:
    """Seal what is durable; `rotate` as in `Log.seal`.

    Raises:
        KeyboardInterrupt: it was stopped; sealing again goes on from there.
    """
    with Progress("sealing") as progress:
        try:
            return log.seal(rotate=rotate, progress=progress)
        except KeyboardInterrupt:
            diagnostics.clear_status()
            diagnostics.note(
                "Sealing was stopped half-way; nothing is lost. `aircon seal` finishes it."
            )
            raise
