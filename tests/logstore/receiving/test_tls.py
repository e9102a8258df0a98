"""HTTPS, with certificates of an authority of the test's own."""

from __future__ import annotations

import signal
import ssl
import time
from pathlib import Path

import httpx
import pytest
from support.certificates import Certificates, certificates
from support.serving import PROTOBUF, Serving, aircon, new_store, serving, spans

TRIES_S = 15


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificates(tmp_path / "tls")


def post(running: Serving, trusted: Path, *, client: Certificates | None = None) -> int:
    """The answer code for some spans over a new connection."""
    context = ssl.create_default_context(cafile=str(trusted))
    if client is not None:
        context.load_cert_chain(client.client, client.client_key)
    body = spans(2, first=time.time_ns() % 10**12).SerializeToString()
    with httpx.Client(verify=context, timeout=30, trust_env=False) as sender:
        return sender.post(f"{running.url}/v1/traces", content=body, headers=PROTOBUF).status_code


def options(made: Certificates) -> tuple[str | Path, ...]:
    return ("--tls-cert", made.server, "--tls-key", made.server_key)


@pytest.mark.slow
def test_https_is_served_and_a_hangup_takes_a_new_certificate(
    tmp_path: Path, made: Certificates
) -> None:
    with serving(new_store(tmp_path), *options(made)) as running:
        assert running.url.startswith("https://")
        assert post(running, made.ca) == 200
        plain = running.url.replace("https:", "http:")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{plain}/healthz", trust_env=False)

        fresh = certificates(tmp_path / "fresh")
        with pytest.raises(httpx.ConnectError):  # not yet
            post(running, fresh.ca)
        for number, half in enumerate((b"no certificate", fresh.server.read_bytes()), 1):
            made.server.write_bytes(half)  # whose key is not there yet
            running.process.send_signal(signal.SIGHUP)
            until(running, "certificate-not-reloaded", number)
            assert post(running, made.ca) == 200  # the old one stays in force

        made.server_key.write_bytes(fresh.server_key.read_bytes())
        running.process.send_signal(signal.SIGHUP)
        until(running, "certificate-reloaded")
        assert post(running, fresh.ca) == 200
        with pytest.raises(httpx.ConnectError):
            post(running, made.ca)
        assert running.stop() == 0


def until(running: Serving, event: str, count: int = 1) -> None:
    """Wait for an event to have come so often."""
    deadline = time.monotonic() + TRIES_S
    while len(running.events(event)) < count:
        assert time.monotonic() < deadline, running.said
        time.sleep(0.02)


@pytest.mark.slow
def test_clients_show_a_certificate_where_one_is_asked_for(
    tmp_path: Path, made: Certificates
) -> None:
    strangers = certificates(tmp_path / "strangers")
    authority = ("--tls-client-ca", made.ca)
    with serving(new_store(tmp_path), *options(made), *authority) as running:
        assert post(running, made.ca, client=made) == 200
        with pytest.raises(httpx.TransportError):
            post(running, made.ca)
        with pytest.raises(httpx.TransportError):
            post(running, made.ca, client=strangers)
        assert post(running, made.ca, client=made) == 200
        assert running.stop() == 0
        rows = running.sql("SELECT count(*) AS n FROM interactions")
        assert rows == [{"n": 4}]  # and nothing of those who were refused


def test_files_that_are_no_certificates_are_said_to_be(tmp_path: Path, made: Certificates) -> None:
    store = new_store(tmp_path)
    common = ("serve", "--store", store, "--insecure-no-passphrase", "--listen", "127.0.0.1:0")
    other = certificates(tmp_path / "other")
    for certificate, key in (
        (made.server, other.server_key),  # not its own
        (made.server_key, made.server_key),
        (tmp_path / "none", made.server_key),
    ):
        ended = aircon(*common, "--tls-cert", certificate, "--tls-key", key)
        assert ended.returncode == 3, ended.stderr
        assert "can not be used" in ended.stderr
        assert "Traceback" not in ended.stderr
