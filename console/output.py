"""The only writer to stdout: tables, JSON lines, CSV, and plain lines.

Rules of this file:

1. The bytes do not depend on whether stdout is a terminal, apart from colour and from tables,
   whose rows fit the width of a terminal. Golden files in ``tests/console/golden`` pin them.
2. Tables and lines pass `console.text`; CSV passes `csv_cell`. JSON carries the exact values,
   with every character outside printable ASCII escaped, so that it too is safe to look at.
3. Nothing is shortened silently: a table says below itself what it left out.
4. Colour never carries meaning alone, is added last, and not at all when ``NO_COLOR`` is set.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from console import cells, diagnostics
from console.columns import Column, plain, precise, words
from console.text import csv_cell, one_line, safe_text

if TYPE_CHECKING:
    from _csv import Writer

Format = Literal["table", "json", "csv", "parquet"]
Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]

_CODES: dict[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
_SAMPLE = 200  # rows that decide how wide a table's columns are
_WIDE = 1_000_000
_GAP = 2  # cells between columns
_LEAST = 8  # cells that a column of text keeps where the terminal is narrow
_USUAL = {
    "int": 8,
    "float": 10,
    "duration": 10,
    "time": 24,
    "bool": 3,
}  # widths where rows are live


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows are to be written.

    Attributes:
        format: which format.
        file: where Parquet goes.
        wide: whether a table shows every cell whole.
        live: rows come one by one: each is shown at once, in columns of fixed width.
    """

    format: Format = "table"
    file: Path | None = None
    wide: bool = False
    live: bool = False


@dataclass(frozen=True, slots=True)
class Painted:
    """A piece of a line in a colour."""

    text: str
    style: Style


def prepare() -> None:
    """Set stdout up once: line ends as written, and no character can make it fail."""
    stream = sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace", newline="\n")


def flush() -> None:
    """Hand everything on to whoever reads stdout.

    Raises:
        BrokenPipeError: nobody does any more.
    """
    sys.stdout.flush()


def wait(seconds: float) -> None:
    """Sleep, but not beyond the end of whoever reads stdout.

    Raises:
        BrokenPipeError: nobody does any more; a quiet log would not show it by writing.
    """
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if any(state & select.POLLERR for _, state in poll.poll(left * 1000)):
            raise BrokenPipeError


def abandon() -> None:
    """After a broken pipe: let the interpreter's last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def colourful() -> bool:
    """Whether colour is wanted and can be seen."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "", "dumb"):
        return False
    return sys.stdout.isatty()


def line(*parts: str | Painted) -> None:
    """One line, or several where a part holds line feeds."""
    shown = [
        _paint(safe_text(part.text), part.style) if isinstance(part, Painted) else safe_text(part)
        for part in parts
    ]
    sys.stdout.write("".join(shown) + "\n")


def script(text: str) -> None:
    """A program text of our own making (shell completion), exactly as it is."""
    sys.stdout.write(text)


def record(value: Mapping[str, object]) -> None:
    """One JSON object on one line."""
    sys.stdout.write(json_line(value))


def json_line(value: Mapping[str, object]) -> str:
    """One JSON object and a line feed, in printable ASCII."""
    text = json.dumps(plain(value), ensure_ascii=True, separators=(", ", ": "))
    return text.replace("\x7f", "\\u007f") + "\n"


def facts(pairs: Sequence[tuple[str, object]], *, as_json: bool) -> None:
    """Named facts: one JSON object (spaces in names become underscores), or one line each."""
    if as_json:
        record({name.replace(" ", "_"): value for name, value in pairs})
        return
    widest = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        first, *more = safe_text(words(value, "any")).split("\n")
        line(Painted(name.ljust(widest), "dim"), "  ", first)
        for text in more:
            line(" " * (widest + 2), text)


def rows(
    columns: Sequence[Column],
    data: Iterable[Sequence[object]],
    shape: Shape,
    *,
    total: int | None = None,
    more: bool = False,
) -> int:
    """Write rows as they come.

    Args:
        columns: what the values of each row are.
        data: the rows.
        shape: how to write them.
        total: how many there are, if fewer are brought.
        more: there are more, nobody knows how many.

    Returns:
        How many were written.

    Raises:
        UsageError: the Parquet file exists already.
    """
    if shape.format == "table":
        layout = _Layout(columns, wide=shape.wide)
        count = _live(layout, data) if shape.live else _table(layout, data)
        _say_below(layout, _extent(count, total, more=more))
    else:
        count = _stream(columns, data, shape)
        if more or (total is not None and count < total):
            diagnostics.note(_extent(count, total, more=more))
    return count


def _stream(columns: Sequence[Column], data: Iterable[Sequence[object]], shape: Shape) -> int:
    count = 0
    if shape.format == "json":
        names = [column.name for column in columns]
        for count, row in enumerate(data, 1):  # noqa: B007 - the last count is the answer
            sys.stdout.write(json_line(dict(zip(names, row, strict=True))))
            if shape.live:
                flush()
        return count
    if shape.format == "csv":
        return _csv(columns, data, live=shape.live)
    from console.exports import write_parquet

    assert shape.file is not None
    count = write_parquet(shape.file, columns, data)
    diagnostics.note(f"{count:,} rows written to {shape.file}")
    return count


def _csv(columns: Sequence[Column], data: Iterable[Sequence[object]], *, live: bool) -> int:
    import csv

    writer: Writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([csv_cell(column.name) for column in columns])
    count = 0
    for count, row in enumerate(data, 1):  # noqa: B007 - the last count is the answer
        writer.writerow(
            [_csv_value(value, column) for value, column in zip(row, columns, strict=True)]
        )
        if live:
            flush()
    return count


