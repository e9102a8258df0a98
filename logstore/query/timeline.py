"""Event time, failure and sort of every record, in memory: order and histogram never wait.

Order is by event time as the source states it, then by index. A log that took in whole files one
after the other holds them in another order than things happened.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from logstore.formats.record import INTERACTION
from logstore.query.columns import CAPTURED_KINDS
from logstore.query.repeats import Repeats
from logstore.query.rows import Histogram, Selection

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

FIRST_US = -62_135_596_800_000_000
"""0001-01-01 in microseconds since 1970 UTC."""

LAST_US = 253_402_300_799_000_000
"""9999-12-31T23:59:59 in microseconds since 1970 UTC."""

_CALL = 2
_SORT = (
    f"(CASE WHEN kind = '{INTERACTION}' THEN {_CALL} WHEN kind IN {CAPTURED_KINDS} THEN 1 "
    "ELSE 0 END)::TINYINT"
)
"""Records of calls, what applications tell around them, and events of the log."""

_FEW = 8
"""One of so many records: fewer are sorted by themselves, more are picked from the sorted whole."""


class Timeline:
    """Ten bytes per record, and eight more in a log out of order; grows with the log."""

    def __init__(self) -> None:
        import numpy as np

        self._times: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._failed: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        self._sorts: NDArray[np.int8] = np.empty(0, dtype=np.int8)
        self._ordered = 0  # so many records from the first on are in order of time
        self._order: NDArray[np.int64] | None = None  # of all records, once somebody asked

    def extend(self, cursor: DuckDBPyConnection, size: int) -> None:
        """Read what was added up to `size`."""
        import numpy as np

        known = len(self._times)
        if known >= size:
            return
        new = cursor.execute(
            f"SELECT index, time_us, error_type IS NOT NULL AS failed, {_SORT} AS sort "
            "FROM base.records WHERE index >= ? AND index < ?",
            [known, size],
        ).fetchnumpy()
        order = np.argsort(new["index"], kind="stable")
        times = np.asarray(new["time_us"], np.int64)[order]
        self._times = np.concatenate([self._times, times])
        self._order = None
        self._failed = np.concatenate([self._failed, np.asarray(new["failed"], np.bool_)[order]])
        self._sorts = np.concatenate([self._sorts, np.asarray(new["sort"], np.int8)[order]])
        if self._ordered == known and _ascend(self._times[max(known - 1, 0) :]):
            self._ordered = len(self._times)

    def in_order(self, hits: NDArray[np.int64] | range) -> NDArray[np.int64] | range:
        """Record indexes, given ascending, by (event time, index); as they came when they are."""
        import numpy as np

        if len(hits) < 2 or hits[-1] < self._ordered:
            return hits
        whole = isinstance(hits, range)
        times = (
            self._times[hits.start : hits.stop] if isinstance(hits, range) else self._times[hits]
        )
        if _ascend(times):
            return hits
        if not whole and len(hits) * _FEW < len(self._times):
            return np.asarray(hits)[np.argsort(times, kind="stable")]
        if self._order is None:
            self._order = np.argsort(self._times, kind="stable")
        if whole and len(hits) == len(self._order):
            return self._order
        wanted = np.zeros(len(self._order), dtype=np.bool_)
        wanted[np.asarray(hits)] = True
        return self._order[wanted[self._order]]

    def histogram(
        self, selection: Selection, buckets: int, repeats: Repeats | None = None
    ) -> Histogram:
        """Counts per bucket; see `Explorer.histogram`.

        Args:
            selection: what to count.
            buckets: how many.
            repeats: which records are of one call; None where that is not known.
        """
        hits = selection.indexes
        pick = slice(hits.start, hits.stop) if isinstance(hits, range) else hits
        times = self._times_of(pick)
        since, until = selection.filter.since_us, selection.filter.until_us
        if not len(times):
            start = since or 0
            return Histogram(start, until or start, [0] * buckets, [0] * buckets)
        start = int(times.min()) if since is None else since
        end = int(times.max()) + 1 if until is None else until
        scale = _Scale(start, max(-(-(end - start) // buckets), 1), buckets)
        records = scale.counted(times)
        calls = None if repeats is None else self._calls(pick, repeats, scale)
        counts, errors = calls or (None, scale.counted(times[self._failed[pick]]))
        return Histogram(start, start + scale.width * buckets, records, errors, counts)

    def is_told(self, repeats: Repeats) -> bool:
        """Whether no record that came since can be one of a call."""
        return not self._sorts[repeats.size :].any()

    def _calls(
        self, pick: slice | NDArray[np.int64], repeats: Repeats, scale: _Scale
    ) -> tuple[list[int], list[int]] | None:
        """Calls and failed calls per bucket; None where no record is of a call."""
        import numpy as np

        chosen = np.zeros(len(self._times), dtype=np.bool_)
        chosen[pick] = self._sorts[pick] == _CALL
        if not chosen.any():
            return None
        again, stands = repeats.among(chosen)
        failed = chosen & self._failed
        failed[stands[failed[again]]] = True  # whichever of its records says so
        chosen[again] = failed[again] = False
        calls, failures = (scale.counted(self._times_of(each)) for each in (chosen, failed))
        return calls, failures

    def _times_of(self, pick: slice | NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.int64]:
        """A source may state any moment; those beyond the calendar are shown at its ends."""
        import numpy as np

        return np.clip(self._times[pick], FIRST_US, LAST_US)


class _Scale(NamedTuple):
    """`buckets` equal buckets, `width` microseconds each, from `start` on."""

    start: int
    width: int
    buckets: int

    def counted(self, times: NDArray[np.int64]) -> list[int]:
        """How many are in each bucket."""
        import numpy as np

        place = np.minimum((times - self.start) // self.width, self.buckets - 1)
        counts: list[int] = np.bincount(place, minlength=self.buckets).tolist()
        return counts


def _ascend(times: NDArray[np.int64]) -> bool:
    return bool((times[1:] >= times[:-1]).all())
