"""One call that arrives several times: kept as often as it arrived, counted once."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_reader import START_US, Entry, chat, entry_of, event_of, reader_of
from support.stores import TestStore

from logstore.capture.importing import import_files
from logstore.capture.importstate import ImportState
from logstore.capture.interaction import Interaction
from logstore.query import callviews
from logstore.query.engine import Engine
from logstore.query.explorer import Explorer
from logstore.query.filters import Filter
from logstore.query.forensic import BY_NAME

SPAN = {"format": "otlp.span", "grade": "span", "trace_id": "t"}

_told = st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans())
"""Which call, when, and whether it failed."""


def made(**facts: Any) -> Interaction:
    return chat("the question", "the answer", **({"start_us": START_US} | facts))


def stored(tmp_path: Path, *calls: Interaction | Entry, sources: list[str] | None = None) -> Engine:
    entries = [
        call
        if isinstance(call, Entry)
        else entry_of(call, source=sources[at] if sources else "test")
        for at, call in enumerate(calls)
    ]
    return Engine.open(reader_of(entries, tmp_path / "evidence"), work=tmp_path / "work")


def groups(engine: Engine) -> list[tuple[int, ...]]:
    """Records of each call, the one that is counted first."""
    rows = engine.sql(
        "SELECT interaction_id, list(index ORDER BY is_primary DESC, index) FROM interactions "
        "GROUP BY 1 ORDER BY 1"
    ).rows
    return [tuple(indexes) for _, indexes in rows]


def one(engine: Engine, sql: str) -> Any:
    ((value,),) = list(engine.sql(sql).rows)
    return value


def test_native_span_instrumentor_span_and_log_event_are_one_call(tmp_path: Path) -> None:
    native = made(
        **SPAN, dialect="anthropic", span_id="n", parent_span_id="i", response_id="msg_0123456789ab"
    )
    outer = made(**SPAN, dialect="gen_ai", span_id="i", response_id="msg_0123456789ab")
    event = made(format="otlp.log", grade="event", dialect="gen_ai", trace_id="t", span_id="i")
    with stored(tmp_path, event, outer, native) as engine:
        assert groups(engine) == [(2, 0, 1)], "the client's own span tells most"
        assert one(engine, "SELECT count(*) FROM calls") == 1
        assert one(engine, "SELECT captures FROM calls") == 3
        assert one(engine, "SELECT max(captures) FROM interactions") == 3


def test_a_failed_call_has_no_response_id_and_is_found_by_its_place_in_the_trace(
    tmp_path: Path,
) -> None:
    failed = {"error_type": "overloaded", "request_model": "claude-overload"}
    outer = made(**SPAN, **failed, dialect="gen_ai", span_id="i")
    native = made(**SPAN, **failed, dialect="anthropic", span_id="n", parent_span_id="i")
    with stored(tmp_path, outer, native) as engine:
        assert groups(engine) == [(1, 0)]
        assert one(engine, "SELECT errors FROM models") == 1


def test_two_calls_below_one_span_stay_two(tmp_path: Path) -> None:
    outer = made(**SPAN, span_id="i", operation="invoke_workflow", request_model=None)
    first = made(**SPAN, span_id="a", parent_span_id="i")
    again = made(**SPAN, span_id="b", parent_span_id="i")
    with stored(tmp_path, outer, first, again) as engine:
        assert groups(engine) == [(0,), (1,), (2,)]


def test_another_model_or_answer_below_a_span_is_another_call(tmp_path: Path) -> None:
    outer = made(**SPAN, span_id="i", request_model="gpt-5", response_id="resp-aaaaaaaaaaaa")
    inner = made(**SPAN, span_id="a", parent_span_id="i", request_model="guard-2")
    other = made(**SPAN, span_id="j", response_id="resp-bbbbbbbbbbbb")
    below = made(**SPAN, span_id="k", parent_span_id="j", response_id="resp-cccccccccccc")
    with stored(tmp_path, outer, inner, other, below) as engine:
        assert groups(engine) == [(0,), (1,), (2,), (3,)]


def test_a_workflow_step_that_hands_on_one_answer_is_that_call(tmp_path: Path) -> None:
    chain = chat(
        "the question",
        '{"content": "the answer"}',
        **SPAN,
        span_id="c",
        operation="invoke_workflow",
        request_model=None,
        dialect="openinference",
        start_us=START_US,
    )
    call = made(**SPAN, span_id="l", parent_span_id="c", dialect="openinference")
    with stored(tmp_path, chain, call) as engine:
        assert groups(engine) == [(1, 0)], "the model call stands for both"
        assert one(engine, "SELECT response_model FROM calls") is None
        assert one(engine, "SELECT operation FROM calls") == "chat"


def test_a_gateway_record_beside_a_span_without_common_id(tmp_path: Path) -> None:
    gateway = made(format="litellm", grade="gateway", conversation_id="c", user="maria")
    span = made(**SPAN, span_id="s", conversation_id="c", start_us=START_US + 900_000)
    with stored(tmp_path, gateway, span) as engine:
        assert groups(engine) == [(0, 1)]


@pytest.mark.parametrize(
    "difference",
    [
        {"start_us": START_US + 2_100_000},
        {"conversation_id": "another"},
        {"request_model": "gpt-4"},
        {"output": []},
    ],
)
def test_what_differs_in_time_place_model_or_answer_is_not_joined(
    tmp_path: Path, difference: dict[str, Any]
) -> None:
    gateway = made(format="litellm", grade="gateway", conversation_id="c")
    span = made(**(SPAN | {"span_id": "s", "conversation_id": "c"} | difference))
    with stored(tmp_path, gateway, span) as engine:
        assert groups(engine) == [(0,), (1,)]


def test_somebody_who_asks_the_same_twice_asked_twice(tmp_path: Path) -> None:
    gateway = [
        made(format="litellm", grade="gateway", conversation_id="c", start_us=START_US + at)
        for at in (0, 1_000_000)
    ]
    span = made(**SPAN, span_id="s", conversation_id="c")
    with stored(tmp_path, *gateway, span) as engine:
        assert groups(engine) == [(0,), (1,), (2,)], "which of the two the span is, nobody knows"


def test_counts_of_people_sessions_models_and_lineage_count_a_call_once(tmp_path: Path) -> None:
    known = {"response_id": "resp-0123456789abc", "response_model": "gpt-5"}
    gateway = made(**known, format="litellm", grade="gateway", usage={"input_tokens": 7})
    span = made(
        **known, **SPAN, span_id="s", user="maria", session_id="s1", application="support",
        usage={"input_tokens": 7}, dataset_ids=["kb"],
    )  # fmt: skip
    other = chat("and now?", "then", user="maria", session_id="s1", usage={"input_tokens": 2})
    with stored(tmp_path, gateway, span, other) as engine:
        assert list(engine.sql("SELECT user_id, interactions, input_tokens FROM users").rows) == [
            ("maria", 2, 9)
        ], "the person that only the span names is the call's"
        assert one(engine, "SELECT interactions FROM sessions") == 2
        assert one(engine, "SELECT sum(interactions) FROM models") == 2
        assert one(engine, "SELECT interactions FROM lineage WHERE from_kind = 'dataset'") == 1
        assert list(engine.sql(BY_NAME["top-users"].sql).rows) == [("maria", 2, None)]
        asked = engine.sql(BY_NAME["by-user"].fill(user="maria"))
        assert [row[0] for row in asked.rows] == [0, 2]
        assert one(engine, "SELECT capture_grade FROM calls WHERE captures = 2") == "gateway"
        assert one(engine, "SELECT application FROM calls WHERE captures = 2") == "support"
        assert one(engine, "SELECT count(*) FROM interactions") == 3, "and every record stays"


def test_records_of_one_call_in_parts_months_and_memory(tmp_path: Path, small_parts: None) -> None:
    month = 31 * 86_400_000_000
    fill = [entry_of(chat(f"other {at}", response_id=f"resp-{at:016x}")) for at in range(200)]
    entries = [entry_of(made(response_id="resp-shared-0123", grade="span"))]
    entries += fill[:100]
    entries.append(entry_of(made(response_id="resp-shared-0123", grade="gateway")))
    reader = reader_of(
        entries, tmp_path / "e", recorded_us=lambda at: START_US + (month if at > 90 else 0)
    )
    with Engine.open(reader, work=tmp_path / "work") as engine:
        assert (101, 0) in [tuple(sorted(g, reverse=True)) for g in groups(engine)]
        assert one(engine, "SELECT count(*) FROM calls") == 101
        entries.extend(fill[100:])
        entries.append(entry_of(made(response_id="resp-shared-0123", grade="raw")))
        reader.size = len(entries)
        engine.refresh()
        assert groups(engine)[0] == (202, 0, 101), "what came last is the best record of it"
        assert one(engine, "SELECT count(*) FROM calls") == 201
        assert len(engine.tables.parts) > 1  # type: ignore[union-attr]
    with Engine.open(reader, work=tmp_path / "work") as engine:
        assert groups(engine)[0] == (202, 0, 101)


def test_a_call_says_the_same_however_often_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls are put together for one question first, and kept from the second one on."""
    known = {"response_id": "resp-0123456789abc"}
    gateway = Interaction(format="litellm", grade="gateway", operation="chat", **known)
    told = chat("what is due?", "12 EUR", **known, **SPAN, span_id="s", user="maria")
    extra = made(**known, grade="event", user="jan", model_version="5.1", error_message="slow")
    asked = [
        "SELECT * FROM calls ORDER BY index",
        "SELECT user_ids, input_text, output_text, error_message FROM calls WHERE index = 0",
        "SELECT index FROM calls WHERE user_id = 'maria'",
        "SELECT index FROM calls WHERE contains(output_text, '12 EUR')",
        "SELECT * FROM users ORDER BY user_id",
    ]
    entries = [entry_of(call) for call in (gateway, told, extra, chat("alone", user="jan"))]
    with Engine.open(reader_of(entries, tmp_path / "e"), work=tmp_path / "work") as engine:
        answers = []
        for each in asked:
            engine.refresh()
            answers.append([list(engine.sql(each).rows) for _ in range(3)])
            engine.rebuild("2000-01")
        assert all(one == two == three for one, two, three in answers)
        assert answers[1][0] == [(["maria", "jan"], "what is due?", "12 EUR", "slow")]
        assert answers[2][0] == answers[3][0] == [(0,)]
        for _ in range(2):
            assert one(engine, "SELECT count(*) FROM calls") == 2
        entries.append(entry_of(made(**known, grade="raw", user="eva")))
        engine.reader.size = len(entries)
        engine.refresh()
        people = "SELECT user_ids FROM calls WHERE interaction_id = 0"
        for _ in range(3):
            assert one(engine, people) == ["eva", "maria", "jan"], "what came later counts at once"
    monkeypatch.setattr(callviews, "MAX_GATHERED", 0)
    with Engine.open(reader_of(entries, tmp_path / "e"), work=tmp_path / "work") as engine:
        for _ in range(3):
            assert one(engine, people) == ["eva", "maria", "jan"], "also where there are too many"


