"""A passphrase comes from one source, is never an argument, and is asked for only of a person."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from console import passphrases
from console.__main__ import main
from console.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SECRET = "correct horse é"


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a passphrase."""
    monkeypatch.setenv(passphrases.VARIABLE, SECRET)
    store = tmp_path / "evidence"
    assert main(["init", str(store), "--origin", "t.example/log"]) == 0
    assert passphrases.VARIABLE not in os.environ  # children must not inherit it
    monkeypatch.setenv("AIRCON_STORE", str(store))
    return store


def _asks(*words: str) -> int:
    return main(["sql", "SELECT 1", *words])


def test_every_source_opens_the_same_store(
    sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\nsecond line\n")
    file.chmod(0o600)
    assert _asks("--passphrase-file", str(file)) == 0
    reading, writing = os.pipe()
    os.write(writing, SECRET.encode() + b"\n")
    os.close(writing)
    assert _asks("--passphrase-fd", str(reading)) == 0
    os.close(reading)
    monkeypatch.setenv(passphrases.VARIABLE, SECRET)
    assert _asks() == 0


def test_a_wrong_passphrase_is_said_and_nothing_is_shown(
    sealed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(passphrases.VARIABLE, "wrong")
    capsys.readouterr()
    assert _asks() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "does not open" in said.err


def test_without_a_terminal_nobody_is_asked(
    sealed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _asks() == 2
    said = capsys.readouterr().err
    assert "no terminal to ask" in said
    assert "--passphrase-file" in said
    assert _asks("--clear-only") == 0


def test_two_sources_are_one_too_many(
    sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _asks("--passphrase-file", str(tmp_path / "x"), "--passphrase-fd", "0") == 3
    assert _asks("--insecure-no-passphrase") == 3
    assert "has a passphrase" in capsys.readouterr().err


def test_unreadable_sources_are_said(sealed: Path, tmp_path: Path) -> None:
    assert _asks("--passphrase-file", str(tmp_path / "none")) == 3
    assert _asks("--passphrase-fd", "987") == 3


def test_an_empty_or_endless_passphrase_is_refused(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in ("", "x" * 5_000):
        monkeypatch.setenv(passphrases.VARIABLE, wrong)
        assert _asks() == 3


def test_a_file_that_others_can_read_is_warned_about(
    sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o644)
    assert _asks("--passphrase-file", str(file)) == 0
    assert "others on this machine can read" in capsys.readouterr().err


def test_making_a_store_without_a_passphrase_is_said_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "e"), "--insecure-no-passphrase"]) == 0
    assert "NO passphrase" in capsys.readouterr().err


def test_no_command_takes_a_passphrase_as_an_argument() -> None:
    names = {name for row in COMMANDS for each in row.arguments for name in each.names}
    assert "--passphrase" not in names


def _typed(words: list[str], answers: bytes) -> tuple[int, str]:
    """Run `aircon` in a terminal where a person types."""
    child, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "console", *words],
        cwd=ROOT, stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal,
        start_new_session=True, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    for answer in answers.splitlines(keepends=True):
        while b": " not in seen.rpartition(b"\n")[2]:
            seen += os.read(child, 4_096)
        os.write(child, answer)
        seen += b"\n"
    code = process.wait(30)
    os.close(child)
    return code, seen.decode()


@pytest.mark.slow
def test_a_person_types_a_new_passphrase_twice(tmp_path: Path) -> None:
    store = tmp_path / "evidence"
    assert _typed(["init", str(store)], b"one\ntwo\n")[0] == 3
    assert not store.exists()
    code, seen = _typed(["init", str(store)], b"one\none\n")
    assert code == 0
    assert "New passphrase" in seen
    assert _typed(["sql", "SELECT 1", "--store", str(store)], b"one\n")[0] == 0
    assert _typed(["sql", "SELECT 1", "--store", str(store)], b"two\n")[0] == 2
