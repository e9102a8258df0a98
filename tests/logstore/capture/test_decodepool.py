"""Decoding beside the importing process changes nothing but the time it takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from io import FileIO
from pathlib import Path

import pytest
from support.memory_log import MemoryLog
from support.poison import HANGS, PATIENCE_S, poisonous
from support.waiting import until

from logstore.capture import decodepool, decodeseat, decodeworker
from logstore.capture.beside import Folder
from logstore.capture.decodepool import MAX_ITEMS, Decoded, Decoding, Piece
from logstore.capture.decodeworker import HELLO, Chunk
from logstore.capture.decoding import sighted
from logstore.capture.importing import import_files
from logstore.capture.importreport import FileReport
from logstore.capture.importstate import ImportState
from logstore.capture.inflating import inflated
from logstore.capture.items import Bad, Item
from logstore.capture.splitting import split

SAMPLE = Path(__file__).parents[3] / "sample-logs"
FILES = sorted(path for path in SAMPLE.rglob("*") if path.is_file() and path.suffix != ".md")


def aircon_item(number: int, **facts: object) -> Item:
    row = {"aircon": 1, "response_id": f"r{number}", **facts}
    return Item(json.dumps(row).encode(), "aircon", f"line {number}")


def pieces_of(path: Path) -> Iterator[Piece]:
    with path.open("rb", buffering=0) as file:
        folder = Folder(path)
        yield from split(inflated(file)[0], folder=folder)
        folder.close()


def decoded(decoding: Decoding, pieces: Iterator[Piece] | list[Piece]) -> list[Decoded]:
    return list(decoding.records(pieces, source="import/0", by="aircon", seq=7))


def alone(pieces: Iterator[Piece] | list[Piece]) -> list[Decoded]:
    """The same without any of the machinery."""
    found: list[Decoded] = []
    for seq, piece in enumerate(pieces, 7):
        if isinstance(piece, Bad):
            found.append(piece)
            continue
        made = sighted(piece, source="import/0", by="aircon", seq=seq)
        found.append(Bad(piece.raw, piece.where, made) if isinstance(made, str) else (piece, made))
    return found


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The worker processes that were started; two of them, whatever machine this is."""
    started: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(decodeseat.subprocess, "Popen", Watched)
    monkeypatch.setattr(decodepool, "worker_count", lambda: 2)
    return started


@pytest.fixture
def helped(children: list[subprocess.Popen[bytes]]) -> Iterator[Decoding]:
    """Decoding with workers that are ready."""
    with closing(Decoding()) as decoding:
        decoding.expect(decodepool.WORTH)
        until(lambda: decoding._workers is not None and decoding._workers.ready == 2)
        yield decoding
    assert [child.returncode for child in children] == [-signal.SIGKILL] * 2


def test_every_sample_file_gives_the_same_records(helped: Decoding) -> None:
    formats = set()
    for path in FILES:
        found = decoded(helped, pieces_of(path))
        assert found == alone(pieces_of(path)), path
        formats.update(one[0].format for one in found if not isinstance(one, Bad))
    assert not helped.lost
    assert len(formats) >= 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_the_program_leaves_the_workers_to_it(
    number: int, helped: Decoding, children: list[subprocess.Popen[bytes]]
) -> None:
    pieces: list[Piece] = [aircon_item(each) for each in range(5 * MAX_ITEMS)]
    for child in children:
        child.send_signal(number)
    assert decoded(helped, pieces) == alone(pieces)
    assert not helped.lost


def test_what_is_no_interaction_keeps_its_place_and_reason(helped: Decoding) -> None:
    odd: list[Piece] = [
        Item(b"{}", "aircon", "line 0"),
        Bad(b"x", "line 1", "not-json"),
        aircon_item(2),
        Item(b"[" * 100_000, "litellm", "line 3"),  # nested beyond any parser
        aircon_item(4, start_us=2**70),  # no record can have this time
        Item(b"", "otlp.span", "line 5"),
    ]
    found = decoded(helped, odd * 100)
    assert found == alone(odd * 100)
    assert [one.reason if isinstance(one, Bad) else one[1][0].time_us for one in found[:6]] == [
        "not-aircon", "not-json", None, "not-litellm", "not-aircon", "not-otlp.span",
    ]  # fmt: skip
    assert [one[1][0].seq for one in found[-6:] if not isinstance(one, Bad)] == [7 + 596]


def test_what_no_message_can_hold_is_left_to_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def large(item: Item, *, source: str, by: str, seq: int) -> object:
        made = sighted(item, source=source, by=by, seq=seq)
        assert not isinstance(made, str)
        return (replace(made[0], time_us=2**70), made[1]) if seq == 4 else made

    monkeypatch.setattr(decodeworker, "sighted", large)
    chunk = Chunk("s", "b", [3, 4], [aircon_item(3), aircon_item(4)])
    kept, left = decodeworker.read_answer(decodeworker.answer(decodeworker.encode_chunk(chunk)))
    assert isinstance(kept, tuple)
    assert (kept[0].seq, left) == (3, None)