def test_a_record_says_which_others_are_of_its_call(tmp_path: Path) -> None:
    known = {"response_id": "resp-0123456789abc"}
    spans = [made(**known, **SPAN, span_id=name) for name in "ab"]
    with stored(tmp_path, *spans, made(**known, grade="gateway"), chat("alone")) as engine:
        explorer = Explorer(engine)
        detail = explorer.detail(1)
        assert (detail.same_call, detail.same.primary) == ([0, 2], 2)
        assert explorer.detail(3).same_call == []


def test_without_a_passphrase_every_record_is_a_call(tmp_path: Path) -> None:
    known = {"response_id": "resp-0123456789abc"}
    entries = [entry_of(made(**known, **SPAN, span_id=name)) for name in "ab"]
    reader = reader_of(entries, tmp_path / "evidence", keys=None)
    with Engine.open(reader, work=tmp_path / "work") as engine:
        assert one(engine, "SELECT count(*) FROM calls") == 2


def test_a_body_that_came_after_its_log_is_there_once_the_log_was_imported_again(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "bedrock"
    (folder / "data").mkdir(parents=True)
    for name in ("late", "never"):
        log = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": "2026-11-02T10:00:00Z",
            "accountId": "111122223333",
            "region": "eu-west-1",
            "requestId": f"request-{name}-0123456789",
            "operation": "Converse",
            "modelId": "anthropic.claude-sonnet-4",
            "input": {"inputBodyS3Path": f"s3://b/data/{name}_input.json"},
            "output": {"outputBodyJson": {"output": {"message": {
                "role": "assistant", "content": [{"text": "12 EUR"}]}}}},
        }  # fmt: skip
        (folder / f"{name}.jsonl").write_text(json.dumps(log) + "\n")
    store, rejects = TestStore(tmp_path), tmp_path / "rejects"
    asked = (
        "SELECT list_contains(capture_gaps, 'content-by-reference'), input_text, captures "
        "FROM calls ORDER BY interaction_id"
    )
    with closing(ImportState(tmp_path / "state", bytes(32))) as state:
        with store.create() as log:
            import_files(log, [folder], state=state, rejects_dir=rejects)
        with Engine.open(store.reader(), work=tmp_path / "work") as engine:
            before = list(engine.sql(asked).rows)
        body = {"messages": [{"role": "user", "content": [{"text": "what is due?"}]}]}
        (folder / "data" / "late_input.json").write_text(json.dumps(body))
        with store.open() as log:
            import_files(log, [folder], state=state, rejects_dir=rejects, again=True)
    with Engine.open(store.reader(), work=tmp_path / "work") as engine:
        after = list(engine.sql(asked).rows)
    assert before == [(True, None, 1)] * 2
    assert after == [(False, "what is due?", 2), (True, None, 2)]


