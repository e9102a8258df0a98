"""Streams handed to the caller while they are recorded, in three ways.

* passed on: chunks as they come; recorded when the stream ends (open mode);
* all but the last: the last chunk waits until the record is acknowledged, so whoever reads to the
  end reads something recorded, but whoever acts on chunks acts on something that is not;
* held: nothing is handed out before the record of the whole stream is acknowledged.

A stream that breaks, or whose reader leaves (closes it, drops it, is cancelled, raises inside a
``with``), is recorded as far as it came, as aborted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Generic, Protocol, Self, TypeVar

import anyio

from logstore.capture.sending.refusals import NotRecorded

S = TypeVar("S")
T = TypeVar("T")


class Ending(Protocol):
    """Is told what a stream does, and records it when it is over."""

    def saw(self, item: object) -> None:
        """A chunk came.

        Raises:
            NotRecorded: in closed mode, the stream grows beyond what can be recorded.
        """
        ...

    def end(self, error: BaseException | None = None, *, left: bool = False) -> None:
        """The stream is over: at its end, by an error, or because its reader left.

        Raises:
            NotRecorded: in closed mode, it was not recorded.
        """
        ...

    async def aend(self, error: BaseException | None = None, *, left: bool = False) -> None:
        """As `end`."""
        ...

    def late(self) -> None:
        """The stream was dropped unfinished; never fails."""
        ...


class _Recorded(Generic[S, T]):
    """A stream of chunks under recording; other attributes are those of the provider's stream.

    Args:
        source: the chunks.
        ending: records them.
        inner: the provider's stream.
        hold_last: keep the last chunk until it is recorded.
    """

    def __init__(
        self, source: S, ending: Ending | None, inner: object, *, hold_last: bool = False
    ) -> None:
        self._source = source
        self._ending = ending
        self._inner = inner
        self._behind = 1 if hold_last else 0
        self._kept: list[T] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __del__(self) -> None:
        ending = self.__dict__.get("_ending")
        if ending is not None:
            ending.late()


class RecordedStream(_Recorded[Iterator[T], T]):
    """A stream under recording that ``for`` reads; made and used as `_Recorded` says."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        while self._ending is not None:
            ending = self._ending
            try:
                item = next(self._source)
                ending.saw(item)
            except StopIteration:
                self._ending = None
                ending.end()
                break
            except BaseException as error:
                self._ending = None
                _shut(self._inner)
                ending.end(error)
                raise
            self._kept.append(item)
            if len(self._kept) > self._behind:
                return self._kept.pop(0)
        return self._kept.pop() if self._kept else next(self._source)

    def close(self) -> None:
        """Leave the stream; what came is recorded."""
        ending, self._ending = self._ending, None
        self._source, self._kept = iter(()), []
        close = getattr(self._inner, "close", None)
        try:
            if callable(close):
                close()
        finally:
            if ending is not None:
                ending.end(left=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncRecordedStream(_Recorded[AsyncIterator[T], T]):
    """A stream under recording that ``async for`` reads; made and used as `_Recorded` says."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while self._ending is not None:
            ending = self._ending
            try:
                item = await anext(self._source)
                ending.saw(item)
            except StopAsyncIteration:
                self._ending = None
                await ending.aend()
                break
            except BaseException as error:
                self._ending = None
                await _ashut(self._inner)
                await ending.aend(error)
                raise
            self._kept.append(item)
            if len(self._kept) > self._behind:
                return self._kept.pop(0)
        return self._kept.pop() if self._kept else await anext(self._source)

    async def aclose(self) -> None:
        """Leave the stream; what came is recorded."""
        ending, self._ending = self._ending, None
        self._source, self._kept = _played([], None), []
        close = getattr(self._inner, "aclose", None) or getattr(self._inner, "close", None)
        try:
            if callable(close):
                await close()
        finally:
            if ending is not None:
                await ending.aend(left=True)

    async def close(self) -> None:
        """As `aclose`; providers' streams have this name."""
        await self.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def held(source: Iterator[T], ending: Ending, inner: object) -> RecordedStream[T]:
    """A stream read whole and recorded before any of it is handed out.

    A stream that broke gives the chunks that came, and then the error.

    Raises:
        NotRecorded: in closed mode, it was not recorded.
    """
    items: list[T] = []
    broke: Exception | None = None
    try:
        for item in source:
            ending.saw(item)
            items.append(item)
    except BaseException as error:
        if isinstance(error, NotRecorded) or not isinstance(error, Exception):
            _shut(inner)
            ending.end(error)
            raise
        broke = error  # the provider's own, which the caller meets in its place
    ending.end(broke)
    return RecordedStream(_replayed(items, broke), None, inner)


async def aheld(source: AsyncIterator[T], ending: Ending, inner: object) -> AsyncRecordedStream[T]:
    """As `held`."""
    items: list[T] = []
    broke: Exception | None = None
    try:
        async for item in source:
            ending.saw(item)
            items.append(item)
    except BaseException as error:
        if isinstance(error, NotRecorded) or not isinstance(error, Exception):
            await _ashut(inner)
            await ending.aend(error)
            raise
        broke = error  # the provider's own, which the caller meets in its place
    await ending.aend(broke)
    return AsyncRecordedStream(_played(items, broke), None, inner)


def _shut(inner: object) -> None:
    """Let go of the connection below a stream that nobody will read to its end."""
    close = getattr(inner, "close", None)
    if callable(close):
        with suppress(Exception):  # a generator that is running; the error under way says more
            close()


async def _ashut(inner: object) -> None:
    """As `_shut`, also in a task that is being cancelled."""
    close = getattr(inner, "aclose", None) or getattr(inner, "close", None)
    if callable(close):
        with anyio.CancelScope(shield=True), suppress(Exception):
            await close()


def _replayed(items: list[T], broke: Exception | None) -> Iterator[T]:
    yield from items
    if broke is not None:
        raise broke


async def _played(items: list[T], broke: Exception | None) -> AsyncIterator[T]:
    for item in items:
        yield item
    if broke is not None:
        raise broke
