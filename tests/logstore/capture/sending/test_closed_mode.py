"""on_failure="closed": nothing a model said is used before its record is stored."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from support.fake_endpoint import FakeEndpoint
from support.fake_provider import SECRET, FakeProvider
from support.sdk_twins import ApiError, async_twin

from logstore import capture
from logstore.capture.sending.refusals import CallsStopped, EndpointAway, NotRecorded
from logstore.errors import NotDurable, UsageError

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Where is my refund?"}],
}


def test_an_answer_is_recorded_in_the_providers_own_bytes_before_it_is_used(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    with capture.client(endpoint.url, application="support", environment="test") as log:
        reply = log.chat(sdk, **ASK, user="maria", temperature=0.2)
        assert reply["choices"][0]["message"]["content"] == "Hello Maria"
        assert len(endpoint.raws) == 1
    (found,) = endpoint.found
    assert found.format == "openai.pair"
    assert found.request_model == "gpt-4o-mini"
    assert found.response_model == "gpt-4o-mini-2024-07-18"
    assert {subject.id for subject in found.subjects} == {"maria"}
    assert found.input[0].parts[0].text == "Where is my refund?"
    assert found.output[0].parts[0].text == "Hello Maria"
    assert found.usage == {"input_tokens": 5, "output_tokens": 2}
    assert found.params == {"temperature": 0.2}
    assert (found.application, found.environment) == ("support", "test")
    assert found.start_us is not None
    assert found.end_us is not None
    assert found.start_us <= found.end_us
    assert found.http_status == 200
    # Byte for byte, line feeds and all, on both ways.
    assert provider.answer("/v1/chat/completions") in endpoint.raws[0]
    assert provider.asked[0][1] in endpoint.raws[0]


def test_keys_of_the_provider_and_of_the_endpoint_are_in_no_record(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    provider.body = json.dumps({"error": {"message": f"Incorrect API key: {SECRET}"}}).encode()
    provider.status = 401
    with capture.client(endpoint.url, token="aircon-token-1") as log, pytest.raises(ApiError):
        log.chat(sdk, **ASK)
    assert endpoint.tokens == ["Bearer aircon-token-1"]
    assert b"Incorrect API key: [secret]" in endpoint.raws[0]
    assert SECRET.encode() not in endpoint.raws[0]
    assert b"aircon-token-1" not in endpoint.raws[0]
    assert "aircon-token-1" not in repr(log._recorder.settings)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>Log in to this network</html>", "no aircon endpoint"),
        (200, b'{"stored":0,"rejected":0,"indexes":[]}', "0 of 1 records"),
        (200, b'{"stored":1,"rejected":1,"indexes":[null]}', "can not read"),
        (400, b'{"error":"not-json","message":"x"}', "400 (not-json)"),
        (401, b'{"error":"no-token"}', "token is not accepted"),
        (403, b"\xff\xfe", "may not write"),
        (413, b'{"error":"body too large! <secret content>"}', "answered 413."),
    ],
)
def test_an_answer_without_an_acknowledged_record_is_withheld(
    endpoint: FakeEndpoint, sdk: Any, status: int, body: bytes, words: str
) -> None:
    endpoint.answers.append((status, {}, body))
    with capture.client(endpoint.url) as log, pytest.raises(NotRecorded) as refused:
        log.chat(sdk, **ASK)
    assert isinstance(refused.value, NotDurable)
    assert words in refused.value.what
    assert len(refused.value.diagnostics()) == 3


def test_what_is_told_to_come_again_comes_again_with_the_same_number(
    endpoint: FakeEndpoint, sdk: Any
) -> None:
    endpoint.answers += [
        (503, {"Retry-After": "0"}, b'{"error":"disk-full"}'),
        (429, {"Retry-After": "0"}, b'{"error":"slow-down"}'),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b""),
    ]
    with capture.client(endpoint.url) as log:
        log.chat(sdk, **ASK)
        log.chat(sdk, **ASK)
    assert endpoint.numbers == [0, 1]


def test_waiting_ends_at_the_time_that_was_set(endpoint: FakeEndpoint, sdk: Any) -> None:
    with capture.client(endpoint.url, timeout_s=0.5) as log:
        endpoint.answers += [(503, {"Retry-After": "30"}, b"")]
        begun = time.monotonic()
        with pytest.raises(NotRecorded):
            log.chat(sdk, **ASK)
        endpoint.delay_s = 3
        with pytest.raises(NotRecorded, match="did not answer in time"):
            log.chat(sdk, **ASK)
        assert time.monotonic() - begun < 2.5


def test_no_model_is_called_while_nothing_can_be_recorded(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    with capture.client("http://127.0.0.1:9", connect_s=0.5) as log:
        with pytest.raises(EndpointAway) as refused:
            log.chat(sdk, **ASK)
        assert "The model was not called." in refused.value.diagnostics()
    endpoint.away = True
    with capture.client(endpoint.url) as log, pytest.raises(EndpointAway, match="draining"):
        log.chat(sdk, **ASK)
    assert provider.asked == []


def test_an_endpoint_that_comes_back_is_noticed(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    endpoint.away = True
    with capture.client(endpoint.url, check_s=0) as log:
        with pytest.raises(EndpointAway):
            log.chat(sdk, **ASK)
        endpoint.away = False
        log.chat(sdk, **ASK)
    assert len(endpoint.raws) == 1


def test_errors_of_the_provider_are_recorded_and_raised(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    provider.status, provider.body = 429, b'{"error":{"code":"rate_limit","message":"slow down"}}'
    with capture.client(endpoint.url) as log:
        with pytest.raises(ApiError):
            log.chat(sdk, **ASK, user="maria")
        endpoint.answers.append((403, {}, b""))
        with pytest.raises(NotRecorded) as refused:
            log.chat(sdk, **ASK)
    assert isinstance(refused.value.__context__, ApiError)
    (found,) = endpoint.found
    assert (found.error_type, found.error_message) == ("rate_limit", "slow down")
    assert found.http_status == 429


def test_a_call_that_gets_no_answer_is_recorded_too(endpoint: FakeEndpoint) -> None:
    from support.sdk_twins import ConnectionFailed, twin

    sdk = twin("http://127.0.0.1:9")
    with capture.client(endpoint.url) as log, pytest.raises(ConnectionFailed):
        log.chat(sdk, **ASK)
    sdk.close()
    (found,) = endpoint.found
    assert found.error_type == "support.sdk_twins.ConnectionFailed"
    assert found.error_message == "Connection error."
    assert found.input[0].parts[0].text == "Where is my refund?"


def test_responses_and_messages_are_recorded_in_their_own_formats(
    endpoint: FakeEndpoint, sdk: Any
) -> None:
    with capture.client(endpoint.url) as log:
        log.responses(sdk, model="gpt-4o-mini", input="Where is my refund?")
        log.messages(sdk, model="claude-sonnet-4-5", messages=ASK["messages"], user="maria")
    first, second = endpoint.found
    assert (first.format, first.dialect) == ("openai.pair", "responses")
    assert (second.format, second.provider) == ("anthropic.pair", "anthropic")
    assert [s.id for s in second.subjects] == ["maria"]
    assert [found.output[0].parts[0].text for found in endpoint.found] == ["Hello Maria"] * 2


def test_a_client_without_raw_answers_is_recorded_by_what_it_gives(
    endpoint: FakeEndpoint,
) -> None:
    from types import SimpleNamespace

    from support.fake_provider import chat_answer, chat_chunks

    class Completions:
        def create(self, **request: Any) -> Any:
            return iter(chat_chunks("a", "b")) if request.get("stream") else chat_answer("whole")

    plain = SimpleNamespace(chat=SimpleNamespace(completions=Completions()))
    with capture.client(endpoint.url) as log:
        log.chat(plain, **ASK, extra_headers={"Authorization": SECRET}, extra_body={"user": "eve"})
        assert len(list(log.chat(plain, **ASK, stream=True))) == 4
    whole, streamed = endpoint.found
    assert whole.output[0].parts[0].text == "whole"
    assert [s.id for s in whole.subjects] == ["eve"]
    assert streamed.output[0].parts[0].text == "ab"
    assert not streamed.stream_aborted
    assert SECRET.encode() not in b"".join(endpoint.raws)


async def test_an_asynchronous_client_gives_awaitables(
    endpoint: FakeEndpoint, provider: FakeProvider
) -> None:
    sdk = async_twin(provider.url)
    async with capture.client(endpoint.url) as log:
        with log.session(user="maria", session="s-1", conversation="c-1"):
            reply = await log.chat(sdk, **ASK)
        assert reply["id"] == "chatcmpl-1"
        endpoint.answers.append((403, {}, b""))
        with pytest.raises(NotRecorded):
            await log.chat(sdk, **ASK)
    await sdk.close()
    (found,) = endpoint.found
    assert (found.session_id, found.conversation_id) == ("s-1", "c-1")
    assert [s.id for s in found.subjects] == ["maria"]


def test_many_threads_leave_no_gap_in_the_numbers(endpoint: FakeEndpoint, sdk: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with capture.client(endpoint.url) as log, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: log.chat(sdk, **ASK), range(40)))
        assert log.status().recorded == 40
    assert sorted(endpoint.numbers) == list(range(40))
    assert len({source for source, _, _ in endpoint.arrivals}) == 1


def test_a_stop_file_stops_calls_before_the_model(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any, tmp_path: Any
) -> None:
    stop = tmp_path / "stop"
    with capture.client(endpoint.url, stop_file=stop) as log:
        log.chat(sdk, **ASK)
        stop.write_text("INC-7: leaking\x1b[31m prompts\nmore")
        with pytest.raises(CallsStopped) as stopped:
            log.chat(sdk, **ASK)
        assert stopped.value.reason == "INC-7: leaking [31m prompts"
        stop.unlink()
        log.chat(sdk, **ASK)
    assert len(provider.asked) == 2


@pytest.mark.parametrize("mode", ["closed", "open"])
def test_the_endpoints_kill_switch_stops_calls_in_both_modes(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any, mode: Any
) -> None:
    endpoint.stop = {"stopped": True, "reason": "INC-8"}
    with capture.client(endpoint.url, on_failure=mode, check_s=0) as log:
        with pytest.raises(CallsStopped, match="INC-8"):
            log.chat(sdk, **ASK)
        endpoint.stop = {"stopped": False}
        log.chat(sdk, **ASK)
        endpoint.stop = None  # an endpoint that has no kill switch
        log.chat(sdk, **ASK)
    assert len(provider.asked) == 2


def test_the_kill_switch_is_asked_for_now_and_then_only(endpoint: FakeEndpoint, sdk: Any) -> None:
    with capture.client(endpoint.url, check_s=60) as log:
        for _ in range(5):
            log.chat(sdk, **ASK)
    assert endpoint.stop_asked == 1


@pytest.mark.parametrize(
    ("endpoint_url", "options", "words"),
    [
        ("http://logs.example.com:4318", {}, "shows every record"),
        ("ftp://127.0.0.1", {}, "an address like"),
        ("https://token@logs.example.com", {}, "use token="),
        ("http://127.0.0.1:1", {"on_failure": "maybe"}, "closed"),
        ("http://127.0.0.1:1", {"tokn": "x"}, "no option tokn"),
        ("http://127.0.0.1:1", {"application": "Maria's laptop"}, "application takes"),
        ("http://127.0.0.1:1", {"timeout_s": 0}, "seconds"),
        ("http://127.0.0.1:1", {"cert_key": "k"}, "needs cert"),
        ("https://127.0.0.1:1", {"ca": "/nowhere/ca.pem"}, "certificate file"),
        ("http://127.0.0.1:1", {"timeout_s": "soon"}, "timeout_s"),
    ],
)
def test_what_can_not_be_meant_is_said_at_once(
    endpoint_url: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        capture.client(endpoint_url, **options)


def test_a_closed_client_calls_nothing(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    log = capture.client(endpoint.url)
    assert log.close()
    assert log.close()
    with pytest.raises(UsageError, match="closed"):
        log.chat(sdk, **ASK)
    assert provider.asked == []


def test_after_one_answer_withheld_the_model_is_not_called_in_vain(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    with capture.client(endpoint.url, check_s=60, timeout_s=0.3) as log:
        log.chat(sdk, **ASK)
        endpoint.away = True
        with pytest.raises(NotRecorded):
            log.chat(sdk, **ASK)
        with pytest.raises(EndpointAway):
            log.chat(sdk, **ASK)
    assert len(provider.asked) == 2


def test_a_users_absence_is_nobodys_name(endpoint: FakeEndpoint) -> None:
    from types import SimpleNamespace
    from uuid import UUID

    from support.fake_provider import chat_answer

    plain = SimpleNamespace(
        chat=SimpleNamespace(completions=SimpleNamespace(create=lambda **_: chat_answer()))
    )
    with capture.client(endpoint.url) as log:
        for user in (object(), None, "", True, 17, UUID(int=1)):
            log.chat(plain, model="m", messages=[], user=user)
    named = [[s.id for s in found.subjects if s.field == "pair.user"] for found in endpoint.found]
    assert named == [[], [], [], [], ["17"], [str(UUID(int=1))]]
