"""Several records of one call: which belong together, and which one to count.

A gateway's log, a tracing span and a log event can all tell of the same call. Records with the
same (trace id, span id), or the same (provider, response id), are one call, also through a third
record. The call is named after its first record. Its primary record is the interaction with the
best evidence grade, never a span or log line of the application around it. A sender can claim
another call's ids, so grouping only labels: it hides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from logstore.capture.interaction import Grade
from logstore.query.arrow import arrow_table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

_DOUBLE = """
WITH k AS (SELECT index, span_key, response_key, capture_grade, kind FROM base.records
           WHERE span_key IS NOT NULL OR response_key IS NOT NULL),
     s AS (SELECT span_key FROM k WHERE span_key IS NOT NULL GROUP BY 1 HAVING count(*) > 1),
     a AS (SELECT response_key FROM k WHERE response_key IS NOT NULL
           GROUP BY 1 HAVING count(*) > 1)
SELECT index, coalesce(span_key, 0) AS span, coalesce(response_key, 0) AS answer, capture_grade,
       kind <> 'interaction' AS aside
FROM k WHERE span_key IN (FROM s) OR response_key IN (FROM a) ORDER BY index
"""


def calls_table(connection: DuckDBPyConnection) -> pa.Table:
    """(index, root, is_primary) of every record that shares its call with another one."""
    import numpy as np
    import pyarrow as pa

    found = arrow_table(connection, _DOUBLE)
    index = found.column("index").to_numpy()
    roots = join_roots(index, [found.column("span").to_numpy(), found.column("answer").to_numpy()])
    grades = {grade: rank for rank, grade in enumerate(get_args(Grade))}
    ranks = [grades.get(grade, len(grades)) for grade in found.column("capture_grade").to_pylist()]
    aside = found.column("aside").to_numpy(zero_copy_only=False)
    order = np.lexsort((index, np.array(ranks, dtype=np.int64), aside, roots))
    primary = np.zeros(len(index), dtype=np.bool_)
    if len(index):
        ordered = roots[order]
        primary[order[np.r_[True, ordered[1:] != ordered[:-1]]]] = True
    return pa.table({"index": index, "root": roots, "is_primary": primary})


def join_roots(index: NDArray[np.int64], keys: list[NDArray[Any]]) -> NDArray[np.int64]:
    """For each record the smallest index that it is connected to.

    Args:
        index: record indexes.
        keys: for each sort of key one value per record; equal values connect, 0 does not.
    """
    import numpy as np

    roots = index.astype(np.int64, copy=True)
    groups = []
    for column in keys:
        rows = np.flatnonzero(column)
        groups.append((rows, np.unique(column[rows], return_inverse=True)[1]))
    while True:
        before = roots.copy()
        for rows, group in groups:
            if len(rows):
                least = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
                np.minimum.at(least, group, roots[rows])
                roots[rows] = least[group]
        if np.array_equal(before, roots):
            return roots
