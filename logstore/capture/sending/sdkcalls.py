"""Calls through the clients of openai and anthropic, which are known by their shape alone.

A resource (``client.chat.completions``, ``client.responses``, ``client.messages``) has ``create``,
and ``with_raw_response.create`` whose result has ``http_response`` and ``parse``. By way of these
the evidence is the provider's own bytes. A client without them is recorded by what it is given and
what it returns.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import Any

from logstore.capture.sending.caller import Caller
from logstore.capture.sending.exchange import Exchange
from logstore.capture.sending.plain import plain_json
from logstore.capture.sending.recorder import Recorder
from logstore.capture.sending.streams import AsyncRecordedStream, RecordedStream, aheld, held
from logstore.capture.sending.watching import Call, content_of, headers_of

_OURS_TO_SEND = ("extra_headers", "extra_query", "timeout")  # the SDK's own, no part of a body


class SdkCall:
    """One call of ``resource.create``.

    Args:
        recorder: records it.
        resource: has ``create``.
        route: path of the API, for evidence of clients that do not show their requests.
        caller: whom it concerns.
        request: the arguments of ``create``.
    """

    def __init__(
        self,
        recorder: Recorder,
        resource: object,
        route: str,
        caller: Caller,
        request: dict[str, Any],
    ) -> None:
        raw = getattr(resource, "with_raw_response", None)
        self._create: Any = getattr(raw, "create", None) or getattr(resource, "create")  # noqa: B009 - no type has it
        self._recorder = recorder
        self._request = request
        self._stream = request.get("stream") is True
        self._seen = Exchange(caller, 0.0, route=route, stream=self._stream)
        self.is_async = _is_async(self._create, resource)

    def make(self, *, hold: bool) -> Any:
        """Make the call and record it; the answer, or its stream.

        Raises:
            NotRecorded: in closed mode, it was not recorded.
        """
        self._recorder.before()
        call = self._begun()
        try:
            answer = self._create(**self._request)
        except BaseException as error:
            self._broke(call, error)
            call.record()
            raise
        http = self._head(call, answer)
        if self._stream:
            if http is not None and callable(getattr(http, "iter_bytes", None)):
                http.iter_bytes = call.gathered.watch(http.iter_bytes)
            stream = answer if http is None else answer.parse()
            if self._recorder.is_closed_mode and hold:
                return held(iter(stream), call, stream)
            hold_last = self._recorder.is_closed_mode
            return RecordedStream(iter(stream), call, stream, hold_last=hold_last)
        self._body(call, answer, http)
        call.record()
        return answer if http is None else answer.parse()

    async def amake(self, *, hold: bool) -> Any:
        """As `make`."""
        await self._recorder.abefore()
        call = self._begun()
        try:
            answer = await self._create(**self._request)
        except BaseException as error:
            self._broke(call, error)
            await call.arecord()
            raise
        http = self._head(call, answer)
        if self._stream:
            if http is not None and callable(getattr(http, "aiter_bytes", None)):
                http.aiter_bytes = call.gathered.awatch(http.aiter_bytes)
            stream = answer if http is None else await _settled(answer.parse())
            if self._recorder.is_closed_mode and hold:
                return await aheld(aiter(stream), call, stream)
            hold_last = self._recorder.is_closed_mode
            return AsyncRecordedStream(aiter(stream), call, stream, hold_last=hold_last)
        self._body(call, answer, http)
        await call.arecord()
        return answer if http is None else await _settled(answer.parse())

    def _begun(self) -> Call:
        self._seen.started_s = time.time()
        return Call(self._recorder, self._seen)

    def _head(self, call: Call, answer: object) -> Any:
        """Note what the HTTP objects show; gives the response, None where there is none."""
        http = getattr(answer, "http_response", None)
        if http is None:
            self._seen.request = _as_body(self._request)
            return None
        self._note_request(getattr(http, "request", None))
        call.answered(getattr(http, "status_code", None), getattr(http, "headers", None))
        return http

    def _body(self, call: Call, answer: object, http: object) -> None:
        call.seen.response = _written(answer) if http is None else content_of(http)

    def _broke(self, call: Call, error: BaseException) -> None:
        self._note_request(getattr(error, "request", None))
        call.failed(error)

    def _note_request(self, request: object) -> None:
        seen = self._seen
        seen.url = str(getattr(request, "url", "") or "")
        seen.request_headers = headers_of(getattr(request, "headers", None))
        seen.request = content_of(request) or _as_body(self._request)


def _is_async(create: object, resource: object) -> bool:
    return (
        inspect.iscoroutinefunction(create)
        or inspect.iscoroutinefunction(getattr(resource, "create", None))
        or type(resource).__name__.startswith("Async")
    )


async def _settled(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def _as_body(request: Mapping[str, Any]) -> bytes:
    """The body that arguments of ``create`` stand for."""
    body = {name: value for name, value in request.items() if name not in _OURS_TO_SEND}
    extra = body.pop("extra_body", None)
    return plain_json({**body, **extra} if isinstance(extra, Mapping) else body)


def _written(answer: Any) -> bytes:
    dump = getattr(type(answer), "model_dump_json", None)
    if callable(dump):
        text = dump(answer)
        return text.encode() if isinstance(text, str) else plain_json(answer)
    return plain_json(answer)
