"""TLS, client certificates and tokens between the client and the real `aircon serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.certificates import certificates
from support.fake_provider import FakeProvider
from support.serving import aircon, new_store, serving

from logstore import capture
from logstore.capture.sending.refusals import EndpointAway

ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


def test_only_who_is_trusted_and_known_records(
    tmp_path: Path, provider: FakeProvider, sdk: Any
) -> None:
    store, own, others = (
        new_store(tmp_path),
        certificates(tmp_path / "own"),
        certificates(tmp_path / "others"),
    )
    made = aircon("token", "add", "support", "--store", store, "--insecure-no-passphrase")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    options = (
        "--tls-cert", own.server, "--tls-key", own.server_key, "--tls-client-ca", own.ca,
        "--token-file", tmp_path / "evidence.tokens",
    )  # fmt: skip
    known: dict[str, Any] = {"ca": own.ca, "cert": own.client, "cert_key": own.client_key}
    with serving(store, *options) as server:
        assert server.url.startswith("https://")
        with capture.client(server.url, token=token, **known) as log:
            log.chat(sdk, **ASK, user="maria")
        for strangers, words in (
            ({**known, "token": "wrong"}, "token is not accepted"),
            ({**known, "token": token, "ca": others.ca}, "certificate is not trusted"),
            ({**known, "token": token, "ca": None}, "certificate is not trusted"),
            ({"ca": own.ca, "token": token}, "The endpoint can not record"),
            (
                {
                    "ca": own.ca,
                    "token": token,
                    "cert": others.client,
                    "cert_key": others.client_key,
                },
                "The endpoint can not record",
            ),
        ):
            with (
                capture.client(server.url, timeout_s=3, **strangers) as log,
                pytest.raises(EndpointAway, match=words),
            ):
                log.chat(sdk, **ASK)
        (found,) = server.sql("select source from interactions")
    assert str(found["source"]).startswith("live/support/python-")
    assert len(provider.asked) == 1