# -- recorded ------------------------------------------------------------------------------------


def test_over_time_a_call_counts_once_at_its_best_record_and_fails_with_any(
    tmp_path: Path,
) -> None:
    hour = 3_600_000_000
    shared = {"response_id": "resp-0123456789ab"}
    span = made(**SPAN, span_id="a", error_type="timeout", **shared)
    gateway = made(format="litellm", grade="gateway", start_us=START_US + hour, **shared)
    alone = made(start_us=START_US + 3 * hour, error_type="refused")
    entries = [entry_of(span), entry_of(gateway), entry_of(alone), event_of("log.note", {})]
    with stored(tmp_path, *entries) as engine:
        explorer = Explorer(engine)
        everything = explorer.select(Filter(until_us=START_US + 4 * hour, since_us=START_US))
        before = explorer.histogram(everything, 4)
        assert (before.calls, before.counts, before.settled) == (None, [2, 1, 0, 1], False)
        explorer.find_calls()
        shown = explorer.histogram(everything, 4)
        assert groups(engine)[0] == (1, 0), "the gateway's record stands for both"
        assert (shown.records, shown.calls, shown.settled) == ([2, 1, 0, 1], [0, 1, 0, 1], True)
        assert shown.errors == [0, 1, 0, 1], "its span says that it failed"
        failed = explorer.histogram(explorer.select(Filter(errors_only=True)), 2)
        assert (failed.calls, failed.errors) == ([1, 1], [1, 1]), "of what is in sight"
        events = explorer.histogram(explorer.select(Filter(kind="log.note")), 1)
        assert (events.calls, events.counts) == (None, [1])


