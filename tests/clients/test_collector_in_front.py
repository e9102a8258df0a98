"""gRPC exporters send to a collector, which sends on to aircon over HTTP and bears its absence.

The collector is Rotel, which is packaged; of the OpenTelemetry Collector the configuration alone is
looked at, in test_collector_configuration.py.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from clients.programs import scenes
from support.client_programs import free_port, new_token, run_program, surroundings
from support.client_truth import STATEMENT, TOOLS, losses
from support.model_server import ModelServer, model_server
from support.recipes import PROGRAMS, variables
from support.rotel import Rotel, rotel
from support.serving import Serving, new_store, serving
from support.waiting import until

pytestmark = pytest.mark.slow

COPIES = """
    SELECT count(*) AS records, count(DISTINCT interaction_id) AS interactions FROM interactions
"""


def test_what_goes_through_a_collector_is_found_again_also_what_it_held_while_aircon_was_away(
    client_python: Path, rotel_agent: Path, tmp_path: Path
) -> None:
    store = new_store(tmp_path)
    token, address = new_token(store, "grpc"), f"127.0.0.1:{free_port()}"
    with model_server() as model, rotel(rotel_agent, f"http://{address}", token) as collector:
        with _serving(store, address) as endpoint:
            _work(client_python, model, collector, tmp_path)
            until(lambda: _copies(endpoint)["records"] >= 1 and _idle(endpoint))
            first = _copies(endpoint)
        _work(client_python, model, collector, tmp_path)
        until(lambda: collector.says("will retry again after delay"))
        with _serving(store, address) as endpoint:
            twice = {name: 2 * count for name, count in first.items()}
            until(lambda: _copies(endpoint) == twice)
    rows, tools = endpoint.sql(STATEMENT), endpoint.sql(TOOLS)
    who = (scenes.USER, scenes.SESSION)
    lost = losses(model.calls, rows, tools, who=who, system=scenes.SYSTEM)
    assert lost == {"embed: asked": "content-not-captured"}
    assert {row["source"] for row in endpoint.sql("SELECT source FROM interactions")} == {
        "live/grpc"
    }
    assert endpoint.verify().returncode == 0


def test_the_collector_comes_back_after_our_troubles_and_gives_up_without_a_token(
    client_python: Path, rotel_agent: Path, tmp_path: Path
) -> None:
    """What the page says of it; the answers are those of `aircon serve`."""
    with (
        model_server() as model,
        _answering([503, 429, 200, 401]) as (url, bodies),
        rotel(rotel_agent, url, "no-token") as collector,
    ):
        _work(client_python, model, collector, tmp_path, events=False)
        until(lambda: len(bodies) == 3)
        assert bodies[0] == bodies[1] == bodies[2]
        _work(client_python, model, collector, tmp_path, events=False)
        until(lambda: collector.says("dropping data"))
        assert len(bodies) == 4


def _work(
    python: Path, model: ModelServer, collector: Rotel, home: Path, *, events: bool = True
) -> None:
    """The program of the page of OpenAI with its exporters changed as the page says."""
    page = (PROGRAMS / "otel_openai.py").read_text("utf-8")
    changed = page.replace("otlp.proto.http", "otlp.proto.grpc")
    assert changed.count("otlp.proto.grpc") == 2
    (home / "otel_grpc_openai.py").write_text(changed, "utf-8")
    environment = surroundings(home, model.url) | variables("grpc", "", "")
    if events:
        environment |= variables("events", "", "")
        environment["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_AND_EVENT"
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc, "PYTHONPATH": str(home)}
    run_program(python, "otel_grpc_openai", "openai_calls", environment)


@contextlib.contextmanager
def _serving(store: Path, address: str) -> Iterator[Serving]:
    with serving(store, "--token-file", f"{store}.tokens", listen=address) as endpoint:
        yield endpoint
        assert not endpoint.events("fault")


def _copies(endpoint: Serving) -> dict[str, Any]:
    (row,) = endpoint.sql(COPIES)
    return row


def _idle(endpoint: Serving) -> bool:
    """Whether nothing came any more since a moment ago: two batches and a collector's delay."""
    before = _copies(endpoint)
    time.sleep(1)
    return _copies(endpoint) == before


@contextlib.contextmanager
def _answering(codes: list[int]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, one each, and keeps what it was sent."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(codes[len(bodies) - 1])
            self.send_header("content-length", "0")
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
