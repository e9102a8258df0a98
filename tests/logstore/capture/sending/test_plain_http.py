"""Plain HTTP: what passes through a recording transport is recorded, and passes unchanged."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from support.fake_endpoint import FakeEndpoint
from support.fake_provider import SECRET, FakeProvider

from logstore import capture
from logstore.capture.sending.refusals import EndpointAway, NotRecorded

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "user": "maria"}
HEADERS = {"Authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize("mode", ["closed", "open"])
@pytest.mark.parametrize("packed", [False, True])
def test_answers_and_streams_pass_unchanged_and_are_recorded(
    endpoint: FakeEndpoint, provider: FakeProvider, mode: Any, packed: bool
) -> None:
    provider.packed = packed
    with (
        capture.client(endpoint.url, on_failure=mode) as log,
        httpx.Client(transport=log.transport(), base_url=provider.url, headers=HEADERS) as http,
    ):
        address = f"/v1/chat/completions?api-key={SECRET}&api-version=1"
        reply = http.post(address, json=ASK)
        assert reply.json()["id"] == "chatcmpl-1"
        assert reply.elapsed.total_seconds() >= 0
        with http.stream("POST", "/v1/chat/completions", json={**ASK, "stream": True}) as live:
            lines = list(live.iter_lines())
        assert lines[-2:] == ["data: [DONE]", ""]
        assert http.get("/v1/models").json() == {"object": "list", "data": []}
    whole, streamed = endpoint.found
    assert whole.output[0].parts[0].text == "Hello Maria"
    assert streamed.output[0].parts[0].text == "Hello Maria\u2028!"
    assert streamed.stream
    assert not streamed.stream_aborted
    assert [s.id for s in whole.subjects] == ["maria"] * len(whole.subjects)
    assert SECRET.encode() not in b"".join(endpoint.raws)
    assert b"api-version" not in b"".join(endpoint.raws)  # no query at all


def test_a_model_is_not_asked_over_http_either_while_nothing_can_be_recorded(
    provider: FakeProvider,
) -> None:
    with (
        capture.client("http://127.0.0.1:9", connect_s=0.5) as log,
        httpx.Client(transport=log.transport(), base_url=provider.url) as http,
    ):
        assert http.get("/v1/models").status_code == 200
        with pytest.raises(EndpointAway):
            http.post("/v1/chat/completions", json=ASK)
    assert provider.asked == []


def test_an_answer_over_http_is_withheld_where_it_is_not_recorded(
    endpoint: FakeEndpoint, provider: FakeProvider
) -> None:
    endpoint.answers.append((403, {}, b""))
    with (
        capture.client(endpoint.url) as log,
        httpx.Client(transport=log.transport(), base_url=provider.url) as http,
        pytest.raises(NotRecorded),
    ):
        http.post("/v1/chat/completions", json=ASK)


async def test_asynchronous_transports_do_the_same(
    endpoint: FakeEndpoint, provider: FakeProvider
) -> None:
    async with capture.client(endpoint.url, hold_stream=False) as log:
        transport = log.async_transport()
        async with httpx.AsyncClient(transport=transport, base_url=provider.url) as http:
            reply = await http.post("/v1/messages", json={**ASK, "max_tokens": 1})
            assert reply.json()["id"] == "msg_1"
            asked = {**ASK, "max_tokens": 1, "stream": True}
            async with http.stream("POST", "/v1/messages", json=asked) as live:
                body = b"".join([chunk async for chunk in live.aiter_bytes()])
            assert body.endswith(b'data: {"type": "message_stop"}\n\n')
            async with http.stream("POST", "/v1/messages", json=asked) as live:
                await anext(live.aiter_bytes(16))
    whole, streamed, left = endpoint.found
    assert whole.format == "anthropic.pair"
    assert streamed.output[0].parts[0].text == "Hello Maria\u2028!"
    assert not streamed.stream_aborted
    assert left.stream_aborted


def test_other_paths_are_recorded_where_they_are_named(
    endpoint: FakeEndpoint, provider: FakeProvider
) -> None:
    provider.body = b'{"model":"llama3","message":{"role":"assistant","content":"ok"}}'
    with (
        capture.client(endpoint.url) as log,
        httpx.Client(transport=log.transport(paths=("/api/chat",)), base_url=provider.url) as http,
    ):
        http.post("/api/chat", json=ASK)
        http.post("/v1/chat/completions", json=ASK)
    (found,) = endpoint.found
    assert found.request_model == "gpt-4o-mini"
    assert provider.body in endpoint.raws[0]


def test_a_connection_that_fails_is_recorded(endpoint: FakeEndpoint) -> None:
    with (
        capture.client(endpoint.url) as log,
        httpx.Client(transport=log.transport(), base_url="http://127.0.0.1:9") as http,
        pytest.raises(httpx.ConnectError),
    ):
        http.post("/v1/chat/completions", json=ASK)
    assert endpoint.found[0].error_type == "httpx.ConnectError"


def test_a_key_in_an_address_is_cut_out_of_what_errors_say(endpoint: FakeEndpoint) -> None:
    class Talkative(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadError(f"no answer from {request.url}")

    with (
        capture.client(endpoint.url) as log,
        httpx.Client(transport=log.transport(Talkative()), base_url="http://u:pw@h") as http,
        pytest.raises(httpx.ReadError),
    ):
        http.post(f"/v1/chat/completions?key={SECRET}", json=ASK)
    assert endpoint.found[0].error_message is not None
    assert "key=[secret]" in endpoint.found[0].error_message
    assert SECRET.encode() not in endpoint.raws[0]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>502 Bad Gateway</html>", "text/html"),
        (b"\xff\xfe\x00\x01" * 64, "application/octet-stream"),
        (b"", "application/json"),
        (b'{"choices": "none"', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "application/json"),
        (b'"\\ud800"', "application/json"),
        (b"data: {}\n\ndata: [DONE]\n\n", "text/event-stream"),
        (b"\xef\xbb\xbf{}", "application/json"),
    ],
)
def test_whatever_answers_is_evidence(
    endpoint: FakeEndpoint, provider: FakeProvider, body: bytes, kind: str
) -> None:
    provider.body, provider.content_type, provider.status = body, kind, 502
    with (
        capture.client(endpoint.url) as log,
        httpx.Client(transport=log.transport(), base_url=provider.url) as http,
    ):
        assert http.post("/v1/chat/completions", json=ASK).content == body
    (found,) = endpoint.found
    assert found.http_status == 502
    assert found.error_type == "http_502"
    assert found.input[0].parts[0].text == "Hi"
    assert json.loads(endpoint.raws[0])["status"] == 502


def test_requests_that_are_no_json_are_evidence_too(
    endpoint: FakeEndpoint, provider: FakeProvider
) -> None:
    provider.body = b"ok"
    with (
        capture.client(endpoint.url) as log,
        httpx.Client(transport=log.transport(), base_url=provider.url) as http,
    ):
        http.post("/v1/embeddings", content=b"\xff\x00binary")
        http.post("/v1/embeddings", content=b"plain text")
    assert [found.http_status for found in endpoint.found] == [200, 200]
    assert b"request_base64" in endpoint.raws[0]
    assert json.loads(endpoint.raws[1])["request_text"] == "plain text"


@pytest.mark.parametrize("mode", ["closed", "open"])
def test_a_hundred_megabytes_are_not_swallowed(
    endpoint: FakeEndpoint, provider: FakeProvider, mode: Any
) -> None:
    text = "x" * 100_000_000
    provider.body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    with (
        capture.client(endpoint.url, on_failure=mode, timeout_s=30) as log,
        httpx.Client(transport=log.transport(), base_url=provider.url, timeout=60) as http,
    ):
        if mode == "closed":
            with pytest.raises(NotRecorded):
                http.post("/v1/chat/completions", json=ASK)
        else:
            assert len(http.post("/v1/chat/completions", json=ASK).content) > len(text)
    (found,) = endpoint.found
    assert "truncated" in found.gaps
    assert found.request_model == "gpt-4o-mini"
    assert len(endpoint.raws[0]) < 3 * 2**20


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("streams", [True, False])
async def test_what_is_withheld_holds_no_connection(
    endpoint: FakeEndpoint,
    provider: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    hold: bool,
    streams: bool,
) -> None:
    from logstore.capture.sending import watching

    monkeypatch.setattr(watching, "MAX_EVIDENCE", 5_000)
    provider.words = ("x" * 1000,) * 50
    provider.body = None if streams else json.dumps({"text": "x" * 50_000}).encode()
    one = httpx.Limits(max_connections=1)
    asked = {**ASK, "stream": streams}
    kept: list[object] = []  # whoever keeps an error keeps all that its frames hold
    with capture.client(endpoint.url, hold_stream=hold) as log:
        with httpx.Client(
            transport=log.transport(httpx.HTTPTransport(limits=one)),
            base_url=provider.url,
            timeout=httpx.Timeout(10, pool=1),
        ) as http:
            for _ in range(3):
                with pytest.raises(NotRecorded) as refused:
                    http.post("/v1/chat/completions", json=asked)  # noqa: ASYNC212 - both kinds in one story
                kept.append(refused.value)
        async with httpx.AsyncClient(
            transport=log.async_transport(httpx.AsyncHTTPTransport(limits=one)),
            base_url=provider.url,
            timeout=httpx.Timeout(10, pool=1),
        ) as ahttp:
            for _ in range(3):
                with pytest.raises(NotRecorded) as refused:
                    await ahttp.post("/v1/chat/completions", json=asked)
                kept.append(refused.value)
    assert len(endpoint.found) == 6
    assert all("truncated" in found.gaps for found in endpoint.found)
