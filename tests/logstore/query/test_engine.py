from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.fake_reader import Entry, FakeReader, chat, entry_of, event_of, reader_of
from support.small_log import small_log

from logstore.errors import KeyUnavailable, NotDurable, QueryRefused, UsageError
from logstore.query import views
from logstore.query.access import AccessEvent
from logstore.query.engine import Engine
from logstore.query.explorer import Explorer
from logstore.query.filters import Filter

ENDLESS = (
    "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE (a.range + b.range) % 7 = 3"
)


def rows(engine: Engine, text: str) -> list[tuple[Any, ...]]:
    return list(engine.sql(text).rows)


def test_content_is_queried_with_the_key_store(engine: Engine) -> None:
    assert rows(
        engine, "SELECT user_id, input_text, output_text FROM interactions WHERE index = 1"
    ) == [("maria", "Hello there", "Hi Maria")]


def test_every_person_of_a_record_is_a_user(engine: Engine) -> None:
    assert rows(engine, "SELECT user_ids FROM interactions WHERE index = 3") == [
        (["bob", "carol"],)
    ]
    users = dict(rows(engine, "SELECT user_id, interactions FROM users"))
    assert users == {"maria": 2, "bob": 1, "carol": 1, "erin": 1}


def test_what_cannot_be_opened_is_there_with_its_clear_part_and_says_why(engine: Engine) -> None:
    found = rows(
        engine, "SELECT request_model, input_text, content_state FROM interactions WHERE index = 4"
    )
    assert found == [("gpt-5", None, "destroyed")]


def test_tool_calls_have_names_and_arguments(engine: Engine) -> None:
    found = rows(engine, "SELECT index, name, call_id, arguments FROM tool_calls")
    assert found == [(2, "search_kb", "c1", '{"q":"π"}')]


def test_messages_are_cut_out_of_the_texts_by_character(engine: Engine) -> None:
    found = rows(
        engine,
        "SELECT side, role, type, text FROM messages WHERE index IN (2, 5) "
        "ORDER BY index, side, type",
    )
    assert found == [
        ("input", "user", "text", "Refund POLICY?"),
        ("output", "assistant", "text", "I look it up"),
        ("output", "assistant", "tool_call", '{"q":"π"}'),
        ("input", "user", "text", "100% sure_ \\o/"),
        ("output", "assistant", "text", "日本語テスト العربية"),
    ]


def test_sessions_models_and_events_fold_the_log(engine: Engine) -> None:
    assert rows(engine, "SELECT session_id, interactions FROM sessions ORDER BY 1") == [
        ("s1", 2),
        ("s2", 1),
    ]
    assert rows(engine, "SELECT model, interactions FROM models ORDER BY 1") == [("gpt-5", 6)]
    found = rows(engine, "SELECT kind, clear, note FROM events ORDER BY index")
    assert found == [
        ("log.opened", '{"origin":"example.org/log"}', None),
        ("access.query", '{"action":"sql"}', '{"text":"select secret question"}'),
    ]


def test_spans_and_log_lines_of_the_application_are_no_interactions(tmp_path: Path) -> None:
    known = {"trace_id": "t", "span_id": "s", "user": "maria"}
    request = chat("GET /chat", operation="span", request_model=None, grade="span", **known)
    called = chat("a question", grade="event", **known)
    noted = chat("cache is cold", operation="log", request_model=None, grade="event")
    entries = [entry_of(request), entry_of(called), entry_of(noted), event_of("log.opened", {})]
    found = {}
    for keys in (True, False):
        reader = reader_of(entries, tmp_path / str(keys), **({} if keys else {"keys": None}))
        reader.seal(2)
        with Engine.open(reader, work=tmp_path / f"w{keys}") as engine:
            for view in ("interactions", "spans", "events"):
                found[view, keys] = rows(engine, f"SELECT index FROM {view} ORDER BY index")
            assert rows(engine, "SELECT clear FROM events") == [("{}",)]
            explorer = Explorer(engine)
            assert explorer.select(Filter(kind="interaction")).count == 1
            assert explorer.select(Filter(kind="span")).count == 1
            if keys:
                said = "SELECT index, input_text, operation, interaction_id FROM spans ORDER BY 1"
                assert rows(engine, said) == [
                    (0, "GET /chat", "span", 0),
                    (2, "cache is cold", "log", 2),
                ]
                assert explorer.select(Filter(text="cache is cold")).count == 1
                assert explorer.select(Filter(user="maria")).count == 2
                assert explorer.detail(1).same_call == [0]
                primary = rows(engine, "SELECT index, interaction_id, is_primary FROM interactions")
                assert primary == [(1, 0, True)], "or a count of primary ones would lose the call"
    for keys in (True, False):
        assert found["interactions", keys] == [(1,)]
        assert found["spans", keys] == [(0,), (2,)]
        assert found["events", keys] == [(3,)]


