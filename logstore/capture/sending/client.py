"""The client: calls to models that are recorded at an aircon endpoint.

    from logstore import capture

    with capture.client("http://127.0.0.1:4318", on_failure="closed") as log:
        reply = log.chat(openai_client, model="gpt-4o-mini", messages=[...], user="u-17")

Promises:

1. ``on_failure="closed"``: nothing that a model said is handed out before the endpoint acknowledged
   its record as stored (but see ``hold_stream``); and where nothing can be recorded, no model is
   called.
2. ``on_failure="open"``: no call fails because of recording, and none waits but for the kill
   switch, ``connect_s`` at most, once an outage. Records wait in an encrypted spool on this disk
   and are sent in order, by the next process if need be.
3. Keys and tokens in headers and addresses are never recorded.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar, Unpack, overload

import httpx

from logstore.capture.sending.caller import Caller, caller_of, current, speaking
from logstore.capture.sending.delivery import Status
from logstore.capture.sending.functions import recorded
from logstore.capture.sending.ownlines import interaction, line
from logstore.capture.sending.recorder import Recorder
from logstore.capture.sending.sdkcalls import SdkCall
from logstore.capture.sending.settings import OnFailure, Options, settings
from logstore.capture.sending.transport import (
    MODEL_PATHS,
    AsyncRecordingTransport,
    RecordingTransport,
)

F = TypeVar("F", bound=Callable[..., Any])


def client(
    endpoint: str, *, on_failure: OnFailure = "closed", **options: Unpack[Options]
) -> Client:
    """A client of one endpoint; use it as a context manager, or `close` it.

    Args:
        endpoint: e.g. ``http://127.0.0.1:4318``.
        on_failure: ``closed`` refuses calls that can not be recorded, ``open`` spools records.
        options: see `logstore.capture.sending.settings.Options`.

    Raises:
        UsageError: an option can not be meant, or a file it names can not be used.
        KeyUnavailable: the spool's key can not be used.
    """
    return Client(Recorder(settings(endpoint, on_failure, options)))


class Client:
    """Records calls to models. Thread-safe, usable from asyncio, and after a fork."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._at_exit = weakref.finalize(self, recorder.close)

    def __repr__(self) -> str:
        return f"<capture client of {self._recorder.settings.endpoint}>"

    # -- calls through the providers' own clients ---------------------------------------------

    def chat(
        self,
        openai_client: Any,
        /,
        *,
        session: object = None,
        hold_stream: bool | None = None,
        **request: Any,
    ) -> Any:
        """``openai_client.chat.completions.create(**request)``, recorded.

        Args:
            openai_client: of the package openai, or of its shape; an asynchronous one gives an
                awaitable.
            session: the session of this call; see also `session`.
            hold_stream: for this stream, instead of the client's own.
            request: passed on as it is. ``user`` is OpenAI's own parameter, and names the person
                of the record too; with ``with log.session(user=...)`` only the record names them.

        Returns:
            What the client returns; for ``stream=True`` a stream of the same chunks.

        Raises:
            CallsStopped: the kill switch is set; the model was not called.
            EndpointAway: in closed mode, nothing can be recorded; the model was not called.
            NotRecorded: in closed mode, the record was not acknowledged.
        """
        resource = openai_client.chat.completions
        caller = caller_of(request.get("user"), session)
        return self._call(resource, "/v1/chat/completions", caller, hold_stream, request)

    def responses(
        self,
        openai_client: Any,
        /,
        *,
        session: object = None,
        hold_stream: bool | None = None,
        **request: Any,
    ) -> Any:
        """``openai_client.responses.create(**request)``, recorded; as `chat`."""
        caller = caller_of(request.get("user"), session)
        return self._call(openai_client.responses, "/v1/responses", caller, hold_stream, request)

    def messages(
        self,
        anthropic_client: Any,
        /,
        *,
        user: object = None,
        session: object = None,
        hold_stream: bool | None = None,
        **request: Any,
    ) -> Any:
        """``anthropic_client.messages.create(**request)``, recorded; as `chat`.

        Args:
            anthropic_client: of the package anthropic, or of its shape.
            user: the person, in the record alone; Anthropic's own is ``metadata={"user_id": ...}``.
            session: as for `chat`.
            hold_stream: as for `chat`.
            request: passed on as it is.
        """
        caller = caller_of(user, session)
        return self._call(anthropic_client.messages, "/v1/messages", caller, hold_stream, request)

    # -- plain HTTP ---------------------------------------------------------------------------

    def transport(
        self, inner: httpx.BaseTransport | None = None, *, paths: tuple[str, ...] = MODEL_PATHS
    ) -> RecordingTransport:
        """A transport for ``httpx.Client(transport=...)`` that records calls to models.

        Args:
            inner: what carries them out; default a new `httpx.HTTPTransport`.
            paths: endings of the paths of POST requests that are recorded; others pass unrecorded.
        """
        hold = self._recorder.settings.hold_stream
        return RecordingTransport(self._recorder, inner or httpx.HTTPTransport(), paths, hold=hold)

    def async_transport(
        self, inner: httpx.AsyncBaseTransport | None = None, *, paths: tuple[str, ...] = MODEL_PATHS
    ) -> AsyncRecordingTransport:
        """As `transport`, for ``httpx.AsyncClient``."""
        hold = self._recorder.settings.hold_stream
        carrier = inner or httpx.AsyncHTTPTransport()
        return AsyncRecordingTransport(self._recorder, carrier, paths, hold=hold)

    # -- the application's own ----------------------------------------------------------------

    @overload
    def interaction(self, function: F, /) -> F: ...

    @overload
    def interaction(self, /, **facts: Any) -> Callable[[F], F]: ...

    def interaction(self, function: Any = None, /, **facts: Any) -> Any:
        """Record a function of the application's own each time it is called.

        ``@log.interaction`` or ``@log.interaction(agent="triage", model="house-7b")``. Functions,
        coroutine functions and generators of both kinds; arguments go in, the result or what is
        yielded comes out, an exception is recorded and raised again. Person and session are those
        of `session`.

        Args:
            function: the function.
            facts: members of `logstore.capture.interaction.Interaction`; ``model`` is short for
                ``request_model``. ``agent`` is the function's name unless given.

        Raises:
            UsageError: a fact that no interaction has.
        """
        interaction(None, None, Caller(), facts)
        hold = self._recorder.settings.hold_stream
        if function is not None:
            return self._wrapped(function, facts, hold)
        return lambda wanted: self._wrapped(wanted, facts, hold)

    def record(
        self,
        given: object = None,
        said: object = None,
        /,
        *,
        user: object = None,
        session: object = None,
        **facts: Any,
    ) -> int | None:
        """Record an interaction that has happened.

        Args:
            given: what was asked: text, a list of ``{"role": ..., "content": ...}``, any value.
            said: what was answered, likewise.
            user: the person.
            session: the session.
            facts: members of `logstore.capture.interaction.Interaction`, e.g. ``model``,
                ``provider``, ``usage={"input_tokens": 12}``, ``start_us``, ``tool_names``.

        Returns:
            Its index in the log; None in open mode, where it may still wait.

        Raises:
            UsageError: a fact that no interaction has.
            NotRecorded: in closed mode, it was not acknowledged.
        """
        caller = caller_of(user, session).over(current())
        found = interaction(given, said, caller, {**self._recorder.facts, **facts})
        return self._recorder.keep(lambda: line(found))

    def session(
        self, *, user: object = None, session: object = None, conversation: object = None
    ) -> AbstractContextManager[Caller]:
        """Name the person, session and conversation of every call in a ``with`` block.

        It holds for this thread or task and the tasks it starts; inner blocks add to outer ones.
        """
        return speaking(caller_of(user, session, conversation))

    # -- the client itself --------------------------------------------------------------------

    def check(self) -> None:
        """Return if a model may be called now; `chat` and the others ask this by themselves.

        Raises:
            CallsStopped: the kill switch is set.
            EndpointAway: in closed mode, the endpoint does not answer.
        """
        self._recorder.before()

    def status(self) -> Status:
        """What was recorded, what waits, what was lost."""
        return self._recorder.status()

    def close(self) -> bool:
        """Send what waits, for at most ``close_s``; whether nothing is left in the spool."""
        self._at_exit.detach()
        return self._recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        import anyio

        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close)

    def _wrapped(self, function: F, facts: dict[str, object], hold: bool) -> F:
        wrapped: F = recorded(self._recorder, function, facts, hold=hold)
        return wrapped

    def _call(
        self,
        resource: object,
        route: str,
        caller: Caller,
        hold_stream: bool | None,
        request: dict[str, Any],
    ) -> Any:
        hold = self._recorder.settings.hold_stream if hold_stream is None else hold_stream
        call = SdkCall(self._recorder, resource, route, caller.over(current()), request)
        return call.amake(hold=hold) if call.is_async else call.make(hold=hold)
