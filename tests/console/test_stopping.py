"""Ctrl-C stops what runs, soon, whatever library it runs in; following a log ends well with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.commands import line

from console.__main__ import main
from console.stoppable import stoppable

ROOT = Path(__file__).resolve().parents[2]


def test_the_answer_of_work_that_ends_is_handed_on() -> None:
    assert stoppable(lambda: 42, lambda: None) == 42


def test_an_error_of_the_work_is_handed_on() -> None:
    def fail() -> int:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        stoppable(fail, lambda: None)


def test_an_interrupt_tells_the_work_to_stop_and_waits_for_it() -> None:
    told, ended = threading.Event(), threading.Event()

    def work() -> None:
        assert told.wait(10)
        time.sleep(0.05)
        ended.set()

    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        stoppable(work, told.set)
    assert ended.is_set()


def _start(store: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "console", *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "AIRCON_STORE": str(store)},
    )  # fmt: skip


def test_following_shows_what_comes_and_ends_well(tmp_path: Path) -> None:
    store, logs = tmp_path / "evidence", tmp_path / "a.jsonl"
    logs.write_text(line("first", "one", "maria") + "\n")
    assert main(["init", str(store), "--insecure-no-passphrase"]) == 0
    assert main(["import", str(logs), "--store", str(store)]) == 0
    process = _start(store, "tail", "-f", "--json")
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["input_preview"] == "first"
        with logs.open("a") as file:
            file.write(line("second", "two", "maria") + "\n")
        assert main(["import", str(logs), "--store", str(store)]) == 0
        assert json.loads(process.stdout.readline())["input_preview"] == "second"
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert rest == ""
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_long_question_is_stopped_at_once(made_store: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000000000) t(i) WHERE hash(i) % 1000003 = 7"
    process = _start(made_store, "sql", endless, "--timeout", "60")
    try:
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=15)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in said


def test_following_ends_when_nobody_reads_any_more_even_if_nothing_comes(tmp_path: Path) -> None:
    store, logs = tmp_path / "evidence", tmp_path / "a.jsonl"
    logs.write_text(line("first", "one", "maria") + "\n")
    assert main(["init", str(store), "--insecure-no-passphrase"]) == 0
    words = ["--store", str(store), "--insecure-no-passphrase"]
    assert main(["import", str(logs), *words]) == 0
    process = _start(store, "tail", "-f", "--json", "--insecure-no-passphrase")
    assert process.stdout is not None
    try:
        assert "first" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 141
    finally:
        process.kill()
        process.communicate()


def test_a_sealing_that_was_stopped_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, logs = tmp_path / "evidence", tmp_path / "a.jsonl"
    logs.write_text("".join(line(f"q{n}", f"a{n}", f"user{n}") + "\n" for n in range(20)))
    assert main(["init", str(store), "--insecure-no-passphrase"]) == 0
    assert main(["import", str(logs), "--store", str(store)]) == 0
    told: list[tuple[int, int]] = []

    def pressed(_: object, done: int, total: int) -> None:
        told.append((done, total))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("console.progress.Progress.__call__", pressed)
        assert main(["seal", "--store", str(store)]) == 130
    assert told
    assert "`aircon seal` finishes it" in capsys.readouterr().err
    assert not list(store.rglob("seal-*.json"))
    assert main(["seal", "--store", str(store)]) == 0
    assert len(list(store.rglob("seal-*.json"))) == 1
    assert len(list(store.rglob("*.parquet"))) == 2
    assert main(["verify", "--store", str(store)]) == 0
