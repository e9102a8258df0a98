"""Streaming answers: captured whole, held until recorded, and aborted ones recorded as such."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from support.fake_endpoint import FakeEndpoint
from support.fake_provider import FakeProvider
from support.sdk_twins import async_twin
from support.waiting import until

from logstore import capture
from logstore.capture.sending import watching
from logstore.capture.sending.refusals import NotRecorded

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Where is my refund?"}],
    "stream": True,
}
CLAUDE = {**ASK, "model": "claude-sonnet-4-5", "max_tokens": 100}


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


def test_a_held_stream_is_recorded_before_its_first_chunk(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    with capture.client(endpoint.url) as log:
        stream = log.chat(sdk, **ASK, user="maria")
        assert len(endpoint.raws) == 1
        assert text_of(list(stream)) == "Hello Maria\u2028!"
    (found,) = endpoint.found
    assert found.stream
    assert not found.stream_aborted
    assert found.output[0].parts[0].text == "Hello Maria\u2028!"
    assert found.finish_reasons == ["stop"]
    assert found.ttft_us is not None
    assert found.ttft_us >= 0


def test_a_held_stream_that_is_not_recorded_gives_nothing(endpoint: FakeEndpoint, sdk: Any) -> None:
    endpoint.answers.append((403, {}, b""))
    with capture.client(endpoint.url) as log, pytest.raises(NotRecorded):
        log.chat(sdk, **ASK)


def test_a_live_stream_keeps_its_last_chunk_until_it_is_recorded(
    endpoint: FakeEndpoint, sdk: Any
) -> None:
    with capture.client(endpoint.url, hold_stream=False) as log:
        stream = log.chat(sdk, **ASK)
        first = [next(stream) for _ in range(4)]
        assert endpoint.raws == []
        last = next(stream)
        assert last["choices"][0]["finish_reason"] == "stop"
        assert len(endpoint.raws) == 1
        assert list(stream) == []
        assert text_of([*first, last]) == "Hello Maria\u2028!"

        endpoint.answers.append((403, {}, b""))
        given = []
        with pytest.raises(NotRecorded):
            given.extend(log.chat(sdk, **ASK))
    assert not endpoint.found[0].stream_aborted
    assert len(endpoint.raws) == 1


def test_a_stream_of_anthropic_is_put_together_again(endpoint: FakeEndpoint, sdk: Any) -> None:
    with capture.client(endpoint.url) as log:
        events = list(log.messages(sdk, **CLAUDE))
    assert [event["type"] for event in events][-1] == "message_stop"
    (found,) = endpoint.found
    assert found.format == "anthropic.pair"
    assert found.output[0].parts[0].text == "Hello Maria\u2028!"
    assert found.finish_reasons == ["end_turn"]
    assert not found.stream_aborted


@pytest.mark.parametrize("hold", [True, False])
def test_a_stream_that_breaks_is_recorded_as_aborted_and_breaks_for_the_caller(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any, hold: bool
) -> None:
    import httpx

    provider.break_after = 3
    with capture.client(endpoint.url, hold_stream=hold) as log:
        stream = log.chat(sdk, **ASK)
        got = []
        with pytest.raises(httpx.RemoteProtocolError):
            got.extend(stream)
    (found,) = endpoint.found
    assert found.stream_aborted
    assert found.output[0].parts[0].text == "Hello Maria"
    assert found.error_type == "httpx.RemoteProtocolError"
    assert text_of(got) == ("Hello Maria" if hold else "Hello")  # live: one chunk is held back


def leave_by_close(stream: Any) -> None:
    next(stream)
    next(stream)
    stream.close()
    stream.close()


def leave_by_an_exception(stream: Any) -> None:
    def read() -> None:
        with stream:
            next(stream)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read()


def leave_by_forgetting(stream: Any) -> None:
    next(stream)


@pytest.mark.parametrize("mode", ["closed", "open"])
@pytest.mark.parametrize("leave", [leave_by_close, leave_by_an_exception, leave_by_forgetting])
def test_a_reader_who_leaves_leaves_an_aborted_record(
    endpoint: FakeEndpoint, sdk: Any, mode: Any, leave: Callable[[Any], None]
) -> None:
    with capture.client(endpoint.url, on_failure=mode, hold_stream=False) as log:
        leave(log.chat(sdk, **ASK))
        gc.collect()
        until(lambda: endpoint.found)
    (found,) = endpoint.found
    assert found.stream_aborted
    assert found.input[0].parts[0].text == "Where is my refund?"


async def test_asynchronous_streams_are_held_passed_on_and_left_alike(
    endpoint: FakeEndpoint, provider: FakeProvider
) -> None:
    sdk = async_twin(provider.url)
    async with capture.client(endpoint.url) as log:
        stream = await log.chat(sdk, **ASK)
        assert len(endpoint.raws) == 1
        assert text_of([chunk async for chunk in stream]) == "Hello Maria\u2028!"

        live = await log.chat(sdk, **ASK, hold_stream=False)
        assert text_of([chunk async for chunk in live]) == "Hello Maria\u2028!"

        left = await log.chat(sdk, **ASK, hold_stream=False)
        async with left:
            await anext(left)
    await sdk.close()
    assert [found.stream_aborted for found in endpoint.found] == [False, False, True]


async def test_a_cancelled_task_leaves_an_aborted_record(
    endpoint: FakeEndpoint, provider: FakeProvider
) -> None:
    class Hanging:
        async def create(self, **_: Any) -> Any:
            async def chunks() -> Any:
                yield {"choices": [{"index": 0, "delta": {"content": "par"}}]}
                await asyncio.sleep(60)

            return chunks()

    from types import SimpleNamespace

    sdk = SimpleNamespace(chat=SimpleNamespace(completions=Hanging()))
    async with capture.client(endpoint.url) as log:

        async def ask() -> None:
            await log.chat(sdk, **ASK)

        task = asyncio.create_task(ask())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (found,) = endpoint.found
    assert found.stream_aborted
    assert found.output[0].parts[0].text == "par"
    assert found.error_type == "asyncio.exceptions.CancelledError"


def test_a_stream_longer_than_can_be_recorded_is_cut_off_in_closed_mode(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_EVIDENCE", 50_000)
    provider.words = ("x" * 1000,) * 200
    with (
        capture.client(endpoint.url) as log,
        pytest.raises(NotRecorded, match="longer than 50,000 bytes"),
    ):
        log.chat(sdk, **ASK)
    (found,) = endpoint.found
    assert found.stream_aborted
    assert "truncated" in found.gaps
    with capture.client(endpoint.url, on_failure="open") as log:
        assert len(text_of(list(log.chat(sdk, **ASK)))) == 200_000
    assert "truncated" in endpoint.found[1].gaps


def test_the_providers_stream_can_still_be_asked(endpoint: FakeEndpoint, sdk: Any) -> None:
    with capture.client(endpoint.url) as log:
        stream = log.chat(sdk, **ASK)
        assert stream.response.headers["x-request-id"] == "req-17"
        with pytest.raises(AttributeError):
            _ = stream.nothing_of_the_kind
