"""What was stored before is known again: to imports of files that grew or were interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.captured import items_of
from support.otlp_made import log, span
from support.stores import TestStore, chat

from logstore.capture import recalling
from logstore.capture.importing import import_files
from logstore.capture.importreport import FileReport
from logstore.capture.importstate import ImportState
from logstore.capture.linking import Sighting, sighting_of
from logstore.capture.recalling import Recalling, newest, recent
from logstore.capture.records import to_record
from logstore.capture.registry import DECODERS
from logstore.formats.body import Body
from logstore.formats.record import LINKED, Receipt
from logstore.storage.bodies import SegmentBodies
from logstore.storage.lookback import newest_first
from logstore.storage.reader import LogReader

REPOSITORY = Path(__file__).parents[3]
KEY = bytes(range(32))
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
ROOT = "a" * 16


def call(trace: int, number: int = 1, **more: Any) -> dict[str, Any]:
    attributes = CHAT | {"gen_ai.response.id": f"t{trace}c{number}"} | more
    ids = {"traceId": f"{trace:032x}", "spanId": f"{number:016x}", "parentSpanId": ROOT}
    return span(attributes, **ids)


def root(trace: int, who: str = "maria") -> dict[str, Any]:
    return span({"enduser.id": who}, traceId=f"{trace:032x}", spanId=ROOT)


def add(path: Path, *rows: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def bring_in(store: TestStore, path: Path, *, seal: bool = False) -> FileReport:
    """Import a file as a process of its own would."""
    with (
        store.open() as log_,
        closing(ImportState(store.base / "state", KEY, Recalling(store.reader()))) as state,
    ):
        found = import_files(log_, [path], state=state, rejects_dir=store.base / "rejects")
        if seal:
            log_.seal()
    (report,) = found.files
    return report


def links(reader: LogReader) -> list[tuple[int, str]]:
    """(named record, person) of every link."""
    found = []
    for _, leaf, body in reader.contents(0, reader.size):
        if leaf.kind == LINKED:
            assert isinstance(body, Body)
            (who,) = body.subjects
            listed = leaf.clear["records"]
            assert isinstance(listed, list)
            found += [(index, who) for index in listed]
    return found


def calls(reader: LogReader) -> dict[str, int]:
    """Where calls stand, by their response ids."""
    return {
        str(DECODERS[body.format](body.raw).response_id): index
        for index, leaf, body in reader.contents(0, reader.size)
        if leaf.source.startswith("import/") and leaf.kind == "interaction"
        if isinstance(body, Body)
    }


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    made = TestStore(tmp_path)
    made.create().close()
    return made


# -- a file that grew --------------------------------------------------------------------------


@pytest.mark.parametrize("seal", [False, True])
def test_a_root_span_that_a_file_grew_by_names_the_calls_of_its_earlier_import(
    store: TestStore, tmp_path: Path, seal: bool
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, call(1), call(2), call(3), root(3, "zoe"))
    bring_in(store, path, seal=seal)
    with store.open() as other:
        other.append(chat("between the two", "bob"))
    add(path, root(1), root(2, "erin"))
    report = bring_in(store, path, seal=seal)
    assert (report.taken, report.note) == (2, "")
    reader = store.reader()
    at = calls(reader)
    assert sorted(links(reader)) == sorted(
        [(at["t1c1"], "maria"), (at["t2c1"], "erin"), (at["t3c1"], "zoe")]
    )
    started = [leaf for leaf in newest_first(reader, "import/") if leaf.kind == "import.started"]
    assert [leaf.clear for leaf in started] == [{"recalled": 4}, {}], "that it read is on record"
    size = reader.size
    bring_in(store, path)
    assert store.reader().size == size


def test_a_call_that_a_file_grew_by_is_given_to_whom_its_earlier_part_names(
    store: TestStore, tmp_path: Path
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, root(1), call(9, **{"gen_ai.conversation.id": "c7", "user.id": "zoe"}))
    bring_in(store, path)
    add(path, call(1), call(2, **{"gen_ai.conversation.id": "c7"}), call(3))
    bring_in(store, path)
    reader = store.reader()
    at = calls(reader)
    assert sorted(links(reader)) == sorted([(at["t1c1"], "maria"), (at["t2c1"], "zoe")])


def test_a_file_may_grow_again_and_again(store: TestStore, tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    for day in range(1, 5):
        add(path, call(day), call(day, 2), *[root(day - 1)] * (day > 1))
        bring_in(store, path, seal=day % 2 == 0)
    reader = store.reader()
    at = calls(reader)
    expected = [(at[f"t{day}c{number}"], "maria") for day in (1, 2, 3) for number in (1, 2)]
    assert sorted(links(reader)) == sorted(expected)


def test_a_file_that_grew_while_its_import_was_interrupted_is_linked_once(
    store: TestStore, tmp_path: Path
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, *(call(trace) for trace in range(1, 20)))
    bring_in(store, path)
    add(path, *(call(trace) for trace in range(20, 40)), *(root(trace) for trace in range(1, 5)))
    killed_import(store, path, links=3)
    add(path, *(root(trace) for trace in range(1, 40)))
    bring_in(store, path)
    reader = store.reader()
    at = calls(reader)
    assert sorted(links(reader)) == sorted((at[f"t{trace}c1"], "maria") for trace in range(1, 40))


def test_only_the_newest_records_of_a_file_are_read_back(
    store: TestStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, *(call(trace) for trace in range(1, 31)))
    bring_in(store, path, seal=True)
    add(path, *(root(trace) for trace in range(1, 31)))
    monkeypatch.setattr(recalling, "MAX_RECORDS", 10)
    bring_in(store, path)
    reader = store.reader()
    at = calls(reader)
    assert sorted(links(reader)) == sorted((at[f"t{trace}c1"], "maria") for trace in range(21, 31))


def test_a_destroyed_person_in_the_earlier_part_holds_nothing_up(
    store: TestStore, tmp_path: Path
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, root(1, "gone"), call(2))
    bring_in(store, path, seal=True)
    keys = store.keys()
    keys.destroy([entry.id for entry in keys.keys_of("gone")])
    keys.close()
    add(path, call(1), root(2))
    report = bring_in(store, path)
    assert (report.taken, report.note) == (2, "")
    reader = store.reader()
    assert links(reader) == [(calls(reader)["t2c1"], "maria")]


def test_a_damaged_segment_is_said_and_what_is_new_is_stored(
    store: TestStore, tmp_path: Path
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, call(1))
    bring_in(store, path, seal=True)
    for index in (store.path / "index").rglob("*.parquet"):
        index.chmod(0o644)
        index.write_bytes(b"something else")
    add(path, root(1))
    report = bring_in(store, path)
    assert report.taken == 1
    assert "can not be read back" in report.note


# -- an import that was interrupted ------------------------------------------------------------


def killed_import(store: TestStore, path: Path, *, links: int) -> None:
    """Import a file in a process that is killed once so many links are durable."""
    program = f"""
        import os, signal
        from pathlib import Path
        from logstore.capture.importing import import_files
        from logstore.capture.importstate import ImportState
        from logstore.capture.recalling import Recalling
        from logstore.formats.record import LINKED
        from support.stores import TestStore

        class Mortal:
            links = 0

            def append_many(self, records):
                kinds = []
                def noted():
                    for record in records:
                        kinds.append(record.kind)
                        yield record
                for outcome in log.append_many(noted(), group=1):
                    self.links += kinds.pop(0) == LINKED
                    if self.links == {links}:
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield outcome

        base = Path({str(store.base)!r})
        store = TestStore(base)
        log = store.open()
        state = ImportState(base / "state", bytes(range(32)), Recalling(store.reader()))
        import_files(Mortal(), [{str(path)!r}], state=state, rejects_dir=base / "rejects")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"},
        timeout=120,
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("links_before", [1, 7, 20])
def test_an_import_killed_while_it_links_and_done_again_names_each_record_once(
    store: TestStore, tmp_path: Path, links_before: int
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, *(call(trace, number) for trace in range(1, 21) for number in (1, 2)))
    add(path, *(root(trace) for trace in range(1, 21)))
    killed_import(store, path, links=links_before)
    before = links(store.reader())
    assert len(before) >= 2 * links_before
    bring_in(store, path, seal=True)
    reader = store.reader()
    counted = Counter(links(reader))
    assert counted == Counter((index, "maria") for index in calls(reader).values())
    assert len(counted) == 40


