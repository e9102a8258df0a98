"""Who is speaking: the person, session and conversation of the calls made in a block of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """Whom a call concerns; absent facts are None."""

    user: str | None = None
    session: str | None = None
    conversation: str | None = None

    def over(self, below: Caller) -> Caller:
        """These facts, and where they are absent those of `below`."""
        return Caller(
            self.user or below.user,
            self.session or below.session,
            self.conversation or below.conversation,
        )


_NOBODY = Caller()
_current: ContextVar[Caller] = ContextVar("aircon_caller", default=_NOBODY)


def current() -> Caller:
    """Who is speaking in this thread or task."""
    return _current.get()


@contextmanager
def speaking(caller: Caller) -> Iterator[Caller]:
    """Name who is speaking in a ``with`` block; facts not given are those of the outer block."""
    token = _current.set(caller.over(_current.get()))
    try:
        yield _current.get()
    finally:
        _current.reset(token)


def caller_of(user: object, session: object = None, conversation: object = None) -> Caller:
    """A caller of ids as applications have them: text, or whole numbers and UUIDs as their text.

    Anything else names nobody: the packages' own word for "not given" is an object too.
    """
    return Caller(*(_as_id(value) for value in (user, session, conversation)))


def _as_id(value: object) -> str | None:
    is_id = isinstance(value, str | int | UUID) and not isinstance(value, bool)
    return str(value) or None if is_id else None
