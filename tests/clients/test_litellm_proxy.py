"""The real LiteLLM proxy, without a database, between OpenAI's client and the model server."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from clients.programs import scenes
from support.client_programs import free_port, new_token, run_program, surroundings
from support.client_truth import STATEMENT, TOOLS, losses
from support.model_server import ModelServer, model_server
from support.recipes import PROGRAMS, real, variables
from support.serving import Serving, new_store, serving

pytestmark = pytest.mark.slow

GENERIC = (PROGRAMS / "litellm_proxy.yaml").read_text("utf-8")
OTEL = GENERIC.partition("litellm_settings:")[0] + 'litellm_settings:\n  callbacks: ["otel"]\n'
REWRITTEN = dict.fromkeys(
    ("chat: response model", "stream: response model"), "response-model-by-gateway"
)
KEY = f"sk-{secrets.token_hex(24)}"


def test_calls_through_the_proxy_are_found_again_also_those_made_while_aircon_was_away(
    client_python: Path, tmp_path: Path
) -> None:
    store = new_store(tmp_path)
    token, address = new_token(store, "gateway"), f"127.0.0.1:{free_port()}"
    more = {"DEFAULT_FLUSH_INTERVAL_SECONDS": "1"}
    config = real(GENERIC, f"http://{address}", token)
    with (
        model_server() as model,
        proxy(client_python, config, tmp_path, surroundings(tmp_path, model.url) | more) as url,
    ):
        with _serving(store, address) as endpoint:
            _call(client_python, url, tmp_path)
            _until(endpoint, 2)
        _call(client_python, url, tmp_path)
        time.sleep(2)  # the proxy tries, in vain
        with _serving(store, address) as endpoint:
            _until(endpoint, 4)
    assert _lost(endpoint, model) == REWRITTEN
    (who,) = endpoint.sql("SELECT DISTINCT user_ids, actor, client_address, source FROM calls")
    assert who == {
        "user_ids": [scenes.USER],
        "actor": "litellm_proxy_master_key",
        "client_address": "127.0.0.1",
        "source": "live/gateway",
    }
    assert endpoint.verify().returncode == 0


def test_the_proxys_otel_callback_names_the_person_too(client_python: Path, tmp_path: Path) -> None:
    store = new_store(tmp_path)
    token, address = new_token(store, "gateway"), f"127.0.0.1:{free_port()}"
    with model_server() as model, _serving(store, address) as endpoint:
        environment = surroundings(tmp_path, model.url)
        environment |= variables("litellm_otel", endpoint.url, token)
        environment["OTEL_BSP_SCHEDULE_DELAY"] = "500"
        with proxy(client_python, OTEL, tmp_path, environment) as url:
            _call(client_python, url, tmp_path)
            _until(endpoint, 2)
    assert _lost(endpoint, model) == {
        "chat: session": "no gap says so",
        "stream: session": "no gap says so",
        "stream: response model": "no-response-model, response-model-by-gateway",
    }
    (who,) = endpoint.sql("SELECT DISTINCT user_ids FROM interactions")
    assert who == {"user_ids": [scenes.USER]}


@contextlib.contextmanager
def proxy(python: Path, config: str, home: Path, environment: dict[str, str]) -> Iterator[str]:
    """`litellm --config`, until the block ends; yields where it listens."""
    (home / "config.yaml").write_text(config, "utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "proxy.log").open("w") as log:
        process = subprocess.Popen(
            [python.with_name("litellm"), *options],
            cwd=home,
            env=environment | {"LITELLM_MASTER_KEY": KEY},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(process, url, home / "proxy.log")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health/readiness", trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8"))


@contextlib.contextmanager
def _serving(store: Path, address: str) -> Iterator[Serving]:
    with serving(store, "--token-file", f"{store}.tokens", listen=address) as endpoint:
        yield endpoint
        assert not endpoint.events("fault")


def _call(python: Path, url: str, home: Path) -> None:
    """An application that believes to talk to OpenAI."""
    environment = surroundings(home, url) | {"OPENAI_API_KEY": KEY}
    run_program(python, "through_a_proxy", "proxied_calls", environment)


def _until(endpoint: Serving, calls: int) -> None:
    deadline = time.monotonic() + 90
    while endpoint.sql("SELECT count(DISTINCT response_id) AS n FROM calls") != [{"n": calls}]:
        assert time.monotonic() < deadline, endpoint.sql("SELECT * FROM calls")
        time.sleep(0.2)


def _lost(endpoint: Serving, model: ModelServer) -> dict[str, str]:
    rows, tools = endpoint.sql(STATEMENT), endpoint.sql(TOOLS)
    who = (scenes.USER, scenes.SESSION)
    return losses(model.calls, rows, tools, who=who, system=scenes.SYSTEM)