def test_killed_twice_and_sealed_in_between_it_still_names_each_record_once(
    store: TestStore, tmp_path: Path
) -> None:
    path = tmp_path / "spans.jsonl"
    add(path, *(call(trace) for trace in range(1, 21)), *(root(trace) for trace in range(1, 21)))
    for _ in range(2):
        killed_import(store, path, links=4)
        with store.open() as log_:
            log_.seal()
    bring_in(store, path)
    reader = store.reader()
    assert Counter(links(reader)) == Counter((at, "maria") for at in calls(reader).values())


# -- what is read back, and what is not --------------------------------------------------------


def test_what_is_read_back_is_what_was_seen(shared_data: Path, store: TestStore) -> None:
    taken: dict[int, Sighting] = {}
    with store.open() as log_:
        for path in sorted((shared_data / "capture").rglob("*")):
            for item in items_of(path) if path.is_file() else ():
                found = DECODERS[item.format](item.raw)
                record = to_record(item, found, source="live/app", by="test", seq=None)
                receipt = log_.append_batch([record])[0]
                if isinstance(receipt, Receipt):
                    taken[receipt.index] = sighting_of(found, record, item.context)
        log_.seal()
    assert len(taken) > 50
    assert any(sighting.trace and sighting.person for sighting in taken.values())
    reader = store.reader()
    earlier = recent(reader, "live/", 0, reader.size)
    assert {index: sighting for sighting, index in earlier} == taken
    assert earlier.unreadable == 0


