"""What recording adds to a call: the client's own time beside the bare call, closed and open.

Provider and endpoint (`aircon serve`, a real store) are processes of their own on this machine, so
the processor time counted is the calling program's alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx

from bench.processes import endpoint, server
from bench.report import Row, median
from bench.setting import Setting
from logstore import capture

_ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "where is the refund I was promised " * 28}],
    "user": "user-17",
}
_ROUNDS = 5


def rows(setting: Setting) -> Iterator[Row]:
    """CPU and wall time of a call: bare, closed and open, in turns."""
    calls = max(setting.sizes.lone // _ROUNDS, 40)
    folder = setting.folder()
    with (
        _model() as model,
        endpoint(folder) as serving,
        httpx.Client(base_url=model, trust_env=False) as http,
        capture.client(serving.url, on_failure="closed") as closed,
        capture.client(
            serving.url, on_failure="open", spool=folder / "spool", close_s=60
        ) as opened,
    ):
        client = _client(http)
        acts: dict[str, Callable[[], object]] = {
            "bare": lambda: client.chat.completions.create(**_ASK),
            "closed": lambda: closed.chat(client, **_ASK),
            "open": lambda: opened.chat(client, **_ASK),
        }
        for act in acts.values():
            act()
        cpu, wall = _measured(acts, calls)
        opened.close()
        assert opened.status().dropped == 0
    said = "the bare call"
    for mode in ("open", "closed"):
        yield Row(f"client, {mode}: CPU of a recorded call", cpu[mode] * 1e6, "us", said,
                  cpu["bare"] * 1e6)  # fmt: skip
        yield Row(f"client, {mode}: a recorded call, wall", wall[mode] * 1e6, "us", said,
                  wall["bare"] * 1e6)  # fmt: skip


def _measured(
    acts: dict[str, Callable[[], object]], calls: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Medians over rounds of the (CPU, wall) seconds of one call of each kind."""
    cpu: dict[str, list[float]] = {name: [] for name in acts}
    wall: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(_ROUNDS):
        for name, act in acts.items():
            before, begun = time.process_time(), time.perf_counter()
            for _ in range(calls):
                act()
            wall[name].append((time.perf_counter() - begun) / calls)
            time.sleep(0.5)  # what a thread of the client does later is its own work too
            cpu[name].append((time.process_time() - before) / calls)
    return (
        {name: median(values) for name, values in cpu.items()},
        {name: median(values) for name, values in wall.items()},
    )


def _client(http: httpx.Client) -> Any:
    """A client of the shape of openai's, without the costs of its models."""

    def raw(**request: Any) -> Any:
        answer = http.post("/v1/chat/completions", json=request)
        return SimpleNamespace(http_response=answer, parse=answer.json)

    completions = SimpleNamespace(
        with_raw_response=SimpleNamespace(create=raw),
        create=lambda **request: raw(**request).parse(),
    )
    return SimpleNamespace(chat=SimpleNamespace(completions=completions))


@contextmanager
def _model() -> Iterator[str]:
    words = ["uvicorn", "bench.fakemodel:app", "--port", "0", "--no-access-log"]
    with server([sys.executable, "-m", *words], "running on ") as running:
        yield running.url
