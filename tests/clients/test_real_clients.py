"""Real client libraries send to the real endpoint, and what they did is found again.

Each program of docs/capture works through every way of asking a small model server. Then the log is
held against the server's own diary: see `support.client_truth`. What a library loses stands in the
table below, so that an update which loses more, or less, is noticed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from clients.programs import scenes
from support.client_programs import new_token, run_program, surroundings
from support.client_truth import ABSENT, STATEMENT, TOOLS, UNOWNED, losses
from support.model_answers import GREETING
from support.model_server import ModelServer, model_server
from support.recipes import PROGRAMS, real, variables
from support.serving import Serving, aircon, new_store, serving

pytestmark = pytest.mark.slow

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True)
class Client:
    """One way of telling.

    Attributes:
        telemetry: the program of a page.
        calls: the application.
        environment: names of the page's variables.
        more: what a user would change in them.
        lost: what this library does not tell, and the gap that says so.
    """

    telemetry: str
    calls: str
    environment: tuple[str, ...]
    more: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


OPENAI = {"embed: asked": "content-not-captured"}
NAMELESS = {
    f"{scene}: {fact}": f"no-{fact.replace(' ', '-')}"
    for fact in ("request model", "response id")
    for scene in ("chat", "stream", "tool call", "tool result", "responses", "aborted")
}
LANGFUSE = NAMELESS | {
    "embed: request model": "no-request-model",
    "aborted: answered": "output-not-captured",
    "aborted: aborted": UNOWNED,
    "limited: error": UNOWNED,
    "failed: error": UNOWNED,
}
SESSIONLESS = {
    f"{scene}: session": UNOWNED
    for scene in ("chat", "stream", "tool call", "tool result", "embed", "limited")
}
EVENTS = ("EVENT_ONLY", "SPAN_AND_EVENT")

CLIENTS = {
    "otel-openai-spans": Client("otel_openai", "openai_calls", ("otel_openai",), lost=OPENAI),
    **{
        f"otel-openai-{mode.lower().replace('_', '-')}": Client(
            "otel_openai", "openai_calls", ("otel_openai", "events"), {CONTENT: mode}, OPENAI
        )
        for mode in EVENTS
    },
    "otel-openai-json": Client("otel_json_openai", "openai_calls", ("otel_openai",), lost=OPENAI),
    "otel-anthropic-spans": Client("otel_anthropic", "anthropic_calls", ("otel_anthropic",)),
    **{
        f"otel-anthropic-{mode.lower().replace('_', '-')}": Client(
            "otel_anthropic", "anthropic_calls", ("otel_anthropic", "events"), {CONTENT: mode}
        )
        for mode in EVENTS
    },
    "native-anthropic": Client(
        "native_anthropic",
        "anthropic_calls",
        ("native_anthropic",),
        lost={"aborted: answered": "output-not-captured"},
    ),
    "openinference-openai": Client("openinference_openai", "openai_calls", ("openinference",)),
    "openinference-anthropic": Client(
        "openinference_anthropic", "anthropic_calls", ("openinference",)
    ),
    "openinference-langchain": Client(
        "openinference_langchain",
        "langchain_calls",
        ("langchain",),
        lost={"stream: response id": "no-response-id"},
    ),
    "traceloop-openai": Client("traceloop_openai", "openai_calls", ("openinference",)),
    "traceloop-anthropic": Client(
        "traceloop_anthropic",
        "anthropic_calls",
        ("openinference",),
        # Traceloop makes no span of it; the client's own says that it was.
        lost=dict.fromkeys(
            ("aborted: asked", "aborted: system", "aborted: answered"), "content-not-captured"
        ),
    ),
    "litellm-generic": Client(
        "litellm_generic",
        "litellm_calls",
        (),
        lost={
            "stream: response model": "response-model-by-gateway",
            "chat: response id": "response-id-by-gateway",
        },
    ),
    "litellm-otel": Client(
        "litellm_otel",
        "litellm_calls",
        ("litellm_otel",),
        lost=SESSIONLESS
        | {"stream: response model": "no-response-model, response-model-by-gateway"},
    ),
    "langfuse": Client("langfuse_openai", "openai_calls", ("langfuse",), lost=LANGFUSE),
    "mlflow": Client("mlflow_openai", "openai_calls", ("mlflow",), lost={"aborted": ABSENT}),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_what_a_client_did_is_found_again(name: str, client_python: Path, tmp_path: Path) -> None:
    client = CLIENTS[name]
    store = new_store(tmp_path)
    token = new_token(store, name)
    with (
        model_server() as model,
        serving(store, "--token-file", f"{store}.tokens") as endpoint,
    ):
        _run(client_python, client, model, endpoint, token, tmp_path)
        assert not endpoint.events("fault")
        assert endpoint.stop() == 0
    rows, tools = endpoint.sql(STATEMENT), endpoint.sql(TOOLS)
    lost = losses(model.calls, rows, tools, who=(scenes.USER, scenes.SESSION), system=scenes.SYSTEM)
    assert lost == client.lost
    sources = {row["source"] for row in endpoint.sql("SELECT DISTINCT source FROM interactions")}
    assert sources == {f"live/{name}"}
    _search(store, "answered: chat" not in lost)
    verified = endpoint.verify()
    assert verified.returncode == 0, verified.stderr


def _run(
    python: Path, client: Client, model: ModelServer, endpoint: Serving, token: str, home: Path
) -> None:
    """Run one program with what its page says."""
    config = home / "litellm_proxy.yaml"
    page = (PROGRAMS / config.name).read_text("utf-8")
    config.write_text(real(page, endpoint.url, token), "utf-8")
    environment = surroundings(home, model.url) | {
        "LITELLM_CONFIG": str(config),
        "DEFAULT_FLUSH_INTERVAL_SECONDS": "1",
    }
    for each in client.environment:
        environment |= variables(each, endpoint.url, token)
    run_program(python, client.telemetry, client.calls, environment | client.more)


def _search(store: Path, has_answers: object) -> None:
    """What a responder would type."""
    for words, wanted in (
        ([f"{GREETING}needle-chat", "--field", "output"], has_answers),
        (["我的订单在哪里? أين طلبي؟ 🚀👩‍👩‍👧"], True),
        (["--user", scenes.USER], True),
        (["--errors"], True),
    ):
        found = aircon("search", *words, "--store", store, "--insecure-no-passphrase", "--json")
        assert found.returncode == 0, found.stderr
        assert bool([json.loads(line) for line in found.stdout.splitlines()]) == wanted, words
