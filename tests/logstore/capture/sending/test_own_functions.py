"""`@log.interaction` and `log.record`: what no provider's format describes."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.fake_endpoint import FakeEndpoint
from support.fake_provider import SECRET

from logstore import capture
from logstore.capture.sending.refusals import CallsStopped, NotRecorded
from logstore.errors import UsageError


@dataclasses.dataclass
class Ticket:
    number: int
    text: str


class Client:
    """Holds a key, as clients do."""

    def __init__(self) -> None:
        self.api_key = SECRET

    def __repr__(self) -> str:
        return f"Client({SECRET})"


class Nasty:
    """Fails at everything."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__

    def model_dump(self, **_: Any) -> Any:
        raise RuntimeError("no")


def text(message: Any) -> str:
    return str(message[0].parts[0].text)


def test_a_function_is_recorded_with_its_arguments_and_its_result(endpoint: FakeEndpoint) -> None:
    with capture.client(endpoint.url, application="triage") as log:

        @log.interaction
        def classify(question: str) -> str:
            """Say what it is."""
            return "refund"

        @log.interaction(agent="router", model="house-7b", provider="in-house")
        def route(ticket: Ticket, *, client: Client, limit: int = 3) -> dict[str, Any]:
            return {"queue": ticket.number}

        with log.session(user="maria", session="s-1"):
            assert classify("Where is my money?") == "refund"
        assert route(Ticket(7, "lost"), client=Client()) == {"queue": 7}
        assert classify.__doc__ == "Say what it is."
        assert list(inspect.signature(classify).parameters) == ["question"]
    first, second = endpoint.found
    assert (text(first.input), text(first.output)) == ("Where is my money?", "refund")
    assert first.agent is not None
    assert first.agent.endswith("classify")
    assert first.application == "triage"
    assert (first.subjects[0].id, first.session_id) == ("maria", "s-1")
    assert (second.agent, second.request_model, second.provider) == (
        "router",
        "house-7b",
        "in-house",
    )
    assert '"text":"lost"' in text(second.input)
    assert "test_own_functions.Client" in text(second.input)
    assert SECRET.encode() not in b"".join(endpoint.raws)


def test_an_exception_is_recorded_and_raised_again(endpoint: FakeEndpoint) -> None:
    with capture.client(endpoint.url) as log:

        @log.interaction
        def fails(question: str) -> str:
            raise ZeroDivisionError(f"cannot divide {question}")

        with pytest.raises(ZeroDivisionError):
            fails("1 by 0")
        with pytest.raises(TypeError):
            fails()  # type: ignore[call-arg]
    first, second = endpoint.found
    assert (first.error_type, first.error_message) == (
        "builtins.ZeroDivisionError",
        "cannot divide 1 by 0",
    )
    assert second.error_type == "builtins.TypeError"


def test_a_result_is_withheld_where_it_is_not_recorded(endpoint: FakeEndpoint) -> None:
    called = []
    with capture.client(endpoint.url, check_s=0) as log:

        @log.interaction
        def answer(question: str) -> str:
            called.append(question)
            return "yes"

        endpoint.answers.append((403, {}, b""))
        with pytest.raises(NotRecorded):
            answer("now?")
        endpoint.stop = {"stopped": True, "reason": "INC-1"}
        with pytest.raises(CallsStopped):
            answer("and now?")
    assert called == ["now?"]


def test_generators_are_recorded_when_they_end_or_are_left(endpoint: FakeEndpoint) -> None:
    with capture.client(endpoint.url) as log:

        @log.interaction
        def words(count: int) -> Iterator[str]:
            for number in range(count):
                yield f"w{number} "

        assert list(words(3)) == ["w0 ", "w1 ", "w2 "]
    with capture.client(endpoint.url, on_failure="open") as log:
        open_words = log.interaction(words.__wrapped__)  # type: ignore[attr-defined]
        for word in open_words(5):
            if word == "w1 ":
                break
    held, left = endpoint.found
    assert text(held.output) == "w0 w1 w2 "
    assert (held.stream, held.stream_aborted) == (True, False)
    assert text(left.output) == "w0 w1 "
    assert left.stream_aborted


