"""Worker processes whose decoders have a bug: some pieces end them, and some never end."""

from __future__ import annotations

import pytest

from logstore.capture import decodeseat

KILLS = "kill me now"
"""Content that ends whoever decodes it at once."""

HANGS = "hang me now"
"""Content that keeps whoever decodes it busy without end, where no line of Python is run."""

PATIENCE_S = 2.0
"""Seconds after which such a worker is ended; honest pieces on a busy machine take less."""

LONG_S = 60.0
"""The same where nothing hangs, so that no honest piece is ended however busy the machine is."""

_BUG = f"""\
import os, re
from logstore.capture import decodeworker
decodeworker.PATIENCE_S = {{patience_s}}
sound = decodeworker.sighted
def sighted(item, **more):
    if {KILLS.encode()!r} in item.raw:
        os.kill(os.getpid(), 9)
    if {HANGS.encode()!r} in item.raw:
        re.match("(a+)+$", "a" * 60 + "b")
    return sound(item, **more)
decodeworker.sighted = sighted
"""


def poisonous(monkeypatch: pytest.MonkeyPatch, patience_s: float = LONG_S) -> None:
    """Let every worker that is started from now on have the bug, and so much patience."""
    bug = _BUG.format(patience_s=patience_s)
    start = "from logstore.capture.decodeworker import serve\n"
    program = decodeseat._PROGRAM.replace(start, bug + start)
    assert bug in program
    monkeypatch.setattr(decodeseat, "_PROGRAM", program)
