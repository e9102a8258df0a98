"""Real clients send over HTTPS as docs/capture/tls.md says, and are told whom to trust."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients.programs import scenes
from support.certificates import Certificates, certificates
from support.client_programs import new_token, run_program, surroundings
from support.model_server import ModelServer, model_server
from support.recipes import PROGRAMS, real, variables
from support.rotel import rotel
from support.serving import Serving, new_store, serving
from support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    own = certificates(tmp_path / "tls")
    shutil.copy(own.ca, own.ca.with_name("all.pem"))  # there is no other authority to trust here
    return own


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def test_exporters_trust_the_named_authority_and_show_their_own_certificate(
    client_python: Path, made: Certificates, model: ModelServer, tmp_path: Path
) -> None:
    store = new_store(tmp_path)
    token = new_token(store, "app")
    own, to_us = _told(made, "otel-mutual-tls"), _told(made, "otel-tls")
    with serving(store, *_options(store, made), "--tls-client-ca", made.ca) as endpoint:

        def work(more: dict[str, str]) -> set[str]:
            """Ids of what was answered in one run of a program."""
            before = _answered(model)
            environment = surroundings(tmp_path, model.url)
            environment |= variables("otel_openai", endpoint.url, token)
            run_program(client_python, "otel_openai", "openai_calls", environment | more)
            return _answered(model) - before

        expected = work(to_us | own)
        assert expected
        assert _found(endpoint) == expected
        assert work(to_us | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"})  # and nobody heard of it
        assert _found(endpoint) == expected


def test_rotel_trusts_the_named_authority(
    client_python: Path, rotel_agent: Path, made: Certificates, model: ModelServer, tmp_path: Path
) -> None:
    store = new_store(tmp_path)
    token = new_token(store, "app")
    with (
        serving(store, *_options(store, made)) as endpoint,
        rotel(rotel_agent, endpoint.url, token, **_told(made, "rotel-tls")) as collector,
    ):
        environment = surroundings(tmp_path, model.url)
        environment |= variables("otel_openai", collector.http, token)
        run_program(client_python, "otel_openai", "openai_calls", environment)
        until(lambda: _found(endpoint) == _answered(model))


@pytest.mark.parametrize(
    ("telemetry", "calls"),
    [("litellm_generic", "litellm_calls"), ("langfuse_openai", "openai_calls")],
)
def test_clients_of_other_makers_trust_the_named_authority(
    telemetry: str,
    calls: str,
    client_python: Path,
    made: Certificates,
    model: ModelServer,
    tmp_path: Path,
) -> None:
    store = new_store(tmp_path)
    token = new_token(store, "app")
    with serving(store, *_options(store, made)) as endpoint:
        config = tmp_path / "litellm_proxy.yaml"
        page = (PROGRAMS / config.name).read_text("utf-8")
        config.write_text(real(page, endpoint.url, token), "utf-8")
        environment = surroundings(tmp_path, model.url) | _told(made, "all-tls")
        environment |= variables("langfuse", endpoint.url, token)
        environment |= {"LITELLM_CONFIG": str(config), "DEFAULT_FLUSH_INTERVAL_SECONDS": "1"}
        run_program(client_python, telemetry, calls, environment)
        rows = endpoint.sql("SELECT DISTINCT user_ids, source FROM interactions")
    assert rows == [{"user_ids": [scenes.USER], "source": "live/app"}]


def _options(store: Path, made: Certificates) -> tuple[str | Path, ...]:
    tls = ("--tls-cert", made.server, "--tls-key", made.server_key)
    return (*tls, "--token-file", f"{store}.tokens")


def _told(made: Certificates, *names: str) -> dict[str, str]:
    """The page's variables with the files of this test."""
    found: dict[str, str] = {}
    for name in names:
        found |= variables(name, "", "")
    return {key: value.replace("/etc/aircon", str(made.ca.parent)) for key, value in found.items()}


def _answered(model: ModelServer) -> set[str]:
    return {str(call.answer["id"]) for call in model.calls if "id" in call.answer}


def _found(endpoint: Serving) -> set[str]:
    rows = endpoint.sql("SELECT DISTINCT response_id AS id FROM calls")
    return {str(row["id"]) for row in rows if row["id"]}
