"""The endpoint is restarted while calls still wait for the span that says who asked."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.inside import Inside, inside
from support.otlp_made import span
from support.serving import Serving, new_store, serving
from support.stores import TestStore

from logstore.capture import recalling
from logstore.errors import KeyUnavailable
from logstore.formats.body import Body
from logstore.formats.record import INTERACTION, LINKED
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.receiving import attributing
from logstore.receiving.eventlog import EventLog
from logstore.receiving.heartbeats import RECALLED, Heartbeats
from logstore.receiving.recall import Reading, Recall
from logstore.storage.reader import LogReader

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
ROOT = "a" * 16
JSON = {"content-type": "application/json"}


def call(trace: int, number: int = 1, **more: str) -> dict[str, Any]:
    ids = {"traceId": f"{trace:032x}", "spanId": f"{number:016x}", "parentSpanId": ROOT}
    return span(CHAT | {"gen_ai.response.id": f"t{trace}c{number}"} | more, **ids)


def root(trace: int, who: str = "maria") -> dict[str, Any]:
    return span({"enduser.id": who}, traceId=f"{trace:032x}", spanId=ROOT)


def post(running: Serving, *requests: dict[str, Any]) -> None:
    with running.client as client:
        for request in requests:
            answer = client.post("/v1/traces", json=request)
            assert answer.status_code == 200, answer.text


def heard(running: Serving, event: str) -> dict[str, object]:
    """What the event log says, which it may say only in a moment."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := running.events(event):
            return found[0]
        time.sleep(0.02)
    raise AssertionError("\n".join([f"no {event}:", *running.said]))


def who_asked(running: Serving) -> dict[object, object]:
    rows = running.sql("SELECT response_id AS call, user_id AS who FROM interactions ORDER BY 1")
    return {row["call"]: row["who"] for row in rows}


# -- the real endpoint -------------------------------------------------------------------------


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("sealed", [False, True])
def test_a_root_span_that_arrives_after_a_restart_names_the_calls_before_it(
    tmp_path: Path, end: int, sealed: bool
) -> None:
    store = new_store(tmp_path)
    with serving(store, *(["--seal-age", "1"] if sealed else [])) as running:
        post(running, call(1), call(2), call(2, 2), root(3, "zoe"), call(4))
        post(running, call(5, **{"gen_ai.conversation.id": "c5", "user.id": "bob"}))
        if sealed:
            heard(running, "sealed")
        running.stop(end)
    with serving(store) as running:
        assert heard(running, "recalled")["records"] == 6
        post(running, root(1), root(2, "erin"), call(3))
        post(running, call(6, **{"gen_ai.conversation.id": "c5"}))
        assert who_asked(running) == {
            "t1c1": "maria", "t2c1": "erin", "t2c2": "erin", "t3c1": "zoe", "t4c1": None,
            "t5c1": "bob", "t6c1": "bob",
        }  # fmt: skip
        assert running.stop() == 0
        checked = running.verify()
    assert checked.returncode == 0, checked.stdout
    with serving(store) as running:
        assert heard(running, "recalled")["records"] == 10
        post(running, root(4))
        assert who_asked(running)["t4c1"] == "maria"


# -- inside the test's own process -------------------------------------------------------------


def recall(running: Inside, reading: Callable[[], LogReader] | None = None) -> Recall:
    usual = Reading(running.endpoint.writer, running.store.path)
    events = EventLog(running.said.append)
    return Recall(running.endpoint, Heartbeats("test"), events, reading or usual)


async def send(running: Inside, *requests: dict[str, Any]) -> None:
    for request in requests:
        answer = await running.client.post("/v1/traces", content=json.dumps(request), headers=JSON)
        assert answer.status_code == 200, answer.text


def attributed(store: TestStore) -> list[tuple[str, str]]:
    """(response id, person) by links, one for each time that a link says so."""
    reader = store.reader()
    names: dict[int, str] = {}
    found = []
    for index, leaf, body in reader.contents(0, reader.size):
        if not isinstance(body, Body):
            continue
        if leaf.kind == INTERACTION:
            names[index] = str(name_of(body))
        if leaf.kind == LINKED:
            listed = leaf.clear["records"]
            assert isinstance(listed, list)
            found += [(names[at], who) for at in listed for who in body.subjects]
    return sorted(found)


