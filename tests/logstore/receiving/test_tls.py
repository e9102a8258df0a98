"""HTTPS, with certificates of an authority of the test's own."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from pathlib import Path

import httpx
import pytest
from support.certificates import Certificates, certificates
from support.serving import PROTOBUF, Serving, aircon, new_store, serving, spans

from logstore.receiving.listening import _GOODBYE_S

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
            until(running, "certificates-not-reloaded", number)
            assert post(running, made.ca) == 200  # the old one stays in force

        made.server_key.write_bytes(fresh.server_key.read_bytes())
        running.process.send_signal(signal.SIGHUP)
        until(running, "certificates-reloaded")
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


def shown(made: Certificates) -> ssl.SSLContext:
    """A client that shows its certificate."""
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.client, made.client_key)
    return context


def talk(
    running: Serving, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession | None, bool]:
    """One request over a new connection: its session, and whether that was begun before."""
    url = httpx.URL(running.url)
    with (
        socket.create_connection((url.host, url.port or 0), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=url.host, session=session) as secure,
    ):
        secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        if not secure.recv(4096).startswith(b"HTTP/1.1 200"):
            raise ssl.SSLError("no answer")
        return secure.session, bool(secure.session_reused)


@pytest.mark.slow
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_hangup_takes_an_authority_away_and_drops_nobody(
    tmp_path: Path, made: Certificates, version: ssl.TLSVersion
) -> None:
    others = certificates(tmp_path / "others")
    authority = tmp_path / "clients.pem"
    authority.write_bytes(made.ca.read_bytes())
    context = shown(made)
    context.maximum_version = version
    with (
        serving(new_store(tmp_path), *options(made), "--tls-client-ca", authority) as running,
        httpx.Client(verify=shown(made), timeout=30, trust_env=False) as standing,
    ):
        assert standing.get(f"{running.url}/healthz").status_code == 200
        session, _ = talk(running, context)
        session, again = talk(running, context, session)
        assert again

        for number, wrong in enumerate((b"", b"no authority"), 1):
            authority.write_bytes(wrong)
            running.process.send_signal(signal.SIGHUP)
            until(running, "certificates-not-reloaded", number)
            assert post(running, made.ca, client=made) == 200

        authority.write_bytes(others.ca.read_bytes())
        for number in (1, 2):
            running.process.send_signal(signal.SIGHUP)
            until(running, "certificates-reloaded", number)
        with pytest.raises(httpx.TransportError):
            post(running, made.ca, client=made)
        with pytest.raises(OSError):
            talk(running, context, session)  # nor with a session begun before
        assert post(running, made.ca, client=others) == 200
        assert standing.get(f"{running.url}/healthz").status_code == 200  # as it stood
        assert running.stop() == 0


@pytest.mark.slow
def test_the_end_waits_for_who_is_sending_and_not_for_who_is_idle(
    tmp_path: Path, made: Certificates
) -> None:
    context = ssl.create_default_context(cafile=str(made.ca))
    body = spans(2, first=1).SerializeToString()
    head = f"POST /v1/traces HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in PROTOBUF.items())
    with (
        serving(new_store(tmp_path), *options(made)) as running,
        httpx.Client(verify=context, timeout=30, trust_env=False) as idle,
    ):
        assert idle.get(f"{running.url}/healthz").status_code == 200
        url = httpx.URL(running.url)
        with (
            socket.create_connection((url.host, url.port or 0), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=url.host) as sending,
        ):
            sending.sendall(head.encode() + b"\r\n" + body[:50])
            time.sleep(0.5)  # its request is under way
            running.process.send_signal(signal.SIGTERM)
            time.sleep(2 * _GOODBYE_S)
            sending.sendall(body[50:])
            assert sending.recv(4096).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert running.process.wait(60) == 0
        assert time.monotonic() - began < 15  # of the 30 seconds that requests are given
        assert len(running.sql("SELECT index FROM interactions")) == 2


def test_files_that_are_no_certificates_are_said_to_be(tmp_path: Path, made: Certificates) -> None:
    store = new_store(tmp_path)
    common = ("serve", "--store", store, "--insecure-no-passphrase", "--listen", "127.0.0.1:0")
    other = certificates(tmp_path / "other")
    for certificate, key in (
        (made.server, other.server_key),  # not its own
        (made.server_key, made.server_key),
        (tmp_path / "none", made.server_key),
        (tmp_path, made.server_key),
    ):
        ended = aircon(*common, "--tls-cert", certificate, "--tls-key", key)
        assert ended.returncode == 3, ended.stderr
        assert "can not be used" in ended.stderr
        assert "Traceback" not in ended.stderr