def _csv_value(value: object, column: Column) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool) and column.kind != "time":
        return value
    exact = precise(value) if isinstance(value, int) and column.kind == "time" else None
    return csv_cell(exact or words(value, column.kind))


def _table(layout: _Layout, data: Iterable[Sequence[object]]) -> int:
    source = iter(data)
    first = [layout.texts(row) for row in itertools.islice(source, _SAMPLE)]
    layout.measure(first)
    layout.head()
    count = 0
    for count, texts in enumerate(itertools.chain(first, map(layout.texts, source)), 1):  # noqa: B007 - the last count is the answer
        line(layout.join(texts))
    return count


def _live(layout: _Layout, data: Iterable[Sequence[object]]) -> int:
    layout.head()
    count = 0
    for count, row in enumerate(data, 1):  # noqa: B007 - the last count is the answer
        line(layout.join(layout.texts(row)))
        flush()
    return count


def _say_below(layout: _Layout, extent: str) -> None:
    line(Painted(f"({extent})", "dim"))
    if layout.shortened:
        what = "1 cell" if layout.shortened == 1 else f"{layout.shortened:,} cells"
        line(Painted(f"({what} shortened, marked {cells.ELLIPSIS}; --wide shows all)", "dim"))
    if layout.left_out:
        what = "1 column has" if layout.left_out == 1 else f"{layout.left_out} columns have"
        line(Painted(f"({what} no room in this terminal; --wide or --json shows all)", "dim"))


class _Layout:
    """Turns rows into lines of aligned cells and counts what it had to shorten."""

    def __init__(self, columns: Sequence[Column], *, wide: bool) -> None:
        self._columns = columns
        self._wide = wide
        self._header = [one_line(column.name) for column in columns]
        self._most = [_WIDE if wide else max(column.most, 1) for column in columns]
        self._widths = [
            max(cells.width(name), _USUAL.get(column.kind, column.most))
            for name, column in zip(self._header, columns, strict=True)
        ]
        self._room = _WIDE if wide else _terminal_width()
        self._fit()
        self.shortened = 0
        self.left_out = 0

    def texts(self, row: Sequence[object]) -> list[str]:
        """The cells of a row as safe text."""
        values = zip(row, self._columns, self._most, strict=True)
        return [self._text(words(value, column.kind), most) for value, column, most in values]

    def measure(self, sample: list[list[str]]) -> None:
        """Fit column widths to the header and a sample, instead of the widest allowed."""
        widths = [cells.width(name) for name in self._header]
        for texts in sample:
            widths = [max(old, cells.width(text)) for old, text in zip(widths, texts, strict=True)]
        self._widths = list(map(min, widths, self._most))
        self._fit()

    def _fit(self) -> None:
        room = self._room - _GAP * (len(self._columns) - 1)
        text = [not column.right and column.kind != "time" for column in self._columns]
        widths = cells.shrink(self._widths, text, room, _LEAST)
        anything_but_numbers = [not column.right for column in self._columns]
        self._widths = cells.shrink(widths, anything_but_numbers, room, _LEAST)

    def head(self) -> None:
        """Write the header and the rule below it."""
        if self._columns:
            heading = [
                cells.clip(name, width)
                for name, width in zip(self._header, self._widths, strict=True)
            ]
            line(Painted(self._row(heading), "bold"))
            line(Painted(self._row(["-" * width for width in self._widths]), "dim"))

    def join(self, texts: Sequence[str]) -> str:
        """One line; a cell wider than its column is cut, and counted. Numbers never are."""
        shown = []
        for text, width, column in zip(texts, self._widths, self._columns, strict=True):
            fitting = text if self._wide or column.right else cells.clip(text, width)
            self.shortened += fitting != text
            shown.append(fitting)
        return self._row(shown)

    def _row(self, shown: Sequence[str]) -> str:
        """Padded cells in a line; where not all columns have room, whole ones are left out."""
        padded = [
            cells.pad(text, width, right=column.right)
            for text, width, column in zip(shown, self._widths, self._columns, strict=True)
        ]
        whole = (" " * _GAP).join(padded).rstrip(" ")
        if cells.width(whole) <= self._room:
            return whole
        while len(padded) > 1 and cells.width((" " * _GAP).join(padded)) + _GAP + 1 > self._room:
            padded.pop()
            self.left_out = max(self.left_out, len(self._columns) - len(padded))
        return cells.clip((" " * _GAP).join([*padded, cells.ELLIPSIS]), self._room)

    def _text(self, text: str, most: int) -> str:
        # Longer than any width needs: cut before the costly part, whatever was sent to us.
        if len(text) > 4 * most + 64:
            text = text[: 4 * most] + " " * (most + 1)
        return one_line(text)


def _extent(count: int, total: int | None, *, more: bool) -> str:
    if total is not None and count < total:
        return f"{count:,} of {total:,} rows; --limit asks for more"
    rows_ = f"{count:,} row{'' if count == 1 else 's'}"
    return f"{rows_}, and there are more; --limit asks for them" if more else rows_


def _terminal_width() -> int:
    # A terminal that does not say how wide it is gets whole tables, like a file.
    return shutil.get_terminal_size((_WIDE, 24)).columns if sys.stdout.isatty() else _WIDE


def _paint(text: str, style: Style) -> str:
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if colourful() and text else text
