"""The only writer to stderr, and the exit codes, which are an API.

Rules of this file:

1. Data goes to stdout (`console.output`), everything said about it goes here.
2. A person never sees a traceback: deliberate errors say what happened, what is still safe and
   what to do next; anything else is named as a fault of aircon. ``AIRCON_DEBUG=1`` shows more.
3. Every text passes `console.text.safe_text`, whoever wrote it.
4. Progress is drawn only where stderr is a terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from console.text import one_line, safe_text
from logstore.errors import (
    AirconError,
    CannotJudge,
    Fenced,
    FormatError,
    KeyUnavailable,
    NotDurable,
    NotFound,
    QueryRefused,
    StoreAway,
    TamperingFound,
    UsageError,
    WriterBusy,
)

OK = 0
TAMPERING = 1
CANNOT_JUDGE = 2
USAGE = 3
BUSY = 4
NOT_DURABLE = 5
LINES_REFUSED = 6
DIFFERENT = 7
STORE_AWAY = 8
INTERNAL = 70
INTERRUPTED = 130
PIPE_CLOSED = 141


@dataclass(frozen=True, slots=True)
class ExitCode:
    """One row of the exit-code table.

    Attributes:
        code: what the process returns.
        name: one word for it.
        meaning: one sentence for a person.
    """

    code: int
    name: str
    meaning: str


EXIT_CODES = (
    ExitCode(OK, "ok", "Done; for verify and check: verified to the policy."),
    ExitCode(
        TAMPERING, "tampering", "Evidence contradicts itself, its signatures or its own format."
    ),
    ExitCode(
        CANNOT_JUDGE,
        "cannot-judge",
        "The answer needs something that is missing or unreadable: an anchor, a key, a file.",
    ),
    ExitCode(USAGE, "usage", "The call is wrong: an argument, a path, a query, or no terminal."),
    ExitCode(BUSY, "busy", "Another process or machine is writing to this log; nothing was done."),
    ExitCode(NOT_DURABLE, "not-durable", "A record could not be made durable and is not stored."),
    ExitCode(
        LINES_REFUSED,
        "lines-refused",
        "Import: some lines could not be read and are in the rejects file; the rest is stored.",
    ),
    ExitCode(DIFFERENT, "different", "Reconcile: one source has calls that the other lacks."),
    ExitCode(
        STORE_AWAY,
        "store-away",
        "The bucket does not answer, or refuses; nothing is lost, and it can be tried again.",
    ),
    ExitCode(INTERNAL, "internal", "A fault in aircon itself."),
    ExitCode(INTERRUPTED, "interrupted", "Stopped with Ctrl-C."),
    ExitCode(PIPE_CLOSED, "pipe-closed", "The reader of the output went away."),
)
"""Every code `aircon` returns, in order."""

_CODE_OF: tuple[tuple[type[AirconError], int], ...] = (
    (UsageError, USAGE),
    (NotFound, USAGE),
    (QueryRefused, USAGE),
    (FormatError, TAMPERING),
    (TamperingFound, TAMPERING),
    (CannotJudge, CANNOT_JUDGE),
    (KeyUnavailable, CANNOT_JUDGE),
    (WriterBusy, BUSY),
    (Fenced, BUSY),
    (NotDurable, NOT_DURABLE),
    (StoreAway, STORE_AWAY),
)


def exit_code(error: BaseException) -> int:
    """The exit code that an error ends the process with."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    for kind, code in _CODE_OF:
        if isinstance(error, kind):
            return code
    return CANNOT_JUDGE if isinstance(error, OSError) else INTERNAL


def report(error: BaseException) -> int:
    """Say what went wrong, in at most a few lines; returns the exit code."""
    code = exit_code(error)
    clear_status()
    if code != PIPE_CLOSED:
        first, *rest = _lines(error)
        _write(f"aircon: {safe_text(first)}")
        for line in rest:
            _write(f"  {safe_text(line)}")
    if os.environ.get("AIRCON_DEBUG") == "1":
        import traceback

        _write(safe_text("".join(traceback.format_exception(error)).rstrip()))
    return code


def note(text: str) -> None:
    """Say something beside the data: what was shortened, recorded or left out."""
    clear_status()
    _write(safe_text(text))


def warn(text: str) -> None:
    """Say something that a person must not overlook."""
    clear_status()
    _write(f"warning: {safe_text(text)}")


def ask(text: str) -> None:
    """Put a question; the cursor stays behind it."""
    clear_status()
    _put(safe_text(text))


class _Terminal:
    """What this process has on the terminal, of which it has one."""

    silent = False
    status_width = 0


_terminal = _Terminal()


@contextmanager
def silence() -> Iterator[None]:
    """Nothing is written meanwhile: a full-screen program has the terminal."""
    clear_status()
    _terminal.silent = True
    try:
        yield
    finally:
        _terminal.silent = False


def draws_status() -> bool:
    """Whether a status line would be seen: stderr is a terminal that can redraw a line."""
    if _terminal.silent:
        return False
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
    except (AttributeError, ValueError):
        return False


def status(text: str) -> None:
    """Redraw the one line that shows how far long work has come; nothing where nobody looks."""
    if not draws_status():
        return
    shown = one_line(text)[: _columns() - 1]
    _put("\r" + shown + " " * (_terminal.status_width - len(shown)))
    _terminal.status_width = len(shown)


def clear_status() -> None:
    """Take the status line away again."""
    if _terminal.status_width:
        _put("\r" + " " * _terminal.status_width + "\r")
        _terminal.status_width = 0


def _lines(error: BaseException) -> list[str]:
    if isinstance(error, AirconError):
        return error.diagnostics()
    if isinstance(error, KeyboardInterrupt):
        return ["interrupted", "Every record acknowledged before is stored."]
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        return [f"{where}{error.strerror or error}"]
    return [
        f"a fault in aircon itself: {type(error).__name__}: {error}",
        "Every record acknowledged before is stored.",
        "Run it again with AIRCON_DEBUG=1 and report what it prints.",
    ]


def _columns() -> int:
    import shutil

    return max(shutil.get_terminal_size().columns, 20)


def _write(text: str) -> None:
    _put(text + "\n")


def _put(text: str) -> None:
    stream = sys.stderr
    if stream is None or _terminal.silent:
        return
    try:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        return  # nobody is left to tell