@pytest.fixture
def mixed(store: TestStore) -> TestStore:
    """Three hundred records of an endpoint among others, sealed twice, with an unsealed rest."""
    with store.open() as log_:
        for part in range(3):
            made = []
            for number in range(100):
                person = chat(f"import {part} {number}", "somebody else")
                made += [person, live(f"{part}-{number}", "live/app")]
            log_.append_batch(made)
            if part < 2:
                log_.seal()
    return store


def live(name: str, source: str) -> Any:
    (item,) = items_made(name)
    return to_record(item, DECODERS[item.format](item.raw), source=source, by="test", seq=None)


def items_made(name: str) -> Iterator[Any]:
    from logstore.capture.decoders.otlp_identity import TraceIdentities
    from logstore.capture.decoders.otlp_split import split_json

    request = log(CHAT | {"gen_ai.response.id": name}, name="gen_ai.client.operation")
    yield from split_json(json.dumps(request).encode(), TraceIdentities())


def test_the_newest_come_first_and_of_their_sources_only(mixed: TestStore) -> None:
    reader = mixed.reader()
    found = list(newest_first(reader, "live/"))
    assert len(found) == 300
    assert {leaf.source for leaf in found} == {"live/app"}
    assert [leaf.index for leaf in found] == sorted((leaf.index for leaf in found), reverse=True)
    assert list(newest_first(reader, "live/other")) == []
    later = found[100].recorded_us + 1
    assert [leaf for leaf in newest_first(reader, "live/", later) if leaf.recorded_us >= later] == [
        leaf for leaf in found if leaf.recorded_us >= later
    ]


def test_no_more_is_read_back_than_the_bounds_say(
    mixed: TestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = mixed.reader()
    whole = recent(reader, "live/", 0, reader.size)
    assert (len(whole.leaves), len(list(whole))) == (300, 300)
    monkeypatch.setattr(recalling, "MAX_RECORDS", 150)
    half = recent(reader, "live/", 0, reader.size)
    assert half.leaves == whole.leaves[150:]
    size = sum(leaf.body.len for leaf in whole.leaves[-20:] if leaf.body is not None)
    monkeypatch.setattr(recalling, "MAX_BYTES", size)
    assert recent(reader, "live/", 0, reader.size).leaves == whole.leaves[-20:]
    moment = whole.leaves[-1].recorded_us
    late = recent(reader, "live/", moment, reader.size).leaves
    assert late == [leaf for leaf in whole.leaves[-20:] if leaf.recorded_us >= moment]
    assert recent(reader, "live/", moment + 1, reader.size).leaves == []
    before = whole.leaves[-1].index
    assert recent(reader, "live/", 0, before).leaves[-1] == whole.leaves[-2]


def test_nobody_elses_content_is_decrypted_in_sealed_segments(
    mixed: TestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    read = SegmentBodies._open

    def noted(*args: Any) -> Iterator[Any]:
        for index, body in read(*args):
            opened.append(index)
            yield index, body

    monkeypatch.setattr(SegmentBodies, "_open", noted)
    reader = mixed.reader()
    sealed = [leaf for leaf in newest_first(reader, "live/") if leaf.index < reader.sealed]
    assert len(list(newest(sealed, reader))) == 200
    assert sorted(opened) == sorted(leaf.index for leaf in sealed)
