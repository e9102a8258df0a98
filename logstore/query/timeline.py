"""Event time and failure of every record, in memory: order and histogram never wait.

Order is by event time as the source states it, then by index. A log that took in whole files one
after the other holds them in another order than things happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logstore.query.rows import Histogram, Selection

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

FIRST_US = -62_135_596_800_000_000
"""0001-01-01 in microseconds since 1970 UTC."""

LAST_US = 253_402_300_799_000_000
"""9999-12-31T23:59:59 in microseconds since 1970 UTC."""

_FEW = 8
"""One of so many records: fewer are sorted by themselves, more are picked from the sorted whole."""


class Timeline:
    """Nine bytes per record, and eight more in a log out of order; grows with the log."""

    def __init__(self) -> None:
        import numpy as np

        self._times: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._failed: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        self._ordered = 0  # so many records from the first on are in order of time
        self._order: NDArray[np.int64] | None = None  # of all records, once somebody asked

    def extend(self, cursor: DuckDBPyConnection, size: int) -> None:
        """Read what was added up to `size`."""
        import numpy as np

        known = len(self._times)
        if known >= size:
            return
        new = cursor.execute(
            "SELECT index, time_us, error_type IS NOT NULL AS failed FROM base.records "
            "WHERE index >= ? AND index < ?",
            [known, size],
        ).fetchnumpy()
        order = np.argsort(new["index"], kind="stable")
        times = np.asarray(new["time_us"], np.int64)[order]
        self._times = np.concatenate([self._times, times])
        self._order = None
        self._failed = np.concatenate([self._failed, np.asarray(new["failed"], np.bool_)[order]])
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

    def histogram(self, selection: Selection, buckets: int) -> Histogram:
        """Counts per bucket; see `Explorer.histogram`."""
        import numpy as np

        if isinstance(selection.indexes, range):
            pick = slice(selection.indexes.start, selection.indexes.stop)
            times, failed = self._times[pick], self._failed[pick]
        else:
            times, failed = self._times[selection.indexes], self._failed[selection.indexes]
        # A source may state any moment; those beyond the calendar are shown at its ends.
        times = np.clip(times, FIRST_US, LAST_US)
        since, until = selection.filter.since_us, selection.filter.until_us
        if not len(times):
            start = since or 0
            return Histogram(start, until or start, [0] * buckets, [0] * buckets)
        start = int(times.min()) if since is None else since
        end = int(times.max()) + 1 if until is None else until
        width = max(-(-(end - start) // buckets), 1)
        place = np.minimum((times - start) // width, buckets - 1)
        counts = np.bincount(place, minlength=buckets)
        errors = np.bincount(place[failed], minlength=buckets)
        return Histogram(start, start + width * buckets, counts.tolist(), errors.tolist())


def _ascend(times: NDArray[np.int64]) -> bool:
    return bool((times[1:] >= times[:-1]).all())
