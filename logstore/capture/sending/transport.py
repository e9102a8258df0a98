"""Recording plain HTTP: transports for `httpx.Client` and `httpx.AsyncClient`.

Also for what speaks like httpx (httpx2, and so the clients of openai and anthropic): a response is
made of the class that the wrapped transport answers with.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self

import httpx

from logstore.capture.sending.caller import current
from logstore.capture.sending.exchange import MAX_EVIDENCE, Exchange
from logstore.capture.sending.recorder import Recorder
from logstore.capture.sending.streams import AsyncRecordedStream, RecordedStream, aheld, held
from logstore.capture.sending.watching import Call, headers_of

MODEL_PATHS = ("/chat/completions", "/completions", "/responses", "/embeddings", "/messages")
"""Endings of the paths of calls to models; other requests pass unrecorded."""


class RecordingTransport(httpx.BaseTransport):
    """Records the calls that pass through another transport.

    Args:
        recorder: records them.
        inner: carries them out.
        paths: endings of the paths that are recorded.
        hold: in closed mode, hold event streams until recorded.
    """

    def __init__(
        self, recorder: Recorder, inner: httpx.BaseTransport, paths: tuple[str, ...], *, hold: bool
    ) -> None:
        self._recorder = recorder
        self._inner = inner
        self._paths = paths
        self._hold = hold

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry out one request.

        Raises:
            NotRecorded: in closed mode, it was not recorded.
        """
        if not _is_model_call(request, self._paths):
            return self._inner.handle_request(request)
        self._recorder.before()
        call = _begun(self._recorder, request, request.read())
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            call.failed(error)
            call.record()
            raise
        _head(call, response)
        source: Any = response.stream
        chunks = _watched(call, source)
        streams = call.seen.stream and not (self._hold and self._recorder.is_closed_mode)
        if streams or not self._recorder.is_closed_mode:
            hold_last = self._recorder.is_closed_mode
            given = RecordedStream(chunks, call, source, hold_last=hold_last)
        else:
            try:
                given = held(chunks, call, source)
            finally:
                source.close()
        answer: httpx.Response = _with_stream(response, given)
        return answer

    def close(self) -> None:
        """Close the wrapped transport."""
        self._inner.close()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self


class AsyncRecordingTransport(httpx.AsyncBaseTransport):
    """As `RecordingTransport`."""

    def __init__(
        self,
        recorder: Recorder,
        inner: httpx.AsyncBaseTransport,
        paths: tuple[str, ...],
        *,
        hold: bool,
    ) -> None:
        self._recorder = recorder
        self._inner = inner
        self._paths = paths
        self._hold = hold

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry out one request; as `RecordingTransport.handle_request`."""
        if not _is_model_call(request, self._paths):
            return await self._inner.handle_async_request(request)
        await self._recorder.abefore()
        call = _begun(self._recorder, request, await request.aread())
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as error:
            call.failed(error)
            await call.arecord()
            raise
        _head(call, response)
        source: Any = response.stream
        chunks = _awatched(call, source)
        streams = call.seen.stream and not (self._hold and self._recorder.is_closed_mode)
        if streams or not self._recorder.is_closed_mode:
            hold_last = self._recorder.is_closed_mode
            given = AsyncRecordedStream(chunks, call, source, hold_last=hold_last)
        else:
            try:
                given = await aheld(chunks, call, source)
            finally:
                await source.aclose()
        answer: httpx.Response = _with_stream(response, given)
        return answer

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self


def _is_model_call(request: httpx.Request, paths: tuple[str, ...]) -> bool:
    return request.method == "POST" and request.url.path.rstrip("/").endswith(paths)


def _begun(recorder: Recorder, request: httpx.Request, body: bytes) -> Call:
    seen = Exchange(
        current(),
        time.time(),
        url=str(request.url),
        method=request.method,
        request_headers=headers_of(request.headers),
        request=body,
    )
    return Call(recorder, seen)


def _head(call: Call, response: httpx.Response) -> None:
    call.answered(response.status_code, response.headers)
    kind = response.headers.get("content-type", "")
    call.seen.stream = kind.startswith(("text/event-stream", "application/x-ndjson"))
    call.decoded = functools.partial(_decoded, response, call)


def _watched(call: Call, source: Any) -> Iterator[bytes]:
    for chunk in source:
        call.gathered.add(chunk)
        yield chunk


async def _awatched(call: Call, source: Any) -> AsyncIterator[bytes]:
    async for chunk in source:
        call.gathered.add(chunk)
        yield chunk


def _decoded(response: Any, call: Call) -> bytes:
    """The gathered bytes without their content encoding, as far as they can be decoded."""
    gathered = call.gathered
    if "content-encoding" not in response.headers:
        return gathered.joined()
    module = sys.modules[type(response).__module__.partition(".")[0]]
    stream = _played_class(module.SyncByteStream)(iter(gathered.chunks), lambda: None)
    plain, size = [], 0
    try:
        for chunk in type(response)(200, headers=response.headers, stream=stream).iter_bytes(
            65_536
        ):
            size += len(chunk)
            if size > MAX_EVIDENCE:
                call.gathered.over = True
                break
            plain.append(chunk)
    except Exception:  # noqa: BLE001 - a stream that broke: what could be decoded is kept
        return b"".join(plain) or gathered.joined()
    return b"".join(plain)


def _with_stream(response: Any, given: Any) -> Any:
    """The response with another body."""
    module = sys.modules[type(response).__module__.partition(".")[0]]
    if isinstance(given, RecordedStream):
        stream = _played_class(module.SyncByteStream)(given, given.close)
    else:
        stream = _aplayed_class(module.AsyncByteStream)(given, given.aclose)
    return type(response)(
        response.status_code,
        headers=response.headers,
        stream=stream,
        extensions=response.extensions,
    )


@functools.cache
def _played_class(kind: type) -> Any:
    """A byte stream of a library's own kind that plays an iterator."""

    def init(self: Any, source: Iterator[bytes], close: Callable[[], None]) -> None:
        self.source, self.close = source, close

    def play(self: Any) -> Iterator[bytes]:
        return iter(self.source)

    return type("Played", (kind,), {"__init__": init, "__iter__": play})


@functools.cache
def _aplayed_class(kind: type) -> Any:
    """As `_played_class`, asynchronous."""

    def init(self: Any, source: AsyncIterator[bytes], close: Callable[[], Any]) -> None:
        self.source, self.aclose = source, close

    def play(self: Any) -> AsyncIterator[bytes]:
        return aiter(self.source)

    return type("Played", (kind,), {"__init__": init, "__aiter__": play})
