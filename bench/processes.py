"""Servers in processes of their own, and what they cost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

UNLOCKED = "--insecure-no-passphrase"
AIRCON = (sys.executable, "-m", "console")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: the address it said.
        pid: its process.
    """

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Processor seconds so far, of all threads and of the processes it started."""
        return sum(map(_cpu_s, self._family()))

    def rss_mib(self) -> float:
        """Resident memory now, of it and of the processes it started."""
        return sum(map(_rss_mib, self._family()))

    def _family(self) -> list[int]:
        every = (int(each.name) for each in Path("/proc").glob("[0-9]*"))
        return [self.pid, *(pid for pid in every if _parent(pid) == self.pid)]


def _stat(pid: int) -> list[str]:
    """What stands in ``/proc/PID/stat`` after the name: state, parent ...; empty once it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    found = _stat(pid)
    return int(found[1]) if found else 0


def _cpu_s(pid: int) -> float:
    found = _stat(pid)
    return (int(found[11]) + int(found[12])) / _TICKS if found else 0.0


def _rss_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"))
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def server(
    command: list[str], before_address: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server until the block ends; its address is what it says on standard error."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if before_address in line:
                yield Server(line.split(before_address)[1].split()[0], process.pid)
                return
        raise RuntimeError(f"{command} ended before it listened")
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def endpoint(folder: Path) -> Iterator[Server]:
    """`aircon serve` over a new store in ``folder/evidence``."""
    store = str(folder / "evidence")
    made = [*AIRCON, "init", store, UNLOCKED, "--origin", "bench.example.com/live"]
    subprocess.run(made, check=True, capture_output=True)
    serve = [*AIRCON, "serve", "--store", store, UNLOCKED, "--listen", "127.0.0.1:0"]
    with server(serve, "taking records on ") as running:
        yield running