def name_of(body: Body) -> object:
    from logstore.capture.registry import decode

    return decode(body.raw, body.format).response_id


async def before(base: Path, *requests: dict[str, Any]) -> None:
    """What an endpoint before took."""
    async with inside(base) as running:
        await send(running, *requests)


async def test_reading_back_keeps_nobody_waiting_and_nothing_out_of_order(tmp_path: Path) -> None:
    talk = {"gen_ai.conversation.id": "c7"}
    await before(tmp_path, call(1), call(2, **talk, **{"user.id": "bob"}))
    async with inside(tmp_path) as running:
        go_on = threading.Event()

        def slow() -> LogReader:
            assert go_on.wait(30)
            return running.store.reader()

        task = asyncio.create_task(recall(running, slow).run())
        await send(running, root(1))
        await send(running, call(3, **talk), call(4, **talk, **{"user.id": "maria"}))
        await send(running, call(5), root(5, "erin"))
        assert attributed(running.store) == [], "it is answered, and linked once all is known"
        go_on.set()
        await task
        assert attributed(running.store) == [("t1c1", "maria"), ("t5c1", "erin")]
        await send(running, call(6), root(6, "zoe"))
        assert ("t6c1", "zoe") in attributed(running.store)
        assert not any("t3c1" in pair for pair in attributed(running.store)), "bob's or maria's?"
        assert running.events("linked")[0]["records"] == 2


async def test_who_sends_very_much_meanwhile_is_linked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributing, "MAX_KEPT", 5)
    await before(tmp_path, call(1))
    async with inside(tmp_path) as running:
        go_on = threading.Event()

        def slow() -> LogReader:
            assert go_on.wait(30)
            return running.store.reader()

        task = asyncio.create_task(recall(running, slow).run())
        await send(running, *(call(trace) for trace in range(2, 7)), root(2), root(1))
        assert attributed(running.store) == [("t2c1", "maria")]
        go_on.set()
        await task
        assert attributed(running.store) == [("t1c1", "maria"), ("t2c1", "maria")]


async def test_what_was_stored_and_not_linked_before_a_kill_is_linked_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        """The process ends here, with the span on disk and its links not."""

    with monkeypatch.context() as patched:
        patched.setattr(attributing.Attribution, "saw", killed)
        await before(tmp_path, *(call(trace) for trace in (1, 2, 3)), root(1), root(2))
    async with inside(tmp_path) as running:
        await recall(running).run()
        assert attributed(running.store) == [("t1c1", "maria"), ("t2c1", "maria")]
    async with inside(tmp_path) as running:
        await recall(running).run()
        await send(running, root(3))
    expected = Counter((f"t{trace}c1", "maria") for trace in (1, 2, 3))
    assert Counter(attributed(TestStore(tmp_path))) == expected


async def test_a_conversation_of_two_people_is_not_ones_because_the_other_lies_farther_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = {"gen_ai.conversation.id": "c7"}
    named = [call(trace, **talk, **{"user.id": who}) for trace, who in ((1, "bob"), (2, "maria"))]
    await before(tmp_path, *named, call(3, **talk))
    monkeypatch.setattr(recalling, "MAX_RECORDS", 2)
    async with inside(tmp_path) as running:
        await recall(running).run()
        await send(running, call(4, **talk), call(5, **talk, **{"user.id": "maria"}))
        assert running.events("recalled")[0]["records"] == 2
        assert attributed(running.store) == []


async def test_that_records_are_read_back_is_on_record(tmp_path: Path) -> None:
    async with inside(tmp_path) as running:
        await recall(running).run()
        assert recalled_of(running) == [], "there was nothing to read"
        await send(running, call(1), call(2))
    async with inside(tmp_path) as running:
        await recall(running).run()
        assert recalled_of(running) == [{"records": 2}]