def test_a_decoder_that_breaks_in_a_worker_breaks_one_piece(helped: Decoding) -> None:
    pieces: list[Piece] = [aircon_item(1), Item(b"{}", "no such format", "line 2"), aircon_item(3)]
    first, broken, last = decoded(helped, pieces)
    assert broken == Bad(b"{}", "line 2", "decoder-failed")
    assert [first, last] == [alone(pieces)[0], alone(pieces)[2]]


def test_killed_workers_take_nothing_with_them(
    helped: Decoding, children: list[subprocess.Popen[bytes]]
) -> None:
    pieces: list[Piece] = [aircon_item(number) for number in range(20 * MAX_ITEMS)]
    found = helped.records(pieces, source="import/0", by="aircon", seq=7)
    taken = [next(found) for _ in range(MAX_ITEMS)]
    for child in children:
        child.kill()
    taken += found
    assert taken == alone(pieces)
    assert helped.lost


BROKEN = {
    "ends at once": "",
    "never says hello": "import time; time.sleep(60)",
    "says something else": "import sys; w(b'Welcome to the shell'); sys.stdin.buffer.read()",
    "dies of its first chunk": "w(HELLO); r(); os.kill(os.getpid(), 9)",
    "dies while it answers": "w(HELLO); r(); os.write(1, b'\\0\\0\\1\\0abc')",
    "answers nonsense": "w(HELLO)\nwhile r(): w(b'\\xc1nonsense')",
    "answers without end": "w(HELLO)\nwhile r(): os.write(1, b'\\xff' * 99)",
    "answers too little": "w(HELLO)\nwhile r(): w(b'\\x90')",
}


@pytest.mark.parametrize("story", BROKEN)
def test_a_broken_worker_changes_nothing(
    story: str, children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"""\
import os, sys
sys.path[:] = sys.argv[1:]
from io import FileIO
from logstore.capture.decodeworker import HELLO, receive, send
def w(message): send(FileIO(1, "w", closefd=False), message)
def r(): return receive(FileIO(0, closefd=False))
{BROKEN[story]}
"""
    monkeypatch.setattr(decodeseat, "_PROGRAM", program)
    pieces: list[Piece] = [aircon_item(number) for number in range(5 * MAX_ITEMS)]
    with closing(Decoding()) as decoding:
        decoding.expect(decodepool.WORTH)
        workers = decoding._workers
        assert workers is not None
        if "HELLO" in BROKEN[story]:
            until(lambda: workers.ready == 2)
        assert decoded(decoding, pieces) == alone(pieces)
        assert decoding.lost == ("HELLO" in BROKEN[story])
    assert all(child.returncode is not None for child in children)


def test_where_no_process_can_be_started_one_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decodepool, "worker_count", lambda: 2)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    pieces: list[Piece] = [aircon_item(number) for number in range(300)]
    with closing(Decoding()) as decoding:
        decoding.expect(decodepool.WORTH)
        assert decoded(decoding, pieces) == alone(pieces)


def test_little_starts_no_process(children: list[subprocess.Popen[bytes]]) -> None:
    with closing(Decoding()) as decoding:
        decoding.expect(decodepool.WORTH - 1)
        decoded(decoding, [aircon_item(1)])
        assert not children
        decoded(decoding, [aircon_item(2, metadata={"x": "y" * decodepool.WORTH})])
        assert len(children) == 2


def test_little_is_read_ahead(helped: Decoding) -> None:
    read = [0]

    def pieces(size: int, count: int) -> Iterator[Piece]:
        for number in range(count):
            read[0] += 1
            yield aircon_item(number, metadata={"x": "y" * size})

    for size, count, ahead in ((10, 3000, 6 * MAX_ITEMS), (decodeseat.PIPE, 12, 4)):
        read[0] = 0
        found = helped.records(pieces(size, count), source="import/0", by="aircon", seq=0)
        given = [read[0] - number for number, _ in enumerate(found, 1)]
        assert len(given) == count
        assert max(given) <= ahead


def test_a_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import time\n"
        "from contextlib import closing\n"
        "from logstore.capture import decodepool\n"
        "from logstore.capture.items import Item\n"
        "print('started')\n"
        "decodepool.worker_count = lambda: 2\n"
        "with closing(decodepool.Decoding()) as decoding:\n"
        "    decoding.expect(decodepool.WORTH)\n"
        "    while decoding._workers.ready < 2:\n"
        "        time.sleep(0.01)\n"
        "    item = Item(b'{\"aircon\":1}', 'aircon', 'line 1')\n"
        "    found = decoding.records([item] * 300, source='s', by='b', seq=0)\n"
        "    print(len(list(found)), decoding.lost)\n"
    )
    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=True
    )
    assert (run.stdout, run.stderr) == ("started\n300 False\n", "")


