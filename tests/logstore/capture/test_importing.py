"""Files are imported exactly once, whatever happens in between."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.memory_log import MemoryLog

from logstore.capture import importing
from logstore.capture.importing import import_files
from logstore.capture.importreport import ImportReport
from logstore.capture.importstate import ImportState
from logstore.errors import KeyUnavailable, NotDurable, NotFound, TamperingFound, UsageError

KEY = bytes(range(32))


def line(number: int, user: str = "u") -> bytes:
    subject = {"id": user, "field": "user", "assurance": "sdk"}
    row = {"aircon": 1, "response_id": f"r{number}", "subjects": [subject]}
    return json.dumps(row).encode() + b"\n"


class Desk:
    """A log, a journal and a folder of rejects, as one installation has them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = MemoryLog()
        self.progress: list[tuple[int, int | None, int]] = []
        self.open()

    def open(self) -> None:
        self.state = ImportState(self.home / "state", KEY, self.log)

    def run(self, *paths: Path | str, again: bool = False) -> ImportReport:
        return import_files(
            self.log,
            paths,
            state=self.state,
            rejects_dir=self.home / "rejects",
            on_progress=lambda *at: self.progress.append(at),
            again=again,
        )

    def restart(self) -> None:
        self.state.close()
        self.log.break_after = None
        self.open()

    def response_ids(self) -> list[str]:
        return [json.loads(body.raw)["response_id"] for body in self.log.bodies()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path / "desk")
    yield found
    found.state.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b"".join(map(line, range(100))))
    return path


def ids(*numbers: int) -> list[str]:
    return [f"r{number}" for number in numbers]


def test_three_bad_lines_among_a_hundred_leave_ninety_seven(desk: Desk, source: Path) -> None:
    lines = source.read_bytes().splitlines(keepends=True)
    lines[0], lines[41], lines[99] = b"{oops\n", b"\xff\xfe\n", b'{"aircon":1,"nonsense":1}\n'
    source.write_bytes(b"".join(lines))
    (report,) = desk.run(source).files
    assert (report.taken, report.rejected) == (97, 3)
    assert [(r.where, r.reason) for r in report.refused] == [
        ("line 1", "not-json"), ("line 42", "not-json"), ("line 100", "not-aircon"),
    ]  # fmt: skip
    assert desk.response_ids() == ids(*range(1, 41), *range(42, 99))
    assert [body.raw for body in desk.log.bodies("import.rejected")] == [
        lines[0].strip(), lines[41].strip(), lines[99].strip(),
    ]  # fmt: skip


def test_the_listing_of_rejects_is_private_and_holds_no_content(desk: Desk, source: Path) -> None:
    source.write_bytes(source.read_bytes() + b"maria.keller@example.com\n")
    (report,) = desk.run(source).files
    assert report.rejects is not None
    assert stat.S_IMODE(report.rejects.stat().st_mode) == 0o600
    listed = [json.loads(row) for row in report.rejects.read_bytes().splitlines()]
    assert listed == [["file", str(source)], ["line 101", "not-json"]]


def test_a_source_is_numbered_without_a_hole(desk: Desk, source: Path) -> None:
    desk.run(source)
    assert [record.seq for record in desk.log.records] == list(range(102))
    assert [desk.log.records[at].kind for at in (0, 1, 100, 101)] == [
        "import.started", "interaction", "interaction", "import.finished",
    ]  # fmt: skip
    (token,) = {record.source for record in desk.log.records}
    assert token.startswith("import/")
    assert len(token) == len("import/") + 12
    finished = desk.log.records[-1].clear
    assert finished == {"taken": 100, "rejected": 0, "formats": ["aircon"]}
    assert "calls.jsonl" not in str([record.clear for record in desk.log.records])
    assert desk.log.bodies("import.started")[0].note["file"] == str(source)