def test_lineage_joins_what_went_in_with_the_version_that_answered(tmp_path: Path) -> None:
    call = chat(
        "q", "a", dataset_ids=["kb"], document_ids=["d1", "d2"], model_version="v7", prompt_name="p"
    )
    with Engine.open(reader_of([entry_of(call)] * 2, tmp_path), work=tmp_path / "w") as engine:
        found = rows(
            engine,
            "SELECT from_kind, from_name, to_model_version, interactions FROM lineage ORDER BY ALL",
        )
    assert found == [
        ("dataset", "kb", "gpt-5@v7", 2),
        ("document", "d1", "gpt-5@v7", 2),
        ("document", "d2", "gpt-5@v7", 2),
        ("prompt", "p@?", "gpt-5@v7", 2),
    ]


@pytest.mark.parametrize("text", [
    "SELECT user_id FROM interactions",
    "SELECT i.input_text FROM interactions i",
    "SELECT index FROM interactions WHERE contains(output_text, 'x')",
    "SELECT * FROM users",
    "SELECT * FROM messages",
    "SELECT arguments FROM tool_calls",
    "SELECT is_primary FROM interactions",
    "SELECT content_state FROM interactions",
    "SELECT session_id FROM sessions",
    "SELECT count(*) FROM interactions JOIN users USING (user_id)",
])  # fmt: skip
def test_without_a_passphrase_content_is_asked_for_and_not_null(
    clear_engine: Engine, text: str
) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        clear_engine.sql(text)
    assert "passphrase" in caught.value.todo


def test_clear_columns_need_no_passphrase_sealed_or_not(clear_engine: Engine) -> None:
    assert rows(
        clear_engine, "SELECT count(*), count(error_type), max(index) FROM interactions"
    ) == [(8, 1, 9)]
    assert rows(clear_engine, "SELECT kind, clear FROM events ORDER BY index") == [
        ("log.opened", '{"origin":"example.org/log"}'),
        ("access.query", '{"action":"sql"}'),
    ]
    assert rows(clear_engine, "SELECT index, name FROM tool_calls") == [(2, "search_kb")]
    assert rows(clear_engine, "SELECT interactions FROM sessions ORDER BY 1") == [(1,), (2,)]
    assert not (clear_engine._work).exists()


def test_both_ways_tell_the_same_about_clear_columns(engine: Engine, clear_engine: Engine) -> None:
    text = (
        "SELECT index, id, time, operation, request_model, tool_names, capture_gaps, subjects "
        "FROM interactions ORDER BY index"
    )
    assert rows(engine, text) == rows(clear_engine, text)


def test_show_tables_lists_only_what_can_be_asked(engine: Engine, clear_engine: Engine) -> None:
    with_content = [name for name, _ in rows(engine, "SHOW TABLES")]
    assert with_content == [
        "interactions",
        "calls",
        "messages",
        "tool_calls",
        "sessions",
        "models",
        "users",
        "lineage",
        "spans",
        "events",
    ]
    assert set(with_content) - {name for name, _ in rows(clear_engine, "SHOW TABLES")} == {
        "messages",
        "users",
    }


def test_more_rows_than_the_limit_are_announced(engine: Engine) -> None:
    few, all_of_them = (
        engine.sql("SELECT * FROM range(50)", limit=7),
        engine.sql("SELECT * FROM range(50)"),
    )
    assert (len(few), few.truncated, few.limit) == (7, True, 7)
    assert (len(all_of_them), all_of_them.truncated) == (50, False)
    assert not engine.sql("SELECT * FROM range(7)", limit=7).truncated


def test_a_huge_answer_is_not_computed_to_its_end(engine: Engine) -> None:
    started = time.monotonic()
    assert engine.sql("SELECT * FROM range(100000000000)", limit=10).truncated
    assert time.monotonic() - started < 5


def test_a_result_says_how_far_it_was_verified(opener: Any, tmp_path: Path) -> None:
    reader = reader_of(small_log(), tmp_path / "evidence", keys=None)
    reader.seal(6)
    result = opener(reader).sql("SELECT 1")
    assert (result.verified_to, result.size) == (6, 10)


