"""Records attributed to a person after they were stored: the ``subject.linked`` records, applied.

A model call is often stored before the span that says who asked. What a later record attributes is
laid over the earlier one here, as ``base.known``; the earlier record itself never changes. People
stand in the order in which they were named: first by the record itself, then link by link.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from logstore.formats.record import LINKED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def each_once(people: str) -> str:
    """SQL for a list without its repetitions and NULLs, in its order, which `list_distinct` loses.

    Args:
        people: SQL for the list.
    """
    known = f"list_filter({people}, lambda who: who IS NOT NULL)"
    return f"list_filter({known}, lambda who, nth: list_position({known}, who) = nth)"


_EMPTY = "CREATE TABLE base.links (index BIGINT, users VARCHAR[], session_id VARCHAR)"
_READ = f"""
CREATE OR REPLACE TABLE base.links AS
SELECT index, {each_once("flatten(list(users ORDER BY placed))")} AS users,
       arg_min(session_id, placed) AS session_id
FROM (SELECT unnest(TRY_CAST(json_extract(clear, '$.records') AS BIGINT[])) AS index,
             index AS placed,
             list_prepend(user_id, coalesce(more_users, [])) AS users, session_id
      FROM base.records WHERE kind = '{LINKED}' AND user_id IS NOT NULL)
WHERE index < placed GROUP BY index
"""
_PLAIN = "CREATE OR REPLACE VIEW base.known AS SELECT * FROM base.records"
_USERS = each_once("list_concat([r.user_id], coalesce(r.more_users, []), l.users)")
_LAID_OVER = f"""
CREATE OR REPLACE VIEW base.known AS
SELECT r.* FROM base.records r ANTI JOIN base.links l ON l.index = r.index
UNION ALL
SELECT r.* REPLACE (({_USERS})[1] AS user_id, ({_USERS})[2:] AS more_users,
                    coalesce(r.session_id, l.session_id) AS session_id)
FROM base.links l JOIN base.records r ON r.index = l.index
"""


class Links:
    """Keeps ``base.links`` and ``base.known`` up to date.

    Args:
        connection: the instance.
        content: whether there is decrypted content; a link says nothing without it.
    """

    def __init__(self, connection: DuckDBPyConnection, *, content: bool) -> None:
        self._connection = connection
        self._content = content
        self._to = 0
        self._any = False
        connection.execute(_EMPTY)
        connection.execute(_PLAIN)

    def refresh(self, size: int, *, anew: bool = False) -> None:
        """Take in links among the records up to `size`; `anew` forgets those known before."""
        if not self._content:
            return
        first, self._to = 0 if anew else min(self._to, size), size
        found = self._connection.execute(
            "SELECT count(*) FROM base.records WHERE kind = ? AND index >= ?", [LINKED, first]
        ).fetchall()
        if not found[0][0] and not (anew and self._any):
            return
        self._connection.execute(_READ)
        if not self._any:
            self._connection.execute(_LAID_OVER)
            self._any = True


def attributed(
    cursor: DuckDBPyConnection, indexes: Sequence[int]
) -> list[tuple[int, str, str | None]]:
    """(index, person, session) of those of some records that a link attributes."""
    if not indexes:
        return []
    listed = ", ".join(str(int(index)) for index in indexes)
    return cursor.execute(
        f"SELECT index, users[1], session_id FROM base.links WHERE index IN ({listed})"
    ).fetchall()


def linked_to(cursor: DuckDBPyConnection, test: str, values: Sequence[object]) -> list[int]:
    """Indexes of the records that links attribute to somebody or some session, ascending.

    Args:
        cursor: of the instance.
        test: SQL over one link's `user_id` and `session_id`.
        values: bound in it.
    """
    rows = cursor.execute(
        f"SELECT DISTINCT index FROM (SELECT index, unnest(users) AS user_id, session_id "
        f"FROM base.links) WHERE {test} ORDER BY index",
        list(values),
    ).fetchall()
    return [int(row[0]) for row in rows]
