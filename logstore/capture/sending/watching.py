"""One call to a provider while it goes on: what was sent, what comes back, how it ends."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from typing import Any

from logstore.capture.sending.exchange import MAX_EVIDENCE, Exchange
from logstore.capture.sending.plain import class_name, plain_json
from logstore.capture.sending.recorder import Recorder
from logstore.capture.sending.refusals import NotRecorded


class Gathered:
    """Bytes of a response as they pass by, up to `MAX_EVIDENCE` of them.

    Attributes:
        over: there were more.
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self.over = False

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def add(self, chunk: bytes) -> None:
        """Keep a chunk, or the part of it for which there is room."""
        room = MAX_EVIDENCE - self._size
        self.over |= len(chunk) > room
        if room > 0 and chunk:
            self._chunks.append(bytes(chunk[:room]))
            self._size += len(self._chunks[-1])

    @property
    def chunks(self) -> list[bytes]:
        """What was kept, as it came."""
        return self._chunks

    def joined(self) -> bytes:
        """All that was kept."""
        return b"".join(self._chunks)

    def watch(self, source: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
        """An iterator function that does the same and lets its bytes be kept."""

        def watched(*args: Any, **named: Any) -> Iterator[bytes]:
            for chunk in source(*args, **named):
                self.add(chunk)
                yield chunk

        return watched

    def awatch(
        self, source: Callable[..., AsyncIterator[bytes]]
    ) -> Callable[..., AsyncIterator[bytes]]:
        """As `watch`."""

        async def watched(*args: Any, **named: Any) -> AsyncIterator[bytes]:
            async for chunk in source(*args, **named):
                self.add(chunk)
                yield chunk

        return watched


class Call:
    """A call under way; the `Ending` of its stream where it has one.

    Args:
        recorder: records it.
        seen: what is known before it is made.

    Attributes:
        seen: what is known by now.
        gathered: the response's bytes as they come.
        decoded: gives the response's plain bytes once it is over; by default what was gathered.
    """

    def __init__(self, recorder: Recorder, seen: Exchange) -> None:
        self.seen = seen
        self.gathered = Gathered()
        self.decoded: Callable[[], bytes] = self.gathered.joined
        self._recorder = recorder
        self._events_size = 0

    def answered(self, status: object, headers: object) -> None:
        """Note the head of the response."""
        self.seen.status = status if isinstance(status, int) else None
        self.seen.response_headers = headers_of(headers)

    def failed(self, error: BaseException) -> None:
        """Note an error in place of the answer, with the response it carries, if any."""
        self.seen.error_type, self.seen.error_message = class_name(error), said_by(error)
        response = getattr(error, "response", None)
        if response is not None and self.seen.response is None:
            self.answered(
                getattr(response, "status_code", None), getattr(response, "headers", None)
            )
            content = content_of(response)
            self.seen.response = content or self.seen.response

    def record(self) -> int | None:
        """Record the call as it stands now.

        Raises:
            NotRecorded: in closed mode, it was not.
        """
        self.seen.ended_s = time.time()
        return self._recorder.keep_exchange(self.seen)

    async def arecord(self) -> int | None:
        """As `record`."""
        self.seen.ended_s = time.time()
        return await self._recorder.akeep_exchange(self.seen)

    # -- the ending of a stream ---------------------------------------------------------------

    def saw(self, item: object) -> None:
        """Note a chunk; where the stream's own bytes do not pass by, keep the chunk itself."""
        if self.seen.first_s is None:
            self.seen.first_s = time.time()
        if not self.gathered and not self.seen.over:
            event = _chunk_json(item)
            self._events_size += len(event)
            self.seen.over = self._events_size > MAX_EVIDENCE
            self.seen.events.append(event)
        if self._recorder.is_closed_mode and (self.gathered.over or self.seen.over):
            raise NotRecorded(f"the stream is longer than {MAX_EVIDENCE:,} bytes")

    def end(self, error: BaseException | None = None, *, left: bool = False) -> None:
        """Record the stream."""
        self._ended(error, left)
        with suppress(NotRecorded) if isinstance(error, NotRecorded) else nullcontext():
            self.record()

    async def aend(self, error: BaseException | None = None, *, left: bool = False) -> None:
        """Record the stream."""
        self._ended(error, left)
        with suppress(NotRecorded) if isinstance(error, NotRecorded) else nullcontext():
            await self.arecord()

    def late(self) -> None:
        """Record the stream as one whose reader went away."""
        self._ended(None, left=True)
        self.seen.ended_s = time.time()
        self._recorder.keep_later(lambda: self._recorder.evidence(self.seen))

    def _ended(self, error: BaseException | None, left: bool) -> None:
        seen = self.seen
        seen.aborted = left or error is not None
        if error is not None:
            seen.error_type, seen.error_message = class_name(error), said_by(error)
        if self.gathered:
            seen.response, seen.events = self.decoded(), []
            seen.over |= self.gathered.over


def headers_of(headers: object) -> dict[str, str]:
    """Headers as a dictionary of text; nothing where there are none."""
    if not isinstance(headers, Mapping):
        return {}
    return {str(name): str(value) for name, value in headers.items()}


def content_of(message: object) -> bytes:
    """The content of a request or response that was read already; empty where it was not."""
    try:
        content = getattr(message, "content", b"")
    except Exception:  # noqa: BLE001 - libraries raise their own where a body was not read
        return b""
    return content if isinstance(content, bytes) else b""


def said_by(error: BaseException) -> str:
    """What an error says; exceptions are code of the application's and may fail at it."""
    try:
        return str(error)[:4000]
    except Exception:  # noqa: BLE001 - the application's own code failed: it says nothing
        return ""


def _chunk_json(item: object) -> bytes:
    dump = getattr(type(item), "model_dump_json", None)
    if callable(dump):
        try:
            text = dump(item, exclude_unset=True)
        except Exception:  # noqa: BLE001 - the library's own code; read as any object
            return plain_json(item)
        return text.encode() if isinstance(text, str) else plain_json(item)
    return plain_json(item)