def test_only_what_may_be_of_a_call_makes_calls_be_told_apart_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [entry_of(made(response_id="resp-0123456789ab"))]
    reader = reader_of(entries, tmp_path / "evidence")
    asked: list[int] = []
    find = callviews.CallViews.find

    def counted(self: callviews.CallViews, cursor: Any, size: int) -> None:
        asked.append(size)
        find(self, cursor, size)

    monkeypatch.setattr(callviews.CallViews, "find", counted)
    with Engine.open(reader, work=tmp_path / "work") as engine:
        explorer = Explorer(engine)
        explorer.find_calls()
        for entry in (event_of("access.query", {}), entry_of(made(**SPAN, span_id="b"))):
            entries.append(entry)
            reader.size = len(entries)
            explorer.refresh()
            explorer.detail(0)
        assert asked == [1, 3], "reading is recorded, and that alone asks for nothing anew"
        assert not explorer.histogram(explorer.select(Filter()), 1).settled
        explorer.find_calls()
        found = explorer.histogram(explorer.select(Filter()), 1)
        assert (found.calls, found.settled) == ([2], True)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(_told, min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_calls_over_time_are_as_many_as_the_view_has(
    told: list[tuple[int, int, bool]], buckets: int
) -> None:
    entries = [
        entry_of(
            made(
                response_id=f"resp-0123456789a{call}",
                start_us=START_US + at * 1_000_000,
                error_type="refused" if failed else None,
            )
        )
        for call, at, failed in told
    ]
    with tempfile.TemporaryDirectory() as folder:
        reader = reader_of(entries, Path(folder) / "e")
        with Engine.open(reader, work=Path(folder) / "w") as engine:
            explorer = Explorer(engine)
            explorer.find_calls()
            shown = explorer.histogram(explorer.select(Filter()), buckets)
            assert sum(shown.counts) == one(engine, "SELECT count(*) FROM calls")
            assert sum(shown.errors) == one(engine, "SELECT count(error_type) FROM calls")
            assert sum(shown.records) == len(told)


def test_without_a_passphrase_only_records_are_counted(tmp_path: Path) -> None:
    entries = [entry_of(made(response_id="resp-0123456789ab")) for _ in range(2)]
    reader = reader_of(entries, tmp_path / "evidence", keys=None)
    with Engine.open(reader, work=tmp_path / "work") as engine:
        explorer = Explorer(engine)
        explorer.find_calls()
        shown = explorer.histogram(explorer.select(Filter()), 1)
        assert (shown.calls, shown.counts, shown.settled) == (None, [2], True)


def imported(shared_data: Path, tmp_path: Path, *names: str) -> Engine:
    store = TestStore(tmp_path)
    state = ImportState(tmp_path / "state", bytes(32))
    with store.create() as log:
        for name in names:
            import_files(
                log, [shared_data / "capture" / name], state=state, rejects_dir=tmp_path / "rejects"
            )
    state.close()
    return Engine.open(store.reader(), work=tmp_path / "work")


def test_recorded_calls_of_the_anthropic_client_are_seven(
    shared_data: Path, tmp_path: Path
) -> None:
    name = "otel-genai-anthropic-1.3b0-plus-native"
    with imported(shared_data, tmp_path, name) as engine:
        assert one(engine, "SELECT count(*) FROM interactions") == 21
        found = list(
            engine.sql(
                "SELECT captures, response_id IS NULL, capture_dialect, count(*) FROM calls "
                "GROUP BY ALL ORDER BY ALL"
            ).rows
        )
        assert found == [(3, False, "anthropic", 6), (3, True, "anthropic", 1)]


def test_recorded_calls_of_litellm_are_one_each(shared_data: Path, tmp_path: Path) -> None:
    payloads = [f"litellm-1.100.5/00{n}_litellm_generic_single.json" for n in (1, 4, 5, 6, 7)]
    names = [*payloads, "litellm-1.100.5/008_v1_traces.pb"]
    with imported(shared_data, tmp_path, *names) as engine:
        assert one(engine, "SELECT count(*) FROM interactions") == 8
        # Two spans and a payload of the first call; a failed one is known by its call id.
        assert one(engine, "SELECT count(*) FROM calls") == 5
        assert one(engine, "SELECT max(captures) FROM calls") == 3


def test_recorded_calls_of_traceloop_arrived_once_and_stay_single(
    shared_data: Path, tmp_path: Path
) -> None:
    name = "traceloop-openai-0.47.5-legacy/001_v1_traces.pb"
    with imported(shared_data, tmp_path, name) as engine:
        assert one(engine, "SELECT count(*) FROM interactions") == 13
        assert one(engine, "SELECT count(*) FROM calls") == 13