class Desk:
    """An installation that imports a file large enough for workers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = MemoryLog()
        self.path = home / "calls.jsonl"
        with self.path.open("wb") as file:
            for number in range(6000):
                file.write(aircon_item(number, metadata={"x": "y" * 300}).raw + b"\n")
            file.write(b"{broken\n")

    def run(self, on_progress: Callable[[int, int | None, int], None]) -> FileReport:
        with closing(ImportState(self.home / "state", bytes(32), self.log)) as state:
            (report,) = import_files(
                self.log,
                [self.path],
                state=state,
                rejects_dir=self.home / "rejects",
                on_progress=on_progress,
            ).files
        return report

    def response_ids(self) -> list[str]:
        return [json.loads(body.raw)["response_id"] for body in self.log.bodies()]


def test_an_import_survives_its_workers_and_says_so(
    tmp_path: Path, children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decodepool._Workers, "__init__", _waiting(decodepool._Workers.__init__))

    def kill(*_: object) -> None:
        for child in children:
            child.kill()

    desk = Desk(tmp_path)
    report = desk.run(kill)
    assert (report.taken, report.rejected) == (6000, 1)
    assert desk.response_ids() == [f"r{number}" for number in range(6000)]
    assert "Nothing is missing" in report.note


def test_an_interrupted_import_leaves_no_process_and_is_resumed_once(
    tmp_path: Path, children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decodepool._Workers, "__init__", _waiting(decodepool._Workers.__init__))

    def interrupt(_: int, __: int | None, records: int) -> None:
        if records > 2000:
            raise KeyboardInterrupt

    desk = Desk(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        desk.run(interrupt)
    assert [child.returncode for child in children] == [-signal.SIGKILL] * 2
    assert 2000 < len(desk.log.records) < 6000
    report = desk.run(lambda *_: None)
    assert not report.note
    assert desk.response_ids() == [f"r{number}" for number in range(6000)]
    assert [record.seq for record in desk.log.records] == list(range(6003))


@pytest.mark.usefixtures("children")
def test_an_import_is_not_held_up_for_ever_by_a_line_that_its_decoder_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch, PATIENCE_S)
    monkeypatch.setattr(decodepool._Workers, "__init__", _waiting(decodepool._Workers.__init__))
    desk = Desk(tmp_path)
    lines = desk.path.read_bytes().splitlines(keepends=True)
    lines[3000] = aircon_item(3000, metadata={"x": HANGS}).raw + b"\n"
    desk.path.write_bytes(b"".join(lines))
    report = desk.run(lambda *_: None)
    assert (report.taken, report.rejected) == (5999, 2)
    assert not report.note
    assert desk.response_ids() == [f"r{number}" for number in range(6000) if number != 3000]
    (kept,) = (path for path in (tmp_path / "rejects").rglob("*") if path.is_file())
    assert "decoder-hung" in kept.read_text()


def _waiting(start: Callable[..., None]) -> Callable[..., None]:
    """Workers that are waited for, so that the test does not depend on who is faster."""

    def started(self: decodepool._Workers, count: int) -> None:
        start(self, count)
        until(lambda: self.ready == count)

    return started


def test_a_worker_answers_through_an_interrupt_and_ends_with_its_input() -> None:
    command = [sys.executable, "-I", "-c", decodeseat._PROGRAM, *sys.path]
    chunk = Chunk("s", "b", [3, 4], [aircon_item(3), aircon_item(4, start_us=2**70)])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as it:
        assert isinstance(it.stdin, FileIO)
        assert isinstance(it.stdout, FileIO)
        assert decodeworker.receive(it.stdout) == HELLO
        it.send_signal(signal.SIGINT)
        decodeworker.send(it.stdin, decodeworker.encode_chunk(chunk))
        heard = decodeworker.receive(it.stdout)
        it.stdin.close()
        assert it.wait(30) == 0
    assert heard == decodeworker.answer(decodeworker.encode_chunk(chunk))
    answered, refused = decodeworker.read_answer(heard)
    (_, (expected, _)), *_ = (one for one in alone([aircon_item(3)]) if not isinstance(one, Bad))
    assert isinstance(answered, tuple)
    record, _ = answered
    assert (record.content, record.seq, refused) == (expected.content, 3, "not-aircon")


@pytest.mark.parametrize("cut", [0, 3, 4, 9])
def test_a_message_that_is_cut_short_is_none(cut: int) -> None:
    read, write = os.pipe()
    with FileIO(read) as said:
        with FileIO(write, "w") as asked:
            asked.write((6).to_bytes(4, "big")[:cut] + b"abcdef"[: max(cut - 4, 0)])
        assert decodeworker.receive(said) is None


def test_one_processor_gets_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, workers in ((1, 0), (2, 2), (64, decodepool.MAX_WORKERS)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=processors: set(range(n)))
        assert decodepool.worker_count() == workers
    monkeypatch.setattr(sys, "executable", "")
    assert decodepool.worker_count() == 0
