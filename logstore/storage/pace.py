"""Resting between the steps of work that nobody waits for, so that what is waited for goes first.

Sealing in the background and answering senders share one interpreter lock: without rests, an
answer that arrives while a segment is sealed takes several times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.125
"""Share of the time in which a paced thread works."""

MAX_REST_S = 0.25
"""Longest rest after one step, seconds: whether there is haste is asked at least that often."""


class Pace:
    """A `Progress` that rests after each step in proportion to the processor time it took.

    Args:
        haste: whether to go on without resting: the work falls behind, or somebody waits for it.
        spent: processor seconds of this thread so far.
        rest: lets that many seconds pass.
    """

    def __init__(
        self,
        haste: Callable[[], bool],
        *,
        spent: Callable[[], float] = time.thread_time,
        rest: Callable[[float], object] = time.sleep,
    ) -> None:
        self._haste = haste
        self._spent = spent
        self._rest = rest
        self._since: float | None = None

    def __call__(self, done: int, total: int) -> None:
        """A step is done."""
        took = 0.0 if self._since is None else self._spent() - self._since
        if took > 0 and done < total and not self._haste():
            self._rest(min(took * (1 / SHARE - 1), MAX_REST_S))
        self._since = self._spent()