def recalled_of(running: Inside) -> list[dict[str, object]]:
    reader = running.store.reader(locked=True)
    leaves = reader.table(0, reader.size).to_pylist()
    return [json.loads(row["leaf"])["clear"] for row in leaves if row["kind"] == RECALLED]


# -- what stands against it --------------------------------------------------------------------


async def test_what_is_under_a_destroyed_key_is_left_out_and_counted(tmp_path: Path) -> None:
    await before(tmp_path, root(1, "gone"), call(2), call(3, **{"user.id": "gone"}))
    with closing(TestStore(tmp_path).keys()) as keys:
        keys.destroy([entry.id for entry in keys.keys_of("gone")])
    async with inside(tmp_path) as running:
        await recall(running).run()
        (said,) = running.events("recalled")
        assert (said["records"], said["unreadable"]) == (1, 2)
        await send(running, call(1), root(2))
        assert attributed(running.store) == [("t2c1", "maria")]


async def test_keys_that_open_nothing_of_it_stop_nobody(tmp_path: Path) -> None:
    await before(tmp_path, call(1))
    with TestStore(tmp_path).open() as log_:
        log_.seal()
    async with inside(tmp_path) as running:
        others = KeyStore.create(tmp_path / "others", NoHolder(), origin="logs.example.com/others")

        def strange() -> LogReader:
            return LogReader.open(running.store.path, policy=running.store.policy(), keys=others)

        await recall(running, strange).run()
        (said,) = running.events("recalled")
        assert (said["records"], said["unreadable"]) == (0, 1)
        await send(running, call(2), root(2))
        assert attributed(running.store) == [("t2c1", "maria")]


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (KeyUnavailable("the slot is gone"), "not-recalled"),
        (OSError(5, "Input/output error"), "fault"),
        (RuntimeError("maria.keller@example.com"), "fault"),
    ],
)
async def test_a_log_that_can_not_be_read_back_is_said_and_records_are_taken(
    tmp_path: Path, error: Exception, event: str
) -> None:
    def fails() -> LogReader:
        raise error

    async with inside(tmp_path) as running:
        made = recall(running, fails)
        await send(running, call(1), root(1))
        assert attributed(running.store) == []
        await made.run()
        assert len(running.events(event)) == 1
        assert "keller" not in str(running.said)
        assert attributed(running.store) == [("t1c1", "maria")], "what waited is linked"
        await send(running, call(2), root(2))
        assert ("t2c1", "maria") in attributed(running.store)


async def test_a_damaged_segment_is_said_and_records_are_taken(tmp_path: Path) -> None:
    await before(tmp_path, call(1))
    store = TestStore(tmp_path)
    with store.open() as log_:
        log_.seal()
    async with inside(tmp_path) as running:
        for index in (store.path / "index").rglob("*.parquet"):
            index.chmod(0o644)
            index.write_bytes(b"something else")
        await recall(running).run()
        assert "is not the file that was sealed" in str(running.events("not-recalled")[0]["what"])
        await send(running, call(2), root(2))
        assert running.faults == 0


def test_an_endpoint_ends_well_while_it_reads_back(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with serving(store) as running, httpx.Client(base_url=running.url, trust_env=False) as client:
        for first in range(0, 3_000, 500):
            rows = [call(trace)["resourceSpans"][0] for trace in range(first, first + 500)]
            assert client.post("/v1/traces", json={"resourceSpans": rows}).status_code == 200
        client.close()
        assert running.stop() == 0
    with serving(store) as running:
        assert running.stop() == 0
        assert not running.events("fault")
        assert running.verify().returncode == 0


async def test_an_endpoint_that_stops_links_nothing_by_half_of_what_was(tmp_path: Path) -> None:
    await before(tmp_path, *(call(trace) for trace in range(1, 40)))
    async with inside(tmp_path) as running:
        made = recall(running)
        await send(running, root(1))
        running.endpoint.draining = True
        await made.run()
        assert running.events("not-recalled")[0]["what"] == "the endpoint is stopping"
    assert attributed(TestStore(tmp_path)) == []
    async with inside(tmp_path) as running:
        await recall(running).run()
        assert attributed(running.store) == [("t1c1", "maria")], "the next one does"
