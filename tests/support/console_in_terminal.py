"""A real console process in a real pseudo-terminal, and the bytes it sent to it.

Run as a program it shows a synthetic store: ``python -m support.console_in_terminal MODE``.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_OTHERS = ("TMUX", "NO_COLOR", "COLUMNS", "LINES", "TEXTUAL_THEME")
"""What of our own environment would change what the console does."""

ROOT = Path(__file__).resolve().parents[2]


class Terminal:
    """A pseudo-terminal with the console in it. What it sent is in `sent`.

    Args:
        mode: of this module's own program, or the words of another one for Python.
    """

    def __init__(self, mode: str | list[str], columns: int, rows: int, **env: str) -> None:
        self.sent = b""
        clean = {k: v for k, v in os.environ.items() if k not in _OTHERS}
        clean |= {"TERM": "xterm-256color", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **env}
        self._pid, self._fd = pty.fork()
        if self._pid == 0:  # pragma: no cover - the child becomes another program
            words = mode if isinstance(mode, list) else ["-m", "support.console_in_terminal", mode]
            os.execvpe(sys.executable, [sys.executable, *words], clean)
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)

    def until(self, word: str, *, seconds: float = 20) -> None:
        """Read until a word has been sent since the last keys."""
        start = len(self.sent)
        deadline = time.monotonic() + seconds
        while word.encode() not in self.sent[start:]:
            assert time.monotonic() < deadline, f"{word!r} was not shown"
            self._read(0.2)

    def shows(self, word: str, *, seconds: float = 5) -> bool:
        """Whether a word has been sent by now, or is soon."""
        deadline = time.monotonic() + seconds
        while word.encode() not in self.sent and time.monotonic() < deadline:
            self._read(0.2)
        return word.encode() in self.sent

    def rest(self, seconds: float = 0.5) -> None:
        """Read until nothing has come for a while; a blinking cursor may not keep us for ever."""
        deadline = time.monotonic() + 4 * seconds
        while self._read(seconds) and time.monotonic() < deadline:
            pass

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._fd, keys.encode())

    def ended(self, *, seconds: float = 10) -> int:
        """The exit code of the console, once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read(0.1)
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("the console did not end")

    def _read(self, seconds: float) -> bool:
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False
        self.sent += data
        return bool(data)


def main() -> int:
    """Show a synthetic store."""
    from support.fake_explorer import session

    from console.tui import app

    made = session(300, hostile=sys.argv[1] != "plain", locked=sys.argv[1] == "locked")
    if sys.argv[1] != "plain":
        from support.fake_explorer import HOSTILE

        made.name = "acme" + HOSTILE
    if sys.argv[1] == "failing":
        made.explorer.fails = "select"
    return app.run(made)


if __name__ == "__main__":
    sys.exit(main())