def test_the_log_is_asked_for_its_last_number_only_to_resume(
    desk: Desk, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    last_seq = desk.log.last_seq
    monkeypatch.setattr(desk.log, "last_seq", lambda token: asked.append(token) or last_seq(token))
    desk.run(source)
    with source.open("ab") as file:
        file.write(line(100))
    desk.log.break_after = len(desk.log.records) + 1
    with pytest.raises(NotDurable):
        desk.run(source)
    assert asked == []
    desk.log.break_after = None
    desk.run(source)
    assert len(asked) == 1
    assert desk.response_ids() == ids(*range(101))


def test_importing_again_adds_nothing_even_under_another_name(
    desk: Desk, source: Path, tmp_path: Path
) -> None:
    desk.run(source)
    size = len(desk.log.records)
    copy = tmp_path / "copy.log"
    copy.write_bytes(source.read_bytes())
    desk.restart()
    report = desk.run(source, copy)
    assert [file.status for file in report.files] == ["known", "known"]
    assert report.taken == 0
    assert len(desk.log.records) == size


def test_again_imports_once_more_under_a_new_source(desk: Desk, source: Path) -> None:
    first = desk.run(source).files[0].source
    second = desk.run(source, again=True).files[0]
    assert second.taken == 100
    assert second.source != first
    assert desk.run(source).files[0].status == "known"


def test_a_grown_file_adds_only_what_is_new(desk: Desk, source: Path) -> None:
    first = desk.run(source).files[0].source
    with source.open("ab") as file:
        file.write(line(100) + b"broken\n" + line(101))
    (report,) = desk.run(source).files
    assert (report.taken, report.rejected) == (2, 1)
    assert report.refused[0].where == "line 102"
    assert report.source == first
    assert desk.response_ids() == ids(*range(102))
    assert [record.seq for record in desk.log.records] == list(range(len(desk.log.records)))
    assert desk.run(source).files[0].status == "known"


def test_a_half_written_last_line_is_taken_when_it_is_whole(desk: Desk, source: Path) -> None:
    whole = line(100)
    with source.open("ab") as file:
        file.write(whole[:20])
    desk.run(source)
    with source.open("ab") as file:
        file.write(whole[20:])
    (report,) = desk.run(source).files
    assert (report.taken, report.rejected) == (1, 0)
    assert desk.response_ids() == ids(*range(101))


def test_a_file_that_is_still_being_written_is_looked_at_again(desk: Desk, source: Path) -> None:
    desk.run(source)
    whole = line(100)
    with source.open("ab") as file:
        file.write(whole[:20])
    (report,) = desk.run(source).files
    assert (report.status, report.taken) == ("known", 0)
    with source.open("ab") as file:
        file.write(whole[20:])
    assert desk.run(source).taken == 1
    assert desk.response_ids() == ids(*range(101))


def test_two_files_that_grew_from_one_beginning_are_both_taken_whole(
    desk: Desk, source: Path, tmp_path: Path
) -> None:
    desk.run(source)
    other = tmp_path / "other.jsonl"
    other.write_bytes(source.read_bytes() + line(200))
    with source.open("ab") as file:
        file.write(line(100))
    desk.run(source, other)
    assert desk.response_ids() == ids(*range(101), 200)
    for token in {record.source for record in desk.log.records}:
        numbers = [record.seq for record in desk.log.records if record.source == token]
        assert numbers == list(range(len(numbers)))


def test_a_rewritten_file_is_another_file(desk: Desk, source: Path) -> None:
    desk.run(source)
    source.write_bytes(b"".join(map(line, range(50, 60))))
    assert desk.run(source).taken == 10


@pytest.mark.parametrize("crash", [0, 1, 2, 40, 100, 101])
def test_a_crash_anywhere_is_resumed_exactly_once(desk: Desk, source: Path, crash: int) -> None:
    lines = source.read_bytes().splitlines(keepends=True)
    lines[7] = b"not an interaction\n"
    source.write_bytes(b"".join(lines))
    desk.log.break_after = crash
    with pytest.raises(NotDurable):
        desk.run(source)
    desk.restart()
    (report,) = desk.run(source).files
    assert report.status == "imported"
    assert [record.seq for record in desk.log.records] == list(range(102))
    assert len({record.source for record in desk.log.records}) == 1
    assert len(desk.response_ids()) == len(set(desk.response_ids())) == 99
    assert desk.log.records[-1].clear == {"taken": 99, "rejected": 1, "formats": ["aircon"]}
    assert desk.run(source).files[0].status == "known"


def test_a_crash_after_the_last_record_adds_no_second_end(desk: Desk, source: Path) -> None:
    ended = desk.state.end
    desk.state.end = lambda *_a, **_k: (_ for _ in ()).throw(NotDurable("now"))  # type: ignore[method-assign]
    with pytest.raises(NotDurable):
        desk.run(source)
    desk.state.end = ended  # type: ignore[method-assign]
    desk.restart()
    assert desk.run(source).taken == 0
    assert [record.seq for record in desk.log.records] == list(range(102))


def test_a_file_that_grew_after_a_crash_is_finished_first(desk: Desk, source: Path) -> None:
    desk.log.break_after = 31
    with pytest.raises(NotDurable):
        desk.run(source)
    with source.open("ab") as file:
        file.write(line(100))
    desk.restart()
    desk.run(source)
    assert desk.response_ids() == ids(*range(101))


def test_a_person_whose_key_is_gone_is_refused_and_the_rest_goes_on(
    desk: Desk, source: Path
) -> None:
    source.write_bytes(line(1) + line(2, "erased") + line(3))
    desk.log.destroyed = {"erased"}
    (report,) = desk.run(source).files
    assert desk.response_ids() == ids(1, 3)
    assert [(r.where, r.reason) for r in report.refused] == [
        ("line 2", "refused-by-log:KeyDestroyed")
    ]


def test_compressed_files_grow_by_whole_members_only(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "calls.gz"
    path.write_bytes(gzip.compress(line(1)))
    desk.run(path)
    with path.open("ab") as file:
        file.write(gzip.compress(line(2)))
    desk.run(path)
    assert desk.response_ids() == ids(1, 2)
    with path.open("ab") as file:
        file.write(b"no member")
    (report,) = desk.run(path).files
    assert report.status == "unreadable"
    assert "compressed" in report.note


def test_a_folder_is_walked_in_order_and_links_do_not_lead_out(desk: Desk, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "b").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jsonl").write_bytes(line(99))
    for number, name in enumerate(["b/2.jsonl", "a.jsonl", "c.jsonl"]):
        (tree / name).write_bytes(line(number))
    (tree / "link.jsonl").symlink_to(outside / "secret.jsonl")
    (tree / "linked").symlink_to(outside)
    (tree / "loop").symlink_to(tree)
    os.mkfifo(tree / "pipe")
    (tree / "notes.txt").write_text("nothing to see\n")
    report = desk.run(tree)
    assert [Path(file.path).name for file in report.files] == [
        "a.jsonl", "2.jsonl", "c.jsonl", "notes.txt",
    ]  # fmt: skip
    assert report.files[-1].status == "unrecognised"
    assert desk.response_ids() == ids(1, 0, 2)
    assert desk.log.of_kind("import.rejected") == []


def test_standard_input_is_imported_each_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line(1) + b"bad\n")))
        (report,) = desk.run("-").files
        assert (report.path, report.taken, report.rejected) == ("-", 1, 1)
    assert desk.progress[-1][1] is None


