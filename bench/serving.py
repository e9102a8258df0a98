"""The endpoint under load: two senders at full and at half rate, what is acknowledged and stored.

Everything is on this machine and shares its processors: two senders, the endpoint and its disk. A
request holds 100 spans of about 2.5 KB. Arize Phoenix (with ``--peers``) gets the same requests; it
acknowledges what it has in memory, neither encrypted nor on disk.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.processes import AIRCON, UNLOCKED, Server, endpoint, server
from bench.report import Row, median
from bench.sender import Sent
from bench.setting import Setting

SENDERS = 2
PHOENIX = "arize-phoenix==20.26.1"
_PORT = "16006"
_SETTLED_S = 15.0


@dataclass(frozen=True)
class Loaded:
    """What a load came to.

    Attributes:
        sent: what each sender saw.
        cpu_s: processor seconds of the server.
        rss: resident MiB of the server, four times a second.
    """

    sent: list[Sent]
    cpu_s: float
    rss: list[float]

    @property
    def spans(self) -> int:
        """Spans acknowledged."""
        return sum(each.spans for each in self.sent)

    @property
    def rate(self) -> float:
        """Spans acknowledged a second."""
        return self.spans / max(each.seconds for each in self.sent)

    def wait_ms(self, share: float) -> float:
        """The time to an answer that this share of the requests did not exceed."""
        waits = sorted(wait for each in self.sent for wait in each.waits_ms)
        return waits[min(int(len(waits) * share), len(waits) - 1)]

    def quarters(self) -> tuple[float, float]:
        """Median memory in the second and in the last quarter."""
        size = max(len(self.rss) // 4, 1)
        return median(self.rss[size : 2 * size] or self.rss), median(self.rss[-size:])


def load(target: Server, seconds: float, *, first: int = 1, rate: float = 0) -> Loaded:
    """Two senders at a time, in processes of their own.

    Args:
        target: where to send.
        seconds: how long.
        first: number of the first sender; its ids follow from it.
        rate: spans a second, all senders together; 0 for as many as are answered.
    """
    words = [sys.executable, "-m", "bench.sender", target.url]
    senders = [
        subprocess.Popen(
            [*words, str(first + each), str(seconds), str(rate / SENDERS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for each in range(SENDERS)
    ]  # fmt: skip
    for each in senders:
        assert each.stdout is not None
        each.stdout.readline()
    rss: list[float] = []
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(target, rss, over))
    watch.start()
    cpu = target.cpu_s()
    try:
        for each in senders:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        said = [each.communicate()[0] for each in senders]
        cpu = target.cpu_s() - cpu
    finally:
        over.set()
        watch.join()
    return Loaded([Sent(**json.loads(each)) for each in said], cpu, rss)


def _watch(target: Server, rss: list[float], over: threading.Event) -> None:
    while not over.wait(0.25):
        rss.append(target.rss_mib())


def stored(store: Path) -> int:
    """Interactions on a log, by asking it."""
    asked = [*AIRCON, "sql", "SELECT count(*) AS n FROM interactions", "--store", str(store)]
    answer = subprocess.run([*asked, UNLOCKED, "--json"], check=True, capture_output=True)
    return int(json.loads(answer.stdout)["n"])


def rows(setting: Setting) -> Iterator[Row]:
    """Full load, half load, and a peer."""
    folder = setting.folder()
    seconds = setting.sizes.load
    with endpoint(folder) as running:
        warm = load(running, min(seconds, 2), first=1)
        full = load(running, seconds, first=11)
        half = load(running, seconds, first=21, rate=full.rate / 2)
    ours = list(_rows("serve", full, half))
    acknowledged, found = warm.spans + full.spans + half.spans, stored(folder / "evidence")
    if acknowledged != found:
        raise RuntimeError(f"{acknowledged} spans were acknowledged and {found} are on the log")
    peer = _phoenix(setting, seconds) if setting.peers else {}
    for row in ours:
        if row.floor or row.what not in peer:
            yield row
        else:
            yield Row(row.what, row.value, row.unit, "Phoenix", peer[row.what], row.aim)
    for what in peer.keys() - {row.what for row in ours}:
        yield Row(what, peer[what], "%")


def _rows(name: str, full: Loaded, half: Loaded) -> Iterator[Row]:
    yield Row(f"{name}: spans acknowledged", full.rate, "/s", aim="5,000/s")
    yield Row(f"{name}: CPU of the server a span", full.cpu_s / full.spans * 1e6, "us")
    sender = sum(each.cpu_s for each in full.sent)
    yield Row(f"{name}: CPU of the senders a span", sender / full.spans * 1e6, "us")
    yield Row(f"{name}: answer, full load, p50", full.wait_ms(0.5), "ms")
    yield Row(f"{name}: answer, full load, p99", full.wait_ms(0.99), "ms")
    yield Row(f"{name}: answer, half load, p50", half.wait_ms(0.5), "ms")
    yield Row(f"{name}: answer, half load, p99", half.wait_ms(0.99), "ms", aim="50 ms")
    early, late = full.quarters()
    yield Row(f"{name}: memory, last quarter", late, "MiB", "second quarter", early, "flat")
    yield Row(f"{name}: requests refused", sum(each.refused for each in full.sent), "")


def _phoenix(setting: Setting, seconds: float) -> dict[str, float]:
    """The same load on Phoenix, by the name of our row; it keeps spans in SQLite."""
    folder = setting.folder()
    python = _installed(folder)
    environment = {
        "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_PORT": _PORT, "PHOENIX_GRPC_PORT": "16007",
        "PHOENIX_HOST": "127.0.0.1", "PHOENIX_TELEMETRY_ENABLED": "false",
    }  # fmt: skip
    command = [str(python), "-m", "phoenix.server.main", "serve"]
    with server(command, "running on ", environment) as running:
        load(running, min(seconds, 2), first=1)
        before = _settled(lambda: _spans(folder))
        full = load(running, seconds, first=11)
        kept = _settled(lambda: _spans(folder)) - before
        half = load(running, seconds, first=21, rate=full.rate / 2)
    found = {row.what: row.value for row in _rows("serve", full, half)}
    return {**found, "serve: spans Phoenix stored of those": kept / full.spans * 100}


def _installed(folder: Path) -> Path:
    python = folder / "phoenix" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder / "phoenix"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", PHOENIX], check=True)
    return python


def _spans(folder: Path) -> int:
    with sqlite3.connect(f"file:{folder / 'phoenix.db'}?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM spans").fetchone()[0])


def _settled(count: Callable[[], int]) -> int:
    """A count once it stands still; what was acknowledged may be stored a while later."""
    found, since = count(), time.monotonic()
    while time.monotonic() - since < _SETTLED_S:
        time.sleep(1)
        if (now := count()) != found:
            found, since = now, time.monotonic()
    return found
