"""Event time and failure of every record, in memory, so that a histogram never waits."""

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


class Timeline:
    """Nine bytes per record; grows with the log."""

    def __init__(self) -> None:
        import numpy as np

        self._times: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._failed: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)

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
        # A source may state any moment; those beyond the calendar are shown at its ends.
        times = np.clip(np.asarray(new["time_us"], np.int64)[order], FIRST_US, LAST_US)
        self._times = np.concatenate([self._times, times])
        self._failed = np.concatenate([self._failed, np.asarray(new["failed"], np.bool_)[order]])

    def histogram(self, selection: Selection, buckets: int) -> Histogram:
        """Counts per bucket; see `Explorer.histogram`."""
        import numpy as np

        if isinstance(selection.indexes, range):
            pick = slice(selection.indexes.start, selection.indexes.stop)
            times, failed = self._times[pick], self._failed[pick]
        else:
            times, failed = self._times[selection.indexes], self._failed[selection.indexes]
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
