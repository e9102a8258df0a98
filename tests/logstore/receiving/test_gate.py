"""Who gets in at a running endpoint, and what a changed token file does to it."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from support.serving import PROTOBUF, ROOT, Serving, new_store, serving, spans

from logstore.receiving.gate import OpenGate
from logstore.receiving.refusals import NotAdmitted
from logstore.receiving.tokenfile import add, revoke
from logstore.receiving.tokens import Token, Wish


def test_web_pages_do_not_get_in_on_loopback() -> None:
    gate = OpenGate()
    assert gate.admit(Headers({}), "write").source == "local"
    with pytest.raises(NotAdmitted) as caught:
        gate.admit(Headers({"origin": "https://evil.example"}), "write")
    assert caught.value.status == 403


def test_senders_need_their_token_until_it_is_revoked(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    _, text = add(tokens, Wish("gateway-key", "gateway"), _nobody)
    with serving(new_store(tmp_path), "--token-file", tokens) as found:
        assert _send(found, 1, {}) == 401
        assert _send(found, 1, {"authorization": "Bearer aircon_wrong"}) == 401
        assert _send(found, 1, {"authorization": f"Bearer {text}"}) == 200
        langfuse = base64.b64encode(f"pk-lf-1:{text}".encode()).decode()
        assert _send(found, 2, {"authorization": f"Basic {langfuse}"}) == 200
        assert found.sql("SELECT DISTINCT source FROM interactions") == [{"source": "live/gateway"}]

        revoke(tokens, "gateway-key", _nobody)
        deadline = time.monotonic() + 10
        while _send(found, 3, {"authorization": f"Bearer {text}"}) != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not [said for said in found.said if text in said]


def test_figures_are_for_this_machine_or_a_token_of_that_scope(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    add(tokens, Wish("a", "a"), _nobody)
    with serving(new_store(tmp_path), "--token-file", tokens) as found, found.client as client:
        assert client.get("/metrics").status_code == 200  # asked from this machine
        assert client.get("/v1/stop").status_code == 401
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["--listen", "0.0.0.0:0"], "TLS and a token file"),
        (["--listen", "[::]:0", "--token-file", "t"], "TLS"),
        (["--listen", "127.0.0.1:0", "--tls-cert", "c"], "--tls-key is missing"),
        (["--listen", "nowhere"], "HOST:PORT"),
        (["--token-file", "not-there"], "no token file"),
    ],
)
def test_it_refuses_to_be_open_to_others(tmp_path: Path, words: list[str], missing: str) -> None:
    store = new_store(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "console", "serve", "--store", store,
         "--insecure-no-passphrase", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def _send(found: Serving, number: int, headers: dict[str, str]) -> int:
    body = spans(1, first=number).SerializeToString()
    with found.client as client:
        return client.post("/v1/traces", content=body, headers={**PROTOBUF, **headers}).status_code


def _nobody(token: Token) -> None:
    """Tell nobody."""
