"""Errors are for people: what happened, what is safe, what to do; and the exit code is an API."""

from __future__ import annotations

import inspect
import sys

import pytest

from console import diagnostics, progress
from console.__main__ import main
from logstore import errors

TREE = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, errors.AirconError)
]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_deliberate_error_is_said_in_words_with_a_documented_code(
    kind: type[errors.AirconError], capsys: pytest.CaptureFixture[str]
) -> None:
    code = diagnostics.report(kind("it \x1b[31mbroke", kept="all is safe", todo="try again"))
    said = capsys.readouterr().err
    assert code in {each.code for each in diagnostics.EXIT_CODES}
    assert said == "aircon: it ␛[31mbroke\n  all is safe\n  try again\n"


def test_the_codes_of_the_error_tree_are_what_its_drawing_says() -> None:
    expected = {
        errors.UsageError: 3, errors.NotFound: 3, errors.FormatError: 1, errors.TamperingFound: 1,
        errors.CannotJudge: 2, errors.KeyUnavailable: 2, errors.PassphraseWrong: 2,
        errors.KeyDestroyed: 2, errors.WriterBusy: 4, errors.NotDurable: 5, errors.QueryRefused: 3,
        errors.Fenced: 4, errors.StoreAway: 8, errors.StoreRefused: 8,
    }  # fmt: skip
    assert {kind: diagnostics.exit_code(kind("x")) for kind in expected} == expected
    assert set(expected) | {errors.AirconError} >= set(TREE) - _later_additions()


def _later_additions() -> set[type[errors.AirconError]]:
    """Subclasses of listed errors inherit their code; only new branches need a row."""
    listed = (errors.UsageError, errors.NotFound, errors.FormatError, errors.TamperingFound,
              errors.CannotJudge, errors.KeyUnavailable, errors.WriterBusy, errors.NotDurable,
              errors.QueryRefused, errors.Fenced, errors.StoreAway)  # fmt: skip
    return {kind for kind in TREE if issubclass(kind, listed)}


def test_a_fault_of_ours_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRCON_DEBUG", raising=False)
    assert diagnostics.report(ZeroDivisionError("\x1b]0;x\x07")) == diagnostics.INTERNAL
    said = capsys.readouterr().err
    assert "a fault in aircon itself" in said
    assert "Traceback" not in said
    assert "\x1b" not in said


def test_debugging_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRCON_DEBUG", "1")
    try:
        raise ValueError("deep inside")  # noqa: TRY301 - a traceback needs to be raised
    except ValueError as error:
        diagnostics.report(error)
    assert "test_debugging_shows_the_traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (PermissionError(13, "Permission denied", "/x"), 2),
        (RecursionError("deep"), 70),
    ],
)
def test_whatever_a_command_raises_becomes_an_exit_code(
    raised: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: object) -> int:
        raise raised

    monkeypatch.setattr("console.cli.run", fail)
    monkeypatch.setattr("console.output.abandon", lambda: None)
    assert main(["status"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_codes_are_told_apart_and_named() -> None:
    codes = [each.code for each in diagnostics.EXIT_CODES]
    assert codes == sorted(set(codes))
    assert all(each.name and each.meaning.endswith(".") for each in diagnostics.EXIT_CODES)


def test_no_status_line_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.status("half way")
    diagnostics.clear_status()
    assert capsys.readouterr().err == ""


def test_a_status_line_is_cleared_before_anything_else_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    diagnostics.status("half\nway")
    diagnostics.note("done")
    assert capsys.readouterr().err == "\rhalf␊way\r        \rdone\n"


def test_progress_says_how_far_how_fast_and_how_long_still() -> None:
    now = [0.0]
    line = progress.Progress("verifying", clock=lambda: now[0])
    now[0] = 2.0
    assert line.line(500, 1_000) == (
        "verifying [############............] 50%  500 of 1,000  250 records/s  2 s left"
    )
    assert line.line(500) == "verifying  500 records  250 records/s"
    assert "0%" in line.line(0, 10)


def test_progress_draws_at_most_ten_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(diagnostics, "status", drawn.append)
    now = [0.0]
    with progress.Progress("sealing", clock=lambda: now[0]) as line:
        for step in range(100):
            now[0] = step / 100
            line(step, 100)
    assert len(drawn) == 10


def test_nothing_is_written_while_a_full_screen_program_has_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with diagnostics.silence():
        diagnostics.note("over the screen")
        diagnostics.status("over the screen")
    diagnostics.note("afterwards")
    assert capsys.readouterr().err == "afterwards\n"
