"""Watching records arrive: the endpoint acknowledges, and within two seconds a person sees it."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.console_in_terminal import Terminal
from support.serving import PROTOBUF, ROOT, Serving, new_store, serving, spans

pytestmark = pytest.mark.slow

PROMISE_S = 2.0
TIMES = 5


@contextlib.contextmanager
def tail(store: Path) -> Iterator[Callable[[], str]]:
    """`aircon tail -f` as a process of its own; yields what reads its next line."""
    words = ["tail", "-f", "-n", "1", "--json", "--store", str(store), "--insecure-no-passphrase"]
    process = subprocess.Popen(
        [sys.executable, "-m", "console", *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_into, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        yield lambda: lines.get(timeout=60)
    finally:
        process.kill()
        process.wait()
        reader.join(10)
        process.stdout.close()


def _into(stream: Iterator[str], lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)


def send(endpoint: Serving, number: int) -> float:
    """One acknowledged record; returns when it was acknowledged."""
    body = spans(1, first=number, text="watch").SerializeToString()
    with endpoint.client as client:
        assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
    return time.monotonic()


def kept(took: list[float]) -> bool:
    """Whether the promise holds: for every record but one, which may meet a busy machine.

    That one must still come within twice the time. The test shares the machine with other tests,
    and no scheduler promises anything; a console that looks too rarely is late more than once.
    """
    *usual, last = sorted(took)
    return max(usual) <= PROMISE_S and last <= 2 * PROMISE_S


def test_tail_prints_a_record_within_two_seconds_of_its_acknowledgement(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as endpoint:
        send(endpoint, 1)
        took = []
        with tail(endpoint.store) as next_line:
            assert json.loads(next_line())["input_preview"] == "watch 1"
            for number in range(2, 2 + TIMES):
                acknowledged = send(endpoint, number)
                assert json.loads(next_line())["input_preview"] == f"watch {number}"
                took.append(time.monotonic() - acknowledged)
    assert kept(took), took


def test_the_console_shows_a_record_within_two_seconds_of_its_acknowledgement(
    tmp_path: Path,
) -> None:
    with serving(new_store(tmp_path)) as endpoint:
        send(endpoint, 1)
        words = ["-m", "console", "console", "--store", str(endpoint.store)]
        took = []
        with Terminal([*words, "--insecure-no-passphrase"], 160, 50) as terminal:
            terminal.until("watch 1", seconds=60)
            terminal.press("f")
            terminal.until("FOLLOWING")
            for number in range(2, 2 + TIMES):
                acknowledged = send(endpoint, number)
                terminal.until(f"watch {number}", seconds=60)
                took.append(time.monotonic() - acknowledged)
            terminal.press("q")
            assert terminal.ended(seconds=30) == 0
    assert kept(took), took