async def test_coroutines_and_asynchronous_generators_are_recorded(endpoint: FakeEndpoint) -> None:
    async with capture.client(endpoint.url) as log:

        @log.interaction
        async def answer(question: str) -> str:
            await asyncio.sleep(0)
            return question.upper()

        @log.interaction
        async def words(question: str) -> AsyncIterator[str]:
            for word in question.split():
                yield word

        assert await answer("hi") == "HI"
        assert [word async for word in words("a b c")] == ["a", "b", "c"]

        @log.interaction
        async def hangs() -> None:
            await asyncio.sleep(60)

        task = asyncio.create_task(hangs())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    first, second, third = endpoint.found
    assert (text(first.output), text(second.output)) == ("HI", "abc")
    assert third.error_type == "asyncio.exceptions.CancelledError"


def test_methods_are_recorded_without_their_object(endpoint: FakeEndpoint) -> None:
    with capture.client(endpoint.url) as log:

        class Agent(Client):
            @log.interaction
            def answer(self, question: str) -> str:
                return f"{question}!"

        assert Agent().answer("hi") == "hi!"
    assert text(endpoint.found[0].input) == "hi"


def test_what_happened_elsewhere_can_be_recorded(endpoint: FakeEndpoint) -> None:
    with capture.client(endpoint.url) as log:
        index = log.record(
            [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
            "Hello",
            user="maria",
            session=17,
            model="house-7b",
            provider="in-house",
            usage={"input_tokens": 12},
            tool_names=["search"],
        )
        assert index == 0
        with pytest.raises(UsageError, match="no member modle"):
            log.record("Hi", modle="house-7b")
        with pytest.raises(UsageError, match="no interaction"):
            log.record("Hi", usage="many")
        with pytest.raises(UsageError, match="no member subjects"):
            log.record("Hi", subjects=[])
    (found,) = endpoint.found
    assert [message.role for message in found.input] == ["system", "user"]
    assert found.usage == {"input_tokens": 12}
    assert (found.request_model, found.session_id) == ("house-7b", "17")


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Nasty(),
        {"nasty": Nasty(), 1: 2, None: 3, (1, 2): "tuple"},
        [float("nan"), float("inf"), 10**400, -(2**64)],
        "lone \ud800 surrogate",
        {"lone \udfff": "\ud800"},
        b"\xff\x00",
        lambda: SECRET,
        {1, 2, 3},
        Client(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_is_recorded_never_fails_and_tells_no_secret(
    endpoint: FakeEndpoint, value: object
) -> None:
    loop: list[object] = [value]
    loop.append(loop)
    deep: object = value
    for _ in range(5_000):
        deep = [deep]
    with capture.client(endpoint.url) as log:
        log.record(value, value)
        log.record(loop, deep)
        log.record("x", extra={"value": value})
    assert len(endpoint.found) == 3
    assert SECRET.encode() not in b"".join(endpoint.raws)


def test_sessions_nest_and_belong_to_their_task(endpoint: FakeEndpoint) -> None:
    async def speak(log: Any, user: str) -> None:
        with log.session(user=user):
            await asyncio.sleep(0.01)
            log.record(f"I am {user}")

    async def both(log: Any) -> None:
        with log.session(session="s", conversation="c"):
            await asyncio.gather(speak(log, "maria"), speak(log, "otto"))

    with capture.client(endpoint.url, on_failure="open") as log:
        asyncio.run(both(log))
    for found in endpoint.found:
        assert text(found.input) == f"I am {found.subjects[0].id}"
        assert (found.session_id, found.conversation_id) == ("s", "c")


def test_text_that_is_too_long_is_cut_and_said_so(endpoint: FakeEndpoint) -> None:
    with capture.client(endpoint.url) as log:
        log.record("x" * 30_000_000, ["y" * 1_000_000] * 30)
    (found,) = endpoint.found
    assert "truncated" in found.gaps
    assert len(endpoint.raws[0]) < 2**20
