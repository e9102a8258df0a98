"""The bytes on stdout are a contract: golden files pin them, and hostile text cannot bend them."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import pty
import select
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import cells, output
from console.columns import Column, moment, plain, words
from console.exports import write_parquet
from console.output import Shape
from logstore.errors import UsageError

GOLDEN = Path(__file__).parent / "golden"

COLUMNS = (
    Column("index", "int"),
    Column("time", "time"),
    Column("user", most=12),
    Column("said", most=24),
    Column("tools", "list"),
    Column("ms", "duration"),
    Column("score", "float"),
    Column("ok", "bool"),
)
HOSTILE = "\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202e[@click=app.bell]x[/]\r\n\x7f\U000e0068\U000e0069"
ROWS = [
    (0, 1_763_632_800_000_000, "maria", "hello", ["search"], 1_500, 0.5, True),
    (1, 1_763_632_800_000_001, "王小明", "请总结这份合同的关键条款。", [], 2_345_678, 1 / 3, False),
    (2, None, None, HOSTILE, None, None, float("nan"), None),
    (3, 0, "=cmd|' /C calc'!A0", 'two\nlines, "quoted"', ["a,b", "c"], 0, -1.0, True),
    (4, 2**62, "🎉 الحمد", "x" * 5_000, ["t"] * 3, 999_999, 1e300, False),
]  # fmt: skip


def _write(shape: Shape, capsys: pytest.CaptureFixture[str], total: int | None = None) -> str:
    assert output.rows(COLUMNS, ROWS, shape, total=total) == len(ROWS)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("rows.table", Shape("table")),
        ("rows.wide", Shape("table", wide=True)),
        ("rows.json", Shape("json")),
        ("rows.csv", Shape("csv")),
    ],
)
def test_the_bytes_of_a_format_do_not_change_unnoticed(
    name: str, shape: Shape, capsys: pytest.CaptureFixture[str]
) -> None:
    written = _write(shape, capsys, total=12_345 if name == "rows.table" else None)
    if os.environ.get("AIRCON_GOLDEN") == "write":
        (GOLDEN / name).write_text(written, "utf-8", newline="")
    assert written.encode() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_no_format_passes_a_control_byte(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    written = _write(Shape(form), capsys).encode()  # type: ignore[arg-type]
    assert not set(written) & (set(range(32)) - {0x0A} | {0x7F})
    for forbidden in ("\u202e", "\x9b", "\U000e0068"):
        assert forbidden.encode() not in written


def test_json_gives_every_value_back_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _write(Shape("json"), capsys).splitlines()
    assert len(lines) == len(ROWS)
    for line, row in zip(lines, ROWS, strict=True):
        back = json.loads(line)
        assert list(back) == [column.name for column in COLUMNS]
        assert [back[column.name] for column in COLUMNS] == [
            "nan" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row
        ]


@given(st.text(st.characters(codec=None)))
def test_json_is_printable_ascii_and_exact_for_any_text(text: str) -> None:
    line = output.json_line({"text": text})
    assert line.isascii()
    assert line[:-1].isprintable()
    assert json.loads(line)["text"] == text


def test_csv_is_read_back_with_formulas_defused(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.reader(io.StringIO(_write(Shape("csv"), capsys))))
    assert rows[0] == [column.name for column in COLUMNS]
    assert rows[4][2] == "'=cmd|' /C calc'!A0"
    assert rows[4][3] == 'two\nlines, "quoted"'
    assert rows[4][6] == "-1.0"


def test_parquet_is_exact_typed_and_never_overwrites(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    target = tmp_path / "rows.parquet"
    assert (
        write_parquet(target, COLUMNS, iter([*ROWS, (5, 1, "\ud800", "", [], 0, 0.0, True)])) == 6
    )
    table = pq.read_table(target)
    assert [str(kind) for kind in table.schema.types[:3]] == [
        "int64",
        "timestamp[us, tz=UTC]",
        "string",
    ]
    assert table.column("said").to_pylist()[2] == HOSTILE
    assert table.column("user").to_pylist()[5] == "\\ud800"
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="exists already"):
        write_parquet(target, COLUMNS, [])


def test_a_table_says_what_it_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _write(Shape("table"), capsys, total=12_345)
    assert "(5 of 12,345 rows; --limit asks for more)" in shown
    assert "shortened" in shown
    assert "shortened" not in _write(Shape("table", wide=True), capsys)


def test_other_formats_say_on_stderr_that_rows_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.rows(COLUMNS, ROWS, Shape("json"), total=9)
    said = capsys.readouterr()
    assert "5 of 9 rows" in said.err
    assert "5 of 9" not in said.out


def test_no_rows_are_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    output.rows((Column("a"),), [], Shape())
    assert capsys.readouterr().out == "a\n-\n(0 rows)\n"


def test_rows_after_the_sample_stay_in_their_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("x", number) for number in range(300)] + [("wider than the sample", 12_345)]
    output.rows((Column("a"), Column("n", "int")), rows, Shape())
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "x    0"
    assert lines[301] == "x  299"
    assert lines[302] == "…  12345"
    assert lines[304] == "(1 cell shortened, marked …; --wide shows all)"


def _in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, shape: Shape | None = None, **environment: str
) -> bytes:
    """What `rows` writes when stdout is a terminal; its width is unknown unless COLUMNS says it."""
    for name in ("NO_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    child, terminal = pty.openpty()
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    with os.fdopen(terminal, "w", encoding="utf-8", newline="\n") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        output.rows(COLUMNS, ROWS[:2], shape or Shape())
        stream.flush()
        written = b""
        while select.select([child], [], [], 0.2)[0]:
            written += os.read(child, 65_536)
    os.close(child)
    return written


def test_a_terminal_gets_the_same_bytes_apart_from_colour(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output.rows(COLUMNS, ROWS[:2], Shape())
    piped = capsys.readouterr().out.encode()
    coloured = _in_a_terminal(monkeypatch, TERM="xterm-256color")
    assert b"\x1b[1m" in coloured
    assert _in_a_terminal(monkeypatch, TERM="xterm-256color", NO_COLOR="1") == piped
    assert _in_a_terminal(monkeypatch, TERM="dumb") == piped
    for code in (b"\x1b[1m", b"\x1b[2m", b"\x1b[0m"):
        coloured = coloured.replace(code, b"")
    assert coloured == piped


@pytest.mark.parametrize("columns", [20, 60, 80, 100])
@pytest.mark.parametrize("live", [False, True])
def test_rows_fit_the_terminal_and_say_what_had_no_room(
    monkeypatch: pytest.MonkeyPatch, columns: int, live: bool
) -> None:
    size = {"COLUMNS": str(columns), "NO_COLOR": "1"}
    shown = _in_a_terminal(monkeypatch, Shape(live=live), TERM="xterm", **size).decode()
    rows = shown.splitlines()[:4]
    assert all(cells.width(row) <= columns for row in rows)
    assert ("hello" in shown) == (columns > 20)
    assert ("no room in this terminal; --wide or --json shows all" in shown) == (columns < 80)
    whole = _in_a_terminal(monkeypatch, Shape(wide=True), TERM="xterm", **size).decode()
    assert "shortened" not in whole
    assert "no room" not in whole


@given(st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1), st.integers(0, 400))
def test_narrowed_columns_fit_unless_they_are_as_narrow_as_they_may_be(
    columns: list[tuple[int, bool]], room: int
) -> None:
    widths, may = [width for width, _ in columns], [free for _, free in columns]
    fitting = cells.shrink(widths, may, room, 8)
    assert all(
        new == old or (free and 8 <= new < old)
        for new, old, free in zip(fitting, widths, may, strict=True)
    )
    if sum(fitting) > room:
        assert all(new <= 8 for new, free in zip(fitting, may, strict=True) if free)


def test_facts_are_one_object_or_aligned_lines(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [("records", 12), ("root", b"\x01\x02"), ("note", f"two\nlines {HOSTILE}")]
    output.facts(pairs, as_json=True)
    back = json.loads(capsys.readouterr().out)
    assert back == {"records": 12, "root": "0102", "note": f"two\nlines {HOSTILE}"}
    output.facts(pairs, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "records  12"
    assert lines[2] == "note     two"
    assert lines[3].startswith("         lines ␛]0;PWNED␇")


@given(st.text(max_size=30), st.integers(1, 20))
def test_clipped_text_is_never_wider_than_asked(text: str, room: int) -> None:
    assert cells.width(cells.clip(text, room)) <= room
    if cells.width(text) <= room:
        assert cells.clip(text, room) == text


@given(st.text(max_size=40), st.integers(2, 12))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(text: str, room: int) -> None:
    lines = cells.wrap(text, room)
    assert all(cells.width(line) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_east_asian_text_counts_two_cells_and_marks_none() -> None:
    assert cells.width("合同") == 4
    assert cells.width("e\u0301") == 1
    assert cells.pad("合", 4) == "合  "
    assert cells.clip("合同合同", 5) == "合同…"


def test_a_time_beyond_the_calendar_is_still_said() -> None:
    assert moment(2**62) == "4611686018427387904 us"
    assert moment(1_763_632_800_000_000) == "2025-11-20 10:00:00.000Z"


def test_values_of_every_sort_have_words_and_plain_form() -> None:
    assert words({"a": "é"}, "any") == '{"a": "é"}'
    assert words([1, None, True], "any") == "1, , yes"
    assert plain({"b": (b"\xff", float("inf"))}) == {"b": ["ff", "inf"]}
