"""Several records of one call: which belong together, and which one to count.

A gateway's log, the model client's own span, an instrumentor's span and a log event can all tell of
the same call. Records are one call, also through a third record, when they have

1. the same trace id and span id, or
2. the same response id (with the provider, where the id is too short to be unique), or the same
   call id of a gateway, or request id of a provider, or
3. a span and the only model call below it, where model and response do not contradict each other
   (a client's span inside an instrumentor's; a workflow step that hands on one answer), or
4. the same conversation, model, question and answer within two seconds, each told by another
   instrument. Two of one instrument are two calls, and then nothing is joined by this rule.

The call is named after its first record. Its primary record is a model call before anything else,
then by evidence grade, then by dialect, then one that holds its content before one that only points
at it; never a span or log line of the application around it. A sender can claim another call's ids,
so grouping only labels: every record stays where it is.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from logstore.capture.decoders.otlp_operations import MODEL_CALLS
from logstore.capture.interaction import Grade
from logstore.capture.references import GAP
from logstore.query.arrow import arrow_table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

SAME_TIME_US = 2_000_000
"""Farthest start times of records that only what was said makes one call, microseconds."""

COLUMNS = "index BIGINT, root BIGINT, is_primary BOOLEAN, place INTEGER, captures INTEGER"
"""Columns of ``base.calls``: `place` is 0 for the primary record and counts on by precedence;
`captures` is how many records of kind ``interaction`` the call has."""

_MODEL_CALLS = "(" + ", ".join(f"'{name}'" for name in sorted(MODEL_CALLS)) + ")"
_MANY_SAID = 16  # copies of one call; more are a loop that repeats itself


def _shared(key: str) -> str:
    return (
        f"(SELECT {key} FROM base.records WHERE {key} IS NOT NULL GROUP BY 1 HAVING count(*) > 1)"
    )


def _short(column: str) -> str:
    return f"regexp_extract({column}, '[^/]*$')"


_ONLY_CHILD = (
    "SELECT parent_key, min(index) AS index, min(response_key) AS response_key, "
    "min(request_model) AS request_model, min(output_preview) AS output_preview "
    "FROM base.records WHERE parent_key IS NOT NULL GROUP BY 1 HAVING count(DISTINCT span_key) = 1"
)
_DOUBLE = f"""
WITH s AS MATERIALIZED {_shared("span_key")},
     a AS MATERIALIZED {_shared("response_key")},
     g AS MATERIALIZED {_shared("call_key")},
     w AS MATERIALIZED (SELECT said_key FROM base.records WHERE said_key IS NOT NULL GROUP BY 1
          HAVING count(*) BETWEEN 2 AND {_MANY_SAID}),
     n AS MATERIALIZED (SELECT DISTINCT c.index, p.span_key FROM ({_ONLY_CHILD}) c
          JOIN base.records p ON p.span_key = c.parent_key
          WHERE p.kind = 'interaction' AND p.capture_grade = 'span'
            AND (p.response_key IS NULL OR c.response_key IS NULL
                 OR p.response_key = c.response_key)
            AND (p.request_model IS NULL OR c.request_model IS NULL
                 OR {_short("p.request_model")} = {_short("c.request_model")})
            AND (p.operation IN {_MODEL_CALLS} OR (p.operation = 'invoke_workflow'
                 AND c.output_preview <> '' AND contains(p.output_text, c.output_preview))))
SELECT r.index, coalesce(r.span_key, 0) AS span, coalesce(n.span_key, 0) AS outer_span,
       coalesce(r.response_key, 0) AS answer, coalesce(r.call_key, 0) AS call,
       coalesce(r.said_key, 0) AS said, r.time_us,
       hash(r.source, r.capture_format, r.capture_dialect) AS instrument,
       r.capture_grade, r.capture_dialect, r.kind <> 'interaction' AS aside,
       coalesce(r.operation, '') NOT IN {_MODEL_CALLS} AS no_model,
       list_contains(coalesce(r.capture_gaps, []), '{GAP}') AS elsewhere
FROM base.records r LEFT JOIN n ON n.index = r.index
WHERE r.span_key IN (FROM s) OR r.response_key IN (FROM a) OR r.call_key IN (FROM g)
   OR r.said_key IN (FROM w)
   OR n.span_key IS NOT NULL OR r.span_key IN (SELECT span_key FROM n)
