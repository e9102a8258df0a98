"""`@log.interaction`: an application's own functions, recorded like calls to models.

What goes in is the function's arguments by name (one text argument stands for itself), what comes
out its result, or all that a generator yields. `self` and `cls` are left out.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from logstore.capture.sending.caller import Caller, current
from logstore.capture.sending.exchange import MAX_EVIDENCE
from logstore.capture.sending.ownlines import interaction, line
from logstore.capture.sending.plain import class_name
from logstore.capture.sending.recorder import Recorder
from logstore.capture.sending.streams import AsyncRecordedStream, RecordedStream, aheld, held
from logstore.capture.sending.watching import said_by


def recorded(recorder: Recorder, function: Any, facts: dict[str, object], *, hold: bool) -> Any:
    """The function, recorded each time it is called.

    Args:
        recorder: records it.
        function: any function, coroutine function or generator function.
        facts: what every record says; see `logstore.capture.sending.ownlines.interaction`.
        hold: in closed mode, record what a generator yields before any of it is handed out.
    """
    about = {"operation": "invoke_agent", "agent": function.__qualname__, **facts}
    begin = functools.partial(_Run, recorder, inspect.signature(function), about)
    if inspect.isasyncgenfunction(function):
        return _async_generator(recorder, function, begin, hold=hold)
    if inspect.iscoroutinefunction(function):
        return _coroutine(recorder, function, begin)
    if inspect.isgeneratorfunction(function):
        return _generator(recorder, function, begin, hold=hold)
    return _plain(recorder, function, begin)


class _Run:
    """One call of a function; the `Ending` of what it yields."""

    def __init__(
        self,
        recorder: Recorder,
        signature: inspect.Signature,
        facts: dict[str, object],
        args: tuple[object, ...],
        named: dict[str, object],
    ) -> None:
        self._recorder = recorder
        self._facts: dict[str, Any] = {**facts, **recorder.facts, "start_us": _now_us()}
        self._caller: Caller = current()
        self._given = _arguments(signature, args, named)
        self._yielded: list[object] = []
        self._size = 0

    def done(self, result: object, error: BaseException | None = None) -> Callable[[], bytes]:
        """What writes the record."""
        self._facts["end_us"] = _now_us()
        if error is not None:
            self._facts |= {"error_type": class_name(error), "error_message": said_by(error)}
        facts = {key: value for key, value in self._facts.items() if value is not None}
        return lambda: line(interaction(self._given, result, self._caller, facts))

    def saw(self, item: object) -> None:
        """Keep what was yielded, up to the size that can be recorded."""
        self._size += len(item) if isinstance(item, str | bytes) else 64
        if self._size <= MAX_EVIDENCE:
            self._yielded.append(item)

    def end(self, error: BaseException | None = None, *, left: bool = False) -> None:
        """Record what was yielded."""
        self._recorder.keep(self._over(error, left))

    async def aend(self, error: BaseException | None = None, *, left: bool = False) -> None:
        """Record what was yielded."""
        await self._recorder.akeep(self._over(error, left))

    def late(self) -> None:
        """Record what was yielded to a reader that went away."""
        self._recorder.keep_later(self._over(None, left=True))

    def _over(self, error: BaseException | None, left: bool) -> Callable[[], bytes]:
        self._facts |= {"stream": True, "stream_aborted": left or error is not None}
        return self.done(_joined(self._yielded), error)


def _plain(recorder: Recorder, function: Any, begin: Any) -> Any:
    @functools.wraps(function)
    def wrapped(*args: Any, **named: Any) -> Any:
        recorder.before()
        run = begin(args, named)
        try:
            result = function(*args, **named)
        except BaseException as error:
            recorder.keep(run.done(None, error))
            raise
        recorder.keep(run.done(result))
        return result

    return wrapped


def _coroutine(recorder: Recorder, function: Any, begin: Any) -> Any:
    @functools.wraps(function)
    async def wrapped(*args: Any, **named: Any) -> Any:
        await recorder.abefore()
        run = begin(args, named)
        try:
            result = await function(*args, **named)
        except BaseException as error:
            await recorder.akeep(run.done(None, error))
            raise
        await recorder.akeep(run.done(result))
        return result

    return wrapped


def _generator(recorder: Recorder, function: Any, begin: Any, *, hold: bool) -> Any:
    @functools.wraps(function)
    def wrapped(*args: Any, **named: Any) -> Iterator[Any]:
        recorder.before()
        run, source = begin(args, named), function(*args, **named)
        if recorder.is_closed_mode and hold:
            return held(source, run, source)
        return RecordedStream(source, run, source, hold_last=recorder.is_closed_mode)

    return wrapped


def _async_generator(recorder: Recorder, function: Any, begin: Any, *, hold: bool) -> Any:
    @functools.wraps(function)
    async def wrapped(*args: Any, **named: Any) -> AsyncIterator[Any]:
        await recorder.abefore()
        run, source = begin(args, named), function(*args, **named)
        if recorder.is_closed_mode and hold:
            given = await aheld(source, run, source)
        else:
            given = AsyncRecordedStream(source, run, source, hold_last=recorder.is_closed_mode)
        async with given:
            async for item in given:
                yield item

    return wrapped


def _arguments(
    signature: inspect.Signature, args: tuple[object, ...], named: dict[str, object]
) -> object:
    try:
        given = dict(signature.bind(*args, **named).arguments)
    except TypeError:
        return None  # the call itself will say so
    for name in ("self", "cls"):
        given.pop(name, None)
    values = list(given.values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else given or None


def _joined(items: list[object]) -> object:
    texts = [item for item in items if isinstance(item, str)]
    return "".join(texts) if len(texts) == len(items) else items


def _now_us() -> int:
    return time.time_ns() // 1000
