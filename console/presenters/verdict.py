"""The words for proof and verification; each has a glyph, so colour never speaks alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from console.presenters.figures import count
from console.presenters.spans import Line, Role, line

Phase = Literal["waiting", "running", "stopped", "failed", "verified", "tampering", "cannot-judge"]
"""Where a verification stands: before and during it, or its answer."""

_WORDS: dict[Phase, tuple[str, Role]] = {
    "waiting": ("○ NOT VERIFIED YET", "warn"),
    "running": ("… VERIFYING", "warn"),
    "stopped": ("○ NOT VERIFIED (stopped)", "warn"),
    "failed": ("! VERIFY FAILED", "bad"),
    "verified": ("✔ VERIFIED", "good"),
    "tampering": ("✘ TAMPERING FOUND", "bad"),
    "cannot-judge": ("? CANNOT JUDGE", "warn"),
}

STATES: dict[str, tuple[str, str]] = {
    "durable": ("○", "on disk here; not yet under a signed checkpoint"),
    "signed": ("◐", "under a signed checkpoint; not yet sealed into a segment"),
    "sealed": ("●", "in a sealed segment whose hash is on the log"),
    "witnessed": ("◉", "the quorum of witnesses outside has cosigned a checkpoint over it"),
}
"""Glyph and meaning of each state a record passes (DESIGN section 4)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the log is verified right now.

    Attributes:
        phase: where the verification stands.
        checkpoint: records the checked checkpoint covers.
        size: records readable now.
        done: records checked so far while running.
        total: records to check while running.
        lines: the report.
        signed: records under the newest signed checkpoint.
        sealed: records in sealed segments.
        witnessed: records under a witnessed checkpoint.
        away: whether the bucket could not be asked the last time.
    """

    phase: Phase = "waiting"
    checkpoint: int = 0
    size: int = 0
    done: int = 0
    total: int = 0
    lines: tuple[str, ...] = ()
    signed: int = 0
    sealed: int = 0
    witnessed: int = 0
    away: bool = False

    def state(self, index: int) -> str:
        """The state a record has reached: durable, signed, sealed or witnessed."""
        if index < self.witnessed:
            return "witnessed"
        if index < self.sealed:
            return "sealed"
        return "signed" if index < self.signed else "durable"

    def verified_to(self) -> int:
        """Records from 0 that are verified; 0 unless the answer was "verified"."""
        return self.checkpoint if self.phase == "verified" else 0


def summary(standing: Standing, *, brief: bool = False) -> Line:
    """The always visible words, e.g. ``✔ VERIFIED to checkpoint 1,000 of 1,037 records ...``."""
    words, role = _WORDS[standing.phase]
    if standing.phase == "running" and standing.total:
        words += f" {100 * standing.done // standing.total} %"
    rest = ""
    if standing.phase == "verified":
        unsealed = max(standing.size - standing.sealed, 0)
        if brief:
            rest = f" {count(standing.checkpoint)}/{count(standing.size)}"
        else:
            rest = f" to checkpoint {count(standing.checkpoint)} of {count(standing.size)} records"
        rest += f", {count(unsealed)} unsealed" if unsealed else ""
    elif not brief or standing.phase == "waiting":
        rest = f", {count(standing.size)} records"
    beside: tuple[tuple[str, Role], ...] = ((", bucket away", "warn"),) if standing.away else ()
    return line((words, role), rest, *beside)


def mark(index: int, standing: Standing) -> tuple[str, Role]:
    """The one-cell proof mark of a row: ✔ verified, else the glyph of its state."""
    if index < standing.verified_to():
        return "✔", "good"
    return STATES[standing.state(index)][0], "dim"


def phrase(index: int, standing: Standing) -> str:
    """The proof of one record in words, e.g. ``sealed, verified``."""
    state = standing.state(index)
    return f"{state}, verified" if index < standing.verified_to() else f"{state}, not verified"