ORDER BY r.index
"""


def calls_table(connection: DuckDBPyConnection) -> pa.Table:
    """Every record that shares its call with another one, with the columns of `COLUMNS`."""
    import numpy as np
    import pyarrow as pa

    found = arrow_table(connection, _DOUBLE)
    columns = {name: found.column(name).to_numpy(zero_copy_only=False) for name in _NUMBERS}
    index = columns["index"].astype(np.int64)
    said = said_together(columns["said"], columns["time_us"], columns["instrument"])
    spans = [columns["span"], columns["outer_span"]]
    roots = join_roots(index, [spans, [columns["answer"]], [columns["call"]], [said]])
    ranks = [columns["aside"], columns["no_model"], _grades(found), _dialects(found)]
    ranks.append(columns["elsewhere"])
    order = np.lexsort((index, *ranks[::-1], roots))
    sizes = np.bincount(_groups(roots))
    alone = sizes[_groups(roots)] < 2
    starts = np.r_[True, roots[order][1:] != roots[order][:-1]] if len(index) else np.empty(0, bool)
    place = np.zeros(len(index), dtype=np.int32)
    ordinal = np.arange(len(index))
    place[order] = ordinal - np.maximum.accumulate(np.where(starts, ordinal, 0))
    calls = np.bincount(_groups(roots), weights=~columns["aside"].astype(bool)).astype(np.int32)
    table = pa.table(
        {
            "index": index,
            "root": roots,
            "is_primary": place == 0,
            "place": place,
            "captures": calls[_groups(roots)],
        }
    )
    return table.filter(pa.array(~alone))


_NUMBERS = (
    "index", "span", "outer_span", "answer", "call", "said", "time_us", "instrument", "aside",
    "no_model", "elsewhere",
)  # fmt: skip


def join_roots(index: NDArray[np.int64], keys: list[list[NDArray[Any]]]) -> NDArray[np.int64]:
    """For each record the smallest index that it is connected to.

    Args:
        index: record indexes.
        keys: for each sort of key its columns, one value per record in each; records that have
            a value in common in any columns of one sort are connected, 0 connects nothing.
    """
    import numpy as np

    roots = index.astype(np.int64, copy=True)
    groups = []
    for columns in keys:
        rows = np.concatenate([np.flatnonzero(column) for column in columns])
        values = np.concatenate([column[np.flatnonzero(column)] for column in columns])
        groups.append((rows, np.unique(values, return_inverse=True)[1]))
    while True:
        before = roots.copy()
        for rows, group in groups:
            if len(rows):
                least = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
                np.minimum.at(least, group, roots[rows])
                np.minimum.at(roots, rows, least[group])
        if np.array_equal(before, roots):
            return roots


def said_together(
    said: NDArray[Any], time_us: NDArray[Any], instrument: NDArray[Any]
) -> NDArray[np.int64]:
    """A number for each record; equal ones are one call by what was said, 0 says nothing.

    Args:
        said: key of conversation, model, question and answer; 0 where it is not known.
        time_us: when the call began, microseconds.
        instrument: who told of it.
    """
    import numpy as np

    order = np.lexsort((time_us, said))
    key, time = said[order], time_us[order].astype(np.int64)
    run = np.zeros(len(order), dtype=np.int64)
    run[1:] = np.cumsum((key[1:] != key[:-1]) | (time[1:] - time[:-1] > SAME_TIME_US))
    by_teller = np.lexsort((instrument[order], run))
    same = (run[by_teller][1:] == run[by_teller][:-1]) & (
        instrument[order][by_teller][1:] == instrument[order][by_teller][:-1]
    )
    unclear = np.zeros(int(run[-1]) + 1 if len(run) else 0, dtype=np.bool_)
    unclear[run[by_teller][1:][same]] = True
    found = np.zeros(len(order), dtype=np.int64)
    found[order] = np.where((key == 0) | unclear[run], 0, run + 1)
    return found


def _groups(roots: NDArray[np.int64]) -> NDArray[Any]:
    import numpy as np

    return np.unique(roots, return_inverse=True)[1]


def _grades(found: pa.Table) -> NDArray[Any]:
    return _ranked(found, "capture_grade", {grade: n for n, grade in enumerate(get_args(Grade))})


def _dialects(found: pa.Table) -> NDArray[Any]:
    from logstore.capture.decoders.otlp_dialects import RANK

    return _ranked(found, "capture_dialect", RANK)


def _ranked(found: pa.Table, name: str, ranks: dict[str, int]) -> NDArray[Any]:
    """The rank of each row's word, the same for all words that are not known."""
    import numpy as np
    import pyarrow as pa

    words = found.column(name).combine_chunks().dictionary_encode()
    last = max(ranks.values()) + 1
    known = [ranks.get(str(word), last) for word in words.dictionary.to_pylist()]
    table = np.array([*known, last], dtype=np.int64)
    codes = words.indices.fill_null(pa.scalar(len(known), words.indices.type))
    return np.asarray(table[codes.to_numpy(zero_copy_only=False)])
