from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.errors import AirconError, QueryRefused
from logstore.query.engine import Engine
from logstore.query.lockdown import instance
from logstore.query.statements import MAX_SQL, check

HOSTILE = [
    # more than one statement, or none
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW interactions",
    "",
    " ;; ",
    "-- nothing",
    # statements that write, load, set or call
    "COPY interactions TO '/tmp/out.csv'",
    "COPY (SELECT 1) TO '/tmp/out.parquet' (FORMAT parquet)",
    "ATTACH '/tmp/x.db'",
    "ATTACH ':memory:' AS m",
    "DETACH part_1",
    "USE base",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/evil.duckdb_extension'",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET memory_limit='1TB'",
    "SET enable_external_access=true",
    "RESET lock_configuration",
    "CALL pragma_version()",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "CREATE OR REPLACE VIEW interactions AS SELECT 1",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO interactions VALUES (1)",
    "UPDATE base.calls SET root = 1",
    "DELETE FROM base.calls",
    "TRUNCATE base.calls",
    "DROP VIEW interactions",
    "ALTER VIEW interactions RENAME TO x",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN COPY interactions TO '/tmp/x'",
    "EXPLAIN ANALYZE DELETE FROM base.calls",
    "EXPLAIN EXPLAIN SELECT 1",
    "PIVOT interactions ON operation USING count(*)",
    # files and other tables by name
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'x.parquet'",
    'SELECT * FROM "x.csv"',
    "SELECT * FROM 'https://evil.example/x.parquet'",
    "DESCRIBE 'x.parquet'",
    "SUMMARIZE '/tmp/x.csv'",
    "SELECT * FROM interactions, 's3://bucket/x.parquet'",
    "SELECT (SELECT count(*) FROM 'x.json')",
    "SELECT * FROM base.records",
    "SELECT * FROM base.calls",
    "SELECT * FROM memory.base.records",
    "SELECT * FROM part_1.main.records",
    "SELECT * FROM part_1.skip",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM duckdb_settings",
    "SELECT * FROM sqlite_master",
    'WITH "x.parquet" AS (SELECT 1) SELECT * FROM "x.parquet"',
    "SELECT * FROM (WITH pg_settings AS (SELECT 1) SELECT 1), pg_settings",
    "SELECT * FROM interactions AT (VERSION => 1)",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    "SHOW TABLES FROM base",
    "SHOW",
    # functions that read, run or tell more than their arguments
    "SELECT * FROM read_parquet('x')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('x')",
    "SELECT * FROM sqlite_scan('x', 'y')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('interactions')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_map_function()",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM force_checkpoint()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM interactions WHERE id IN (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM interactions i, LATERAL (SELECT * FROM read_text(i.id))",
    "SELECT current_setting('allowed_directories')",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT nextval('s')",
    "SELECT sleep_ms(100000)",
    "SELECT write_log('x')",
    "SELECT pg_get_viewdef(1)",
    "SELECT list_transform([1], lambda x: current_setting('memory_limit'))",
    "SELECT 1 ORDER BY current_setting('memory_limit')",
    "SELECT 1 LIMIT (SELECT count(*) FROM read_text('/etc/passwd'))",
    "SELECT sum(1) FILTER (WHERE current_setting('x') = 'y')",
    "VALUES ((SELECT content FROM read_text('/etc/passwd')))",
    "SELECT 1 UNION ALL SELECT content FROM read_text('/etc/passwd')",
    # size and depth
    "SELECT " + "abs(" * 5_000 + "1" + ")" * 5_000,
    "SELECT " + "NOT " * 9_000 + "true",
    "SELECT " + "[" * 5_000 + "1" + "]" * 5_000,
    "SELECT " + "(SELECT " * 3_000 + "1" + ")" * 3_000,
    "SELECT '" + "x" * MAX_SQL + "'",
    "SELECT 1 \0; DROP TABLE x",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:60])
def test_hostile_sql_is_refused_and_the_views_still_answer(engine_once: Engine, text: str) -> None:
    with pytest.raises(QueryRefused):
        engine_once.sql(text)
    assert list(engine_once.sql("SELECT count(*) FROM interactions").rows) == [(8,)]


@pytest.fixture(scope="module")
def engine_once(tmp_path_factory: pytest.TempPathFactory):
    from support.fake_reader import reader_of
    from support.small_log import small_log

    directory = tmp_path_factory.mktemp("hostile")
    with Engine.open(reader_of(small_log(), directory / "e"), work=directory / "w") as engine:
        yield engine


GOOD = [
    "SELECT 1",
    "select count(*) from interactions;",
    "FROM interactions SELECT index",
    "WITH a AS (SELECT index FROM interactions), b AS (FROM a) SELECT * FROM b",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
    "SELECT * FROM range(3)",
    "SELECT * FROM main.interactions",
    "SELECT unnest(tool_names) FROM interactions",
    "SELECT e.key, e.value FROM events, json_each(events.clear) e",
    "DESCRIBE interactions",
    "SHOW interactions",
    "SHOW TABLES",
    "SUMMARIZE models",
    "EXPLAIN SELECT * FROM users",
    "explain analyze select 1",
    "PIVOT interactions ON operation IN ('chat') USING count(*)",
    "SELECT row_number() OVER (ORDER BY time) FROM interactions",
    "TABLE models",
    "VALUES (1), (2)",
    "SELECT 'COPY x TO y; DROP TABLE z' AS words",
]


@pytest.mark.parametrize("text", GOOD, ids=lambda text: text[:60])
def test_ordinary_questions_are_answered(engine_once: Engine, text: str) -> None:
    engine_once.sql(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(
    ["SELECT", "*", "FROM", "(", ")", "interactions", "read_text", "'/etc/passwd'", ";", "WITH",
     "a", "AS", ",", "COPY", "EXPLAIN", "SHOW", "base", ".", "records", "1"]), max_size=12
).map(" ".join))  # fmt: skip
def test_any_text_is_checked_or_refused_never_crashes(text: str) -> None:
    try:
        statement = check(_parser, text, {"interactions"})
    except AirconError:
        return
    assert statement.views <= {"interactions"}
    assert "read_text (" not in text


_parser, _ = instance(threads=1, memory="256MB")


def test_the_lock_holds_without_the_parser(engine_once: Engine) -> None:
    """The second wall: what the parse tree check would miss still reaches no file."""
    import duckdb

    for text in (
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/aircon-should-not-exist.csv'",
        "ATTACH '/tmp/aircon-should-not-exist.db'",
        "SET enable_external_access=true",
        "LOAD fts",
        "INSTALL fts",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
    ):
        with engine_once._connection.cursor() as cursor, pytest.raises(duckdb.Error):
            cursor.execute(text)
