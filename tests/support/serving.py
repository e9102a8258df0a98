"""The real `aircon serve` as a process of its own, and plain ways to send to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.waiting import heard

ROOT = Path(__file__).parents[2]
PROTOBUF = {"content-type": "application/x-protobuf"}
_LISTENS = re.compile(r"taking records on (\S+) into")


def aircon(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "console", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def new_store(base: Path) -> Path:
    """A store without a passphrase."""
    store = base / "evidence"
    made = aircon("init", store, "--insecure-no-passphrase", "--origin", "logs.example.com/live")
    assert made.returncode == 0, made.stderr
    return store


def sql(store: Path | str, statement: str) -> list[dict[str, object]]:
    """Ask a store, whether an endpoint runs on it or not."""
    answer = aircon(
        "sql", statement, "--store", store, "--insecure-no-passphrase", "--json", "--limit", "0"
    )
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


@dataclass
class Serving:
    """A running endpoint.

    Attributes:
        url: where it takes records.
        store: what it writes to.
        said: its standard error, line by line.
    """

    url: str
    store: Path | str
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    @property
    def client(self) -> httpx.Client:
        """A client without any cleverness."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def events(self, name: str) -> list[dict[str, object]]:
        """What its event log says of one kind."""
        lines = [json.loads(line) for line in self.said if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def sql(self, statement: str) -> list[dict[str, object]]:
        """Ask the store."""
        return sql(self.store, statement)

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Verify the store, contents included."""
        return aircon("verify", "--content", "--store", self.store, "--insecure-no-passphrase")


@contextlib.contextmanager
def serving(
    store: Path | str, *options: str | Path, listen: str = "127.0.0.1:0"
) -> Iterator[Serving]:
    """`aircon serve` on a free port, until the block ends."""
    words = ["serve", "--store", store, "--insecure-no-passphrase", "--listen", listen, *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "console", *map(str, words)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Serving("", store, process)
    with heard(process.stderr, running.said):
        try:
            running.url = _address(running)
            yield running
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _address(running: Serving) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in running.said:
            if found := _LISTENS.search(line):
                return found[1]
        if running.process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError("\n".join(["the endpoint did not start:", *running.said]))


def spans(
    count: int, *, first: int = 1, text: str = "hello", user: str | None = None
) -> ExportTraceServiceRequest:
    """An export request with so many model calls, numbered from `first`."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    service = resource.resource.attributes.add(key="service.name")
    service.value.string_value = "support"
    scope = resource.scope_spans.add()
    for number in range(first, first + count):
        span = scope.spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name="chat gpt-5",
            start_time_unix_nano=1_795_000_000_000_000_000 + number * 1_000,
            end_time_unix_nano=1_795_000_000_000_500_000 + number * 1_000,
        )
        facts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.response.model": "gpt-5-2026-08-01",
            "gen_ai.response.id": f"resp-{number}",
            "gen_ai.input.messages": json.dumps(
                [{"role": "user", "parts": [{"type": "text", "content": f"{text} {number}"}]}]
            ),
        }
        if user is not None:
            facts["user.id"] = user
        for key, value in facts.items():
            span.attributes.add(key=key).value.string_value = value
    return request
