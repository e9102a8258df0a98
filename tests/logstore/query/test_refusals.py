"""What a person reads who mistyped SQL: their own words, and what to do; never DuckDB's insides."""

from __future__ import annotations

import pytest

from logstore.errors import QueryRefused
from logstore.query.engine import Engine

MISTAKES = [
    ("SELEC 1", 'it goes wrong at "SELEC"', "spelling"),
    ("SELECT * FROM interactions WHERE", "it ends in the middle", "missing at its end"),
    ("SELECT 'abc", "a quoted text has no end", "Close it"),
    (
        "SELECT modle_version FROM interactions",
        'there is no column "modle_version"',
        "model_version",
    ),
    ("SELECT i.nope FROM interactions i", 'there is no column "nope" in "i"', "DESCRIBE"),
    ("SELECT x.id FROM interactions i", 'there is no table "x"', "before the dot"),
    ("SELECT summ(1)", "there is no function summ()", "Did you mean sum"),
    ("SELECT sum(model_version) FROM interactions", "takes these types: sum(VARCHAR)", "CAST"),
    ("SELECT source, count(*) FROM interactions", '"source" is neither grouped', "GROUP BY ALL"),
    ("SELECT CAST('a' AS INT)", "'a' is no INT32", "TRY_CAST"),
    ("SELECT source FROM interactions ORDER BY 9", "columns from 1 to 1", "by a name"),
    (
        "SELECT id FROM interactions a JOIN interactions b ON a.id = b.id",
        'more than one table has a "id"',
        "Say which",
    ),
    ("SELECT 1 UNION SELECT 1, 2", "same number of result columns", "SHOW TABLES"),
]


@pytest.mark.parametrize(("sql", "what", "todo"), MISTAKES, ids=[sql for sql, _, _ in MISTAKES])
def test_a_mistake_is_told_in_words_with_what_to_do(
    engine: Engine, sql: str, what: str, todo: str
) -> None:
    with pytest.raises(QueryRefused) as refused:
        engine.sql(sql)
    assert what in refused.value.what
    assert todo in refused.value.todo
    assert "Error:" not in refused.value.what