def test_sums_are_plain_integers(engine: Engine) -> None:
    result = engine.sql("SELECT sum(index) FROM interactions")
    found = next(result.rows)
    assert found[0] == 1 + 2 + 3 + 4 + 5 + 7 + 8 + 9
    assert isinstance(found[0], int)


def test_time_is_a_timestamp_without_zone_and_survives_forged_clocks(tmp_path: Path) -> None:
    record = entry_of(chat("x")).record
    entries = [Entry(replace(record, time_us=moment)) for moment in (0, 2**62, -(2**62))]
    with Engine.open(reader_of(entries, tmp_path), work=tmp_path / "w") as engine:
        found = rows(engine, "SELECT time, time_us FROM interactions ORDER BY index")
    assert found[0] == (datetime(1970, 1, 1), 0)  # noqa: DTZ001
    assert (found[1][0].year, found[2][0].year) == (9999, 1)


def test_the_time_limit_stops_a_question(engine: Engine) -> None:
    with pytest.raises(QueryRefused, match="stopped after 0.2 s"):
        engine.sql(ENDLESS, timeout_s=0.2)
    assert rows(engine, "SELECT 1") == [(1,)]


def test_another_thread_can_cancel(engine: Engine) -> None:
    answered = threading.Event()

    def cancel() -> None:  # more than once: on a busy machine the first may come too early
        while not answered.wait(0.2):
            engine.interrupt()

    other = threading.Thread(target=cancel)
    other.start()
    try:
        with pytest.raises(QueryRefused, match="cancelled"):
            engine.sql(ENDLESS)
    finally:
        answered.set()
        other.join()
    assert rows(engine, "SELECT 1") == [(1,)]


def test_memory_is_limited_and_nothing_spills_to_disk(
    opener: Any, reader: FakeReader, tmp_path: Path
) -> None:
    small = opener(reader, memory="60MB", work=tmp_path / "small")
    with pytest.raises(QueryRefused, match="memory"):
        small.sql("SELECT list(range::VARCHAR || repeat('x', 100)) FROM range(10000000)")
    assert rows(small, "SELECT 1") == [(1,)]


def test_every_question_is_reported_before_its_answer(
    engine: Engine, events: list[AccessEvent]
) -> None:
    events.clear()
    engine.sql("SELECT index FROM interactions")
    with pytest.raises(QueryRefused):
        engine.sql("DROP VIEW interactions")
    assert [(event.action, event.rows, bool(event.error)) for event in events] == [
        ("sql", 8, False),
        ("sql", 0, True),
    ]


def test_an_answer_that_cannot_be_recorded_is_withheld(opener: Any, reader: FakeReader) -> None:
    def full_disk(_event: AccessEvent) -> None:
        raise NotDurable("the disk is full")

    with pytest.raises(NotDurable):
        opener(reader, on_access=full_disk).sql("SELECT 1")


def test_python_variables_are_out_of_reach(engine: Engine) -> None:
    import pyarrow as pa

    secret = pa.table({"x": [1]})
    assert secret.num_rows
    with pytest.raises(QueryRefused):
        engine.sql("SELECT * FROM secret")


def test_many_threads_may_ask_at_once(engine: Engine) -> None:
    answers: list[Any] = []

    def ask() -> None:
        for _ in range(10):
            answers.append(rows(engine, "SELECT count(*) FROM interactions WHERE is_primary"))
            engine.refresh()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[(6,)]] * 40


def test_a_later_package_adds_its_view_once(
    opener: Any, reader: FakeReader, clear_reader: FakeReader
) -> None:
    before = dict(views._views)
    try:
        views.register_view("busy_models", "SELECT model FROM models WHERE interactions > 1", False)
        views.register_view("busy_models", "SELECT model FROM models WHERE interactions > 1", False)
        views.register_view("talkers", "SELECT user_id FROM users WHERE interactions > 1", True)
        with pytest.raises(UsageError):
            views.register_view("busy_models", "SELECT 1", False)
        with pytest.raises(UsageError):
            views.register_view("x; DROP", "SELECT 1", False)
        engine, clear = opener(reader), opener(clear_reader)
        assert (
            rows(engine, "SELECT * FROM busy_models")
            == rows(clear, "FROM busy_models")
            == [("gpt-5",)]
        )
        assert rows(engine, "FROM talkers") == [("maria",)]
        with pytest.raises(KeyUnavailable):
            clear.sql("FROM talkers")
    finally:
        views._views.clear()
        views._views.update(before)