def test_what_was_named_must_exist(desk: Desk, source: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        desk.run(source, tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError):
        desk.run(tmp_path / "pipe")
    assert desk.log.records == []


def test_an_unreadable_file_does_not_stop_the_others(
    desk: Desk, source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.jsonl"
    gone.write_bytes(line(1))
    found = importing.files_of([gone, source])
    monkeypatch.setattr(importing, "files_of", lambda _: found)
    gone.unlink()
    report = desk.run(gone, source)
    assert [file.status for file in report.files] == ["unreadable", "imported"]
    assert report.files[0].note


def test_bodies_beside_a_log_are_not_reported_as_strangers(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "bedrock"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "x_input.json").write_text('{"messages":[]}')
    log = {"schemaType": "ModelInvocationLog", "input": {"inputBodyS3Path": "s3://b/x_input.json"}}
    (folder / "a.jsonl").write_text(json.dumps(log) + "\n")
    report = desk.run(folder)
    assert [file.status for file in report.files] == ["imported", "body-object"]


def test_a_batch_that_was_answered_is_not_counted_twice(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "batch").mkdir()
    asked = [{"custom_id": str(n), "url": "/v1/chat/completions", "body": {}} for n in range(3)]
    given = [{"custom_id": str(n), "response": {"status_code": 200, "body": {}}} for n in range(3)]
    for name, rows in (("in", asked), ("out", given)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "batch" / f"{name}.jsonl").write_text(text)
    report = desk.run(tmp_path / "batch")
    assert [(file.status, file.taken) for file in report.files] == [
        ("body-object", 0), ("imported", 3),
    ]  # fmt: skip
    (tmp_path / "batch" / "out.jsonl").write_text(json.dumps(given[1]) + "\n")
    (report,) = desk.run(tmp_path / "batch" / "in.jsonl").files
    assert report.taken == 2  # those no answer is known for


def test_progress_reaches_the_end(desk: Desk, source: Path) -> None:
    desk.run(source)
    size = source.stat().st_size
    assert desk.progress[-1] == (size, size, 102)
    assert [done for done, _, _ in desk.progress] == sorted(done for done, _, _ in desk.progress)


@pytest.mark.slow
def test_memory_is_flat_over_a_large_file(desk: Desk, tmp_path: Path) -> None:
    class Sink(MemoryLog):
        def append_many(self, records, *, group=1024):  # type: ignore[no-untyped-def]
            for outcome in super().append_many(records, group=group):
                self.records.clear()
                yield outcome

    desk.log = Sink()
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        file.writelines(line(number) for number in range(20_000))
    tracemalloc.start()
    try:
        desk.run(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


# -- the journal ----------------------------------------------------------------------------------


def test_the_journal_tells_nothing_without_its_key(desk: Desk, source: Path) -> None:
    desk.run(source)
    journal = desk.home / "state" / "imports.journal"
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert b"import/" not in journal.read_bytes()
    with pytest.raises(KeyUnavailable):
        ImportState(desk.home / "state", bytes(32))


def test_a_torn_last_frame_of_the_journal_is_cut_off(desk: Desk, source: Path) -> None:
    desk.run(source)
    journal = desk.home / "state" / "imports.journal"
    whole = journal.read_bytes()
    end_of_first = 4 + int.from_bytes(whole[:4], "big")
    for cut in range(end_of_first, len(whole), 17):
        desk.state.close()
        journal.write_bytes(whole[:cut])
        desk.open()
        assert journal.stat().st_size == end_of_first
        assert desk.run(source).taken == 0  # resumed after the log's last number: all is there
    assert [record.seq for record in desk.log.records] == list(range(102))


def test_a_changed_journal_is_reported(desk: Desk, source: Path, tmp_path: Path) -> None:
    desk.run(source)
    other = tmp_path / "b.jsonl"
    other.write_bytes(line(500))
    desk.run(other)
    journal = desk.home / "state" / "imports.journal"
    data = bytearray(journal.read_bytes())
    second = 4 + int.from_bytes(data[:4], "big")
    data[second + 30] ^= 1
    journal.write_bytes(bytes(data))
    with pytest.raises(TamperingFound):
        ImportState(desk.home / "state", KEY)
