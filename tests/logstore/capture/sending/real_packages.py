"""The packages openai and anthropic themselves, which are no dependency of ours.

Run by `tests/clients/test_our_client.py`, which knows where they are.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import pytest
from support.fake_endpoint import FakeEndpoint
from support.fake_provider import SECRET, FakeProvider

from logstore import capture

anthropic, httpx2, openai = map(importlib.import_module, ("anthropic", "httpx2", "openai"))

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Where is my refund?"}],
}
CLAUDE = {**ASK, "model": "claude-of-these-tests", "max_tokens": 50}


def text(found: Any) -> str:
    return str(found.output[0].parts[0].text)


@pytest.mark.parametrize("mode", ["closed", "open"])
def test_synchronous_clients(endpoint: FakeEndpoint, provider: FakeProvider, mode: Any) -> None:
    with (
        openai.OpenAI(base_url=f"{provider.url}/v1", api_key=SECRET, max_retries=0) as gpt,
        anthropic.Anthropic(base_url=provider.url, api_key=SECRET, max_retries=0) as claude,
        capture.client(endpoint.url, on_failure=mode) as log,
    ):
        reply = log.chat(gpt, **ASK, user="maria")
        assert reply.choices[0].message.content == "Hello Maria"
        assert provider.answer("/v1/chat/completions") is not None
        chunks = list(log.chat(gpt, **ASK, stream=True))
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert said == "Hello Maria\u2028!"
        assert log.responses(gpt, model="gpt-4o-mini", input="Hi").output_text == "Hello Maria"
        message = log.messages(claude, **CLAUDE, user="eve")
        assert message.content[0].text == "Hello Maria"
        events = list(log.messages(claude, **CLAUDE, stream=True))
        assert events[-1].type == "message_stop"
        with log.messages(claude, **CLAUDE, stream=True, hold_stream=False) as left:
            next(left)
    kinds = [(found.format, found.stream, found.stream_aborted) for found in endpoint.found]
    assert kinds == [
        ("openai.pair", False, False),
        ("openai.pair", True, False),
        ("openai.pair", False, False),
        ("anthropic.pair", False, False),
        ("anthropic.pair", True, False),
        ("anthropic.pair", True, True),
    ]
    expected = ["Hello Maria", "Hello Maria\u2028!", *["Hello Maria"] * 2, "Hello Maria\u2028!"]
    assert [text(found) for found in endpoint.found[:5]] == expected
    # The provider's own bytes on both ways, and the request's.
    assert provider.answer("/v1/chat/completions") in endpoint.raws[0]
    assert all(body in raw for (_, body), raw in zip(provider.asked, endpoint.raws, strict=True))
    assert b"[DONE]" in endpoint.raws[1]
    assert SECRET.encode() not in b"".join(endpoint.raws)


async def test_asynchronous_clients(endpoint: FakeEndpoint, provider: FakeProvider) -> None:
    gpt = openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key=SECRET, max_retries=0)
    claude = anthropic.AsyncAnthropic(base_url=provider.url, api_key=SECRET, max_retries=0)
    async with capture.client(endpoint.url) as log, gpt, claude:
        reply = await log.chat(gpt, **ASK)
        assert reply.choices[0].message.content == "Hello Maria"
        held = await log.chat(gpt, **ASK, stream=True)
        assert len([chunk async for chunk in held]) == 5
        message = await log.messages(claude, **CLAUDE)
        assert message.content[0].text == "Hello Maria"
        live = await log.messages(claude, **CLAUDE, stream=True, hold_stream=False)
        assert [event.type async for event in live][-1] == "message_stop"
        async with await log.chat(gpt, **ASK, stream=True, hold_stream=False) as left:
            await anext(left)
    assert [found.stream_aborted for found in endpoint.found] == [False] * 4 + [True]
    assert [text(found)[:5] for found in endpoint.found[:4]] == ["Hello"] * 4
    assert b"[DONE]" in endpoint.raws[1]
    assert b"event: message_stop" in endpoint.raws[3]


def test_their_errors_and_broken_streams(endpoint: FakeEndpoint, provider: FakeProvider) -> None:
    with (
        openai.OpenAI(base_url=f"{provider.url}/v1", api_key=SECRET, max_retries=0) as gpt,
        capture.client(endpoint.url) as log,
    ):
        provider.break_after = 3
        stream = log.chat(gpt, **ASK, stream=True)
        with pytest.raises(openai.APIConnectionError):
            list(stream)
        provider.status, provider.body = 429, b'{"error":{"code":"slow","message":"slow down"}}'
        with pytest.raises(openai.RateLimitError):
            log.chat(gpt, **ASK)
    broken, refused = endpoint.found
    assert broken.stream_aborted
    assert text(broken) == "Hello Maria"
    assert (refused.error_type, refused.http_status) == ("slow", 429)
    assert refused.input[0].parts[0].text == "Where is my refund?"


def test_a_recording_transport_below_them(endpoint: FakeEndpoint, provider: FakeProvider) -> None:
    with capture.client(endpoint.url) as log:
        http = httpx2.Client(transport=log.transport(httpx2.HTTPTransport()))
        with contextlib.closing(http):
            gpt = openai.OpenAI(base_url=f"{provider.url}/v1", api_key=SECRET, http_client=http)
            assert gpt.chat.completions.create(**ASK).choices[0].message.content == "Hello Maria"
            chunks = list(gpt.chat.completions.create(**ASK, stream=True))
            assert len(chunks) == 5
    assert [text(found)[:11] for found in endpoint.found] == ["Hello Maria"] * 2
    assert SECRET.encode() not in b"".join(endpoint.raws)
