"""Writers for processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from support.stores import TestStore, chat
store, name, count, seal_every = TestStore(Path({base!r})), {name!r}, {count}, {seal_every}
with store.open() as log:
    for number in range(count):
        log.append(chat(f"{{name}} {{number}}", f"user-{{number % 9}}", seq=number))
        if seal_every and number % seal_every == seal_every - 1:
            log.seal()
"""


def writer(base: Path, name: str, count: int, seal_every: int = 0) -> subprocess.Popen[bytes]:
    """Start a process that appends records to a test store one by one."""
    root = Path(__file__).resolve().parents[2]
    paths = [str(root), str(root / "tests")]
    code = _SCRIPT.format(
        paths=paths, base=str(base), name=name, count=count, seal_every=seal_every
    )
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)


def finished(process: subprocess.Popen[bytes], timeout_s: float = 120) -> None:
    """Wait for a writer; fails with what it said."""
    _, said = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, said.decode(errors="replace")
