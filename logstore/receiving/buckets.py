"""How much one sender may send: token buckets for records and bytes. Pure: the clock is passed in.

A bucket holds what `BURST_S` seconds of its rate bring and is full at first. A request is admitted
when its cost is there; one that costs more than a whole bucket is admitted by a full one, which
then owes the rest, so that a large batch is slowed down and never shut out. What is admitted in t
seconds is therefore at most rate * (`BURST_S` + t) plus one such batch.

How many records a request holds is known only once it is decoded, and what is sent away pays
nothing. So who was sent away for its records is not looked at again before the time it was told.
That time stands until it has come: nobody who waits as told finds a later one.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

BURST_S = 5
"""A bucket holds what so many seconds bring; OpenTelemetry's batches come every 5 s."""

MAX_WAIT_S = 3_600
"""Longest wait that is told to a sender; who waits longer asks again."""

MAX_RATE = 10**12
"""Largest rate a second."""


_ROUNDING_S = 1e-9  # who waited as told is not sent away for the last bit of a sum


@dataclass(frozen=True, slots=True)
class Rate:
    """What one sender may send; None where it is not limited.

    Attributes:
        records_per_s: records a second, 1 to `MAX_RATE`.
        bytes_per_s: bytes of request bodies a second, 1 to `MAX_RATE`.
    """

    records_per_s: int | None = None
    bytes_per_s: int | None = None


class Bucket:
    """One token bucket.

    Args:
        rate: units that come in a second.
        now: seconds of a clock that does not run backwards; going back counts as standing still.
    """

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._most = float(rate * BURST_S)
        self._level = self._most
        self._at = now

    def wait(self, cost: int, now: float) -> float:
        """Seconds until a request of this cost is admitted; 0 when it is now."""
        if now > self._at:
            self._level = min(self._most, self._level + (now - self._at) * self._rate)
            self._at = now
        wait = (min(float(cost), self._most) - self._level) / self._rate
        return wait if wait > _ROUNDING_S else 0.0

    def take(self, cost: int) -> None:
        """Charge a request that was admitted."""
        self._level -= cost

    def give_back(self, cost: int) -> None:
        """Undo `take`: the request was not admitted after all."""
        self._level = min(self._most, self._level + cost)


class Meter:
    """The buckets of one sender. Several threads may use it at a time.

    Args:
        rate: what it may send.
        now: seconds, as for `Bucket`.

    Attributes:
        rate: as given.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._records = None if rate.records_per_s is None else Bucket(rate.records_per_s, now)
        self._bytes = None if rate.bytes_per_s is None else Bucket(rate.bytes_per_s, now)
        self._not_before = -math.inf
        self._guard = threading.Lock()

    def early(self, now: float) -> int:
        """Whole seconds until records are looked at again (at most `MAX_WAIT_S`); 0 when now."""
        left = self._not_before - now
        return min(math.ceil(left), MAX_WAIT_S) if left > _ROUNDING_S else 0

    def charge(self, now: float, *, records: int = 0, size: int = 0) -> int:
        """Charge a request to all buckets, or to none.

        Returns:
            0 when it was charged; else whole seconds to wait (1 to `MAX_WAIT_S`), for Retry-After.
        """
        with self._guard:
            wait = self._charge(now, records, size)
            if not wait:
                return 0
            told = min(math.ceil(wait), MAX_WAIT_S)
            return self._told(told, now) if records > 0 else told

    def _charge(self, now: float, records: int, size: int) -> float:
        asked = ((self._records, records), (self._bytes, size))
        due = [(bucket, cost) for bucket, cost in asked if bucket is not None and cost > 0]
        wait = max((bucket.wait(cost, now) for bucket, cost in due), default=0.0)
        if not wait:
            for bucket, cost in due:
                bucket.take(cost)
        return wait

    def _told(self, wait: int, now: float) -> int:
        """Whole seconds to tell; the time that was told before stands until it has come."""
        early = self.early(now)
        if not early:
            self._not_before = now + wait
        return max(wait, early)

    def refund(self, *, records: int = 0, size: int = 0) -> None:
        """Undo what `charge` charged for a request that was sent away after all."""
        with self._guard:
            for bucket, cost in ((self._records, records), (self._bytes, size)):
                if bucket is not None and cost > 0:
                    bucket.give_back(cost)
