"""Whom a stored record concerns, when that is only known after it was stored."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_log import MemoryLog
from support.otlp_made import log, span
from support.stores import TestStore

from logstore.capture import decodepool, linking
from logstore.capture.decoders.otlp_identity import TraceIdentities
from logstore.capture.decoders.otlp_split import split_json
from logstore.capture.importing import import_files
from logstore.capture.importstate import ImportState
from logstore.capture.interaction import Interaction
from logstore.capture.items import Item
from logstore.capture.linking import Linker, Sighting, sighting_of
from logstore.capture.records import to_record
from logstore.capture.registry import DECODERS
from logstore.errors import NotDurable
from logstore.formats import body as bodies
from logstore.formats.record import LINKED, Receipt, Record
from logstore.query.engine import Engine
from logstore.query.explorer import Explorer
from logstore.query.filters import Filter
from logstore.storage.log import Log

ROOT, MIDDLE, CALL, OTHER = ("a" * 16, "b" * 16, "c" * 16, "d" * 16)
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
Arrived = tuple[Record, Sighting]


class Receiver:
    """Takes requests one by one, as the endpoint does."""

    def __init__(self, source: str = "live/app") -> None:
        self.source = source
        self.identities = TraceIdentities()

    def take(self, *requests: dict[str, Any]) -> list[Arrived]:
        return [
            self._made(piece)
            for request in requests
            for piece in split_json(json.dumps(request).encode(), self.identities)
            if isinstance(piece, Item)
        ]

    def _made(self, item: Item) -> Arrived:
        found: Interaction = DECODERS[item.format](item.raw)
        record = to_record(item, found, source=self.source, by="test", seq=None)
        return record, sighting_of(found, record, item.context)


def request(span_id: str, parent: str = "", **attributes: Any) -> dict[str, Any]:
    return span(attributes, spanId=span_id, parentSpanId=parent, name="made")


def call(span_id: str = CALL, parent: str = ROOT, **attributes: Any) -> dict[str, Any]:
    return request(span_id, parent, **CHAT, **attributes)


def watched(
    linker: Linker, arrived: list[Arrived], first: int
) -> list[tuple[list[int], list[str]]]:
    """(earlier records, people) of each link that a request brings about."""
    seen = [(sighting, first + at) for at, (_, sighting) in enumerate(arrived)]
    return [said(record) for record in linker.stored(seen)]


def said(record: Record) -> tuple[list[int], list[str]]:
    assert record.kind == LINKED
    assert record.content is not None
    content = bodies.parse(record.content)
    assert tuple(content.subjects) == record.subjects
    assert not any(who in json.dumps(dict(record.clear)) for who in content.subjects)
    indexes = record.clear["records"]
    assert isinstance(indexes, list)
    return indexes, content.subjects


def test_the_root_span_that_arrives_last_names_the_calls_below_it() -> None:
    receiver, linker = Receiver(), Linker()
    assert watched(linker, receiver.take(call(CALL, MIDDLE)), 10) == []
    assert watched(linker, receiver.take(request(MIDDLE, ROOT)), 11) == []
    root = request(ROOT, **{"enduser.id": "maria", "session.id": "s1"})
    assert watched(linker, receiver.take(root), 12) == [([10, 11], ["maria"])]
    assert watched(linker, receiver.take(call(OTHER, ROOT)), 13) == [], "it was joined at capture"


def test_a_log_line_of_a_call_follows_its_span() -> None:
    receiver, linker = Receiver(), Linker()
    event = log(CHAT, name="gen_ai.client.inference.operation.details", spanId=CALL)
    watched(linker, receiver.take(event), 0)
    watched(linker, receiver.take(call(CALL, MIDDLE)), 1)
    found = watched(linker, receiver.take(request(MIDDLE, ROOT, **{"user.id": "maria"})), 2)
    assert found == [([0, 1], ["maria"])]


def test_siblings_and_other_sources_attribute_nothing() -> None:
    app, gateway, linker = Receiver("live/app"), Receiver("live/gateway"), Linker()
    watched(linker, app.take(call(CALL, ROOT)), 0)
    assert watched(linker, app.take(request(OTHER, ROOT, **{"user.id": "bob"})), 1) == []
    assert watched(linker, gateway.take(request(ROOT, **{"user.id": "mallory"})), 2) == []


def test_a_record_that_names_somebody_is_not_given_to_somebody_else() -> None:
    receiver, linker = Receiver(), Linker()
    watched(linker, receiver.take(call(CALL, ROOT, **{"user.id": "erin"})), 0)
    assert watched(linker, receiver.take(request(ROOT, **{"user.id": "maria"})), 1) == []


def test_a_conversation_names_its_earlier_and_later_calls() -> None:
    receiver, linker = Receiver(), Linker()
    talk = {"gen_ai.conversation.id": "c7"}
    watched(linker, receiver.take(span(CHAT | talk, traceId="1" * 32, spanId=CALL)), 0)
    known = span(CHAT | talk | {"user.id": "maria"}, traceId="2" * 32, spanId=CALL)
    assert watched(linker, receiver.take(known), 1) == [([0], ["maria"])]
    later = span(CHAT | talk, traceId="3" * 32, spanId=CALL)
    assert watched(linker, receiver.take(later), 2) == [([2], ["maria"])]


def test_a_conversation_of_two_people_names_nobody() -> None:
    receiver, linker = Receiver(), Linker()
    for at, who in enumerate(("maria", "bob")):
        told = CHAT | {"gen_ai.conversation.id": "c7", "user.id": who}
        watched(linker, receiver.take(span(told, traceId=f"{at + 1:032x}")), at)
    unknown = span(CHAT | {"gen_ai.conversation.id": "c7"}, traceId="3" * 32)
    assert watched(linker, receiver.take(unknown), 2) == []


def test_a_conversation_of_two_people_is_not_forgotten_while_they_talk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linking, "MAX_CONVERSATIONS", 3)
    receiver, linker = Receiver(), Linker()
    talks = [("c7", "maria"), ("c7", "bob")]
    for other in range(6):
        talks += [(f"other-{other}", "zoe"), ("c7", "bob")]
    for at, (talk, who) in enumerate(talks):
        told = CHAT | {"gen_ai.conversation.id": talk, "user.id": who}
        watched(linker, receiver.take(span(told, traceId=f"{at + 1:032x}")), at)
    unknown = span(CHAT | {"gen_ai.conversation.id": "c7"}, traceId="f" * 32)
    assert watched(linker, receiver.take(unknown), len(talks)) == []


def test_what_waits_is_bounded_and_the_oldest_is_forgotten() -> None:
    receiver, linker = Receiver(), Linker(most=100)
    for at in range(300):
        trace = f"{at + 1:032x}"
        watched(linker, receiver.take(span(CHAT, traceId=trace, parentSpanId=ROOT)), at)
    for at, expected in ((0, []), (299, [([299], ["maria"])])):
        root = span({"user.id": "maria"}, traceId=f"{at + 1:032x}", spanId=ROOT)
        assert watched(linker, receiver.take(root), 300 + at) == expected


def test_many_calls_of_one_trace_become_links_of_at_most_a_thousand() -> None:
    receiver, linker = Receiver(), Linker()
    arrived = receiver.take(*(call(f"{at + 16:016x}", ROOT) for at in range(1_500)))
    watched(linker, arrived, 0)
    found = watched(linker, receiver.take(request(ROOT, **{"user.id": "maria"})), 1_500)
    assert [len(indexes) for indexes, _ in found] == [1_000, 500]


@given(st.randoms(use_true_random=False))
def test_in_whatever_order_spans_arrive_each_is_somebodys_once(rng: random.Random) -> None:
    names = {ROOT: "", MIDDLE: ROOT, CALL: MIDDLE, OTHER: ROOT}
    requests = [
        request(name, parent, **({"user.id": "maria"} if name == ROOT else CHAT))
        for name, parent in names.items()
    ]
    rng.shuffle(requests)
    receiver, linker = Receiver(), Linker()
    attributed: list[int] = []
    named: list[int] = []
    for at, each in enumerate(requests):
        ((record, sighting),) = receiver.take(each)
        if record.subjects:
            named.append(at)
        for link in linker.stored([(sighting, at)]):
            attributed += said(link)[0]
    assert sorted(attributed + named) == [0, 1, 2, 3]


# -- on a real log -----------------------------------------------------------------------------


def store_request(log_: Log, linker: Linker, arrived: list[Arrived]) -> None:
    outcomes = log_.append_batch([record for record, _ in arrived])
    seen = [
        (sighting, outcome.index)
        for (_, sighting), outcome in zip(arrived, outcomes, strict=True)
        if isinstance(outcome, Receipt)
    ]
    links = linker.stored(seen)
    if links:
        log_.append_batch(links)


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    made = TestStore(tmp_path)
    receiver, linker = Receiver(), Linker()
    answer = {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hm"}]}]'}
    with made.create() as log_:
        store_request(log_, linker, receiver.take(call(CALL, ROOT, **answer)))
        stranger = span(CHAT, traceId="9" * 32, spanId=OTHER)
        store_request(log_, linker, receiver.take(stranger))
        root = request(ROOT, **{"enduser.id": "maria", "session.id": "s1"})
        store_request(log_, linker, receiver.take(root))
        log_.seal()
    return made


def test_a_link_is_honoured_by_views_filters_rows_and_counts(
    store: TestStore, tmp_path: Path
) -> None:
    with Engine.open(store.reader(), work=tmp_path / "work") as engine:
        explorer = Explorer(engine)
        people = "SELECT user_id, interactions, sessions FROM users ORDER BY 1 NULLS LAST"
        assert list(engine.sql(people).rows) == [("maria", 1, 1)]
        assert list(engine.sql("SELECT session_id, interactions FROM sessions").rows) == [("s1", 1)]
        wanted = Filter(user="maria", kind="interaction")
        found = explorer.select(wanted)
        assert found.count == 1
        (row,) = explorer.rows(found, 0, 1)
        assert (row.user, row.session) == ("maria", "s1")
        assert explorer.select(Filter(user="mar*", text="hm")).count == 1
        assert explorer.select(Filter(session="s1", kind="interaction")).count == 1
        asked = engine.sql("SELECT user_id FROM messages")
        assert list(asked.rows) == [("maria",)]
        spread = engine.sql("SELECT count(*) FROM interactions WHERE user_id IS NULL")
        assert list(spread.rows) == [(1,)]


def test_a_link_that_comes_while_one_looks_counts_from_then_on(tmp_path: Path) -> None:
    made = TestStore(tmp_path)
    receiver, linker = Receiver(), Linker()
    with made.create() as log_:
        store_request(log_, linker, receiver.take(call(CALL, ROOT)))
        with Engine.open(made.reader(), work=tmp_path / "work") as engine:
            explorer = Explorer(engine)
            assert explorer.select(Filter(user="maria")).count == 0
            store_request(log_, linker, receiver.take(request(ROOT, **{"user.id": "maria"})))
            engine.refresh()
            assert explorer.select(Filter(user="maria", kind="interaction")).count == 1
            assert list(engine.sql("SELECT interactions FROM users").rows) == [(1,)]


def test_a_destroyed_persons_link_says_nothing_any_more(store: TestStore, tmp_path: Path) -> None:
    reader = store.reader()
    assert reader.keys is not None
    with Engine.open(reader, work=tmp_path / "work") as engine:
        reader.keys.destroy([entry.id for entry in reader.keys.keys_of("maria")])
        reader.refresh()
        ((moment,),) = engine.sql("SELECT max(recorded) FROM interactions").rows
        engine.rebuild(f"{moment:%Y-%m}")
        assert Explorer(engine).select(Filter(user="maria")).count == 0
        found = engine.sql("SELECT count(*) FROM interactions WHERE user_id = 'maria'")
        assert list(found.rows) == [(0,)]


CALLS = 2500


def late_root(path: Path) -> Path:
    """Calls of one trace, each with a body, before the span that says who asked."""
    rows = [call(f"{at:016x}", ROOT, note="x" * 400) for at in range(CALLS)]
    rows.append(request(ROOT, **{"enduser.id": "maria"}))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def bring_in(log_: MemoryLog, path: Path) -> None:
    home = path.parent
    with closing(ImportState(home / "state", bytes(32), log_)) as state:
        import_files(log_, [path], state=state, rejects_dir=home / "rejects")


def linked_of(log_: MemoryLog) -> set[int]:
    """Whose calls they are by links, which name nobody but maria."""
    found = [said(record) for record in log_.of_kind(LINKED)]
    assert all(people == ["maria"] for _, people in found)
    return {index for indexes, _ in found for index in indexes}


def calls_of(log_: MemoryLog) -> set[int]:
    return {at for at, record in enumerate(log_.records) if record.kind == "interaction"}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_root_span_at_the_end_of_a_file_names_the_calls_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(linking, "MAX_WAITING_HERE", CALLS)
    if workers:
        monkeypatch.setattr(decodepool, "worker_count", lambda: workers)
        monkeypatch.setattr(decodepool._Workers, "__init__", ready(decodepool._Workers.__init__))
    else:
        monkeypatch.setattr(decodepool, "worker_count", lambda: 0)
    log_, path = MemoryLog(), late_root(tmp_path / "spans.jsonl")
    bring_in(log_, path)
    assert linked_of(log_) == calls_of(log_)
    assert len(calls_of(log_)) == CALLS
    assert [r.seq for r in log_.records if r.kind != LINKED] == list(range(CALLS + 3))
    assert all(record.seq is None for record in log_.of_kind(LINKED))
    count = len(log_.records)
    bring_in(log_, path)
    assert len(log_.records) == count, "imported again it adds nothing, no link either"


def ready(start: Callable[..., None]) -> Callable[..., None]:
    """Workers that are waited for, and that answer something."""

    def started(self: decodepool._Workers, count: int) -> None:
        start(self, count)
        for _ in range(3000):
            if self.ready == count:
                return
            time.sleep(0.01)
        pytest.fail("no workers within 30 seconds")

    return started


@pytest.mark.parametrize("crash", [1, 700, CALLS + 2, CALLS + 3])
def test_an_interrupted_import_names_what_was_durable_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: int
) -> None:
    monkeypatch.setattr(linking, "MAX_WAITING_HERE", CALLS)
    log_, path = MemoryLog(), late_root(tmp_path / "spans.jsonl")
    log_.break_after = crash
    with pytest.raises(NotDurable):
        bring_in(log_, path)
    log_.break_after = None
    log_.records += [Record("other", "somebody else")] * 3
    bring_in(log_, path)
    assert linked_of(log_) == calls_of(log_)
    assert [r.seq for r in log_.records if r.source.startswith("import/") and r.kind != LINKED] == [
        *range(CALLS + 3)
    ]
