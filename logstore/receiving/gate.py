"""Who may send: the seam between HTTP and whatever knows the senders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from starlette.datastructures import Headers

from logstore.receiving.refusals import NotAdmitted, NotTaken
from logstore.receiving.tokens import Census, Scope


class Sender(Protocol):
    """One admitted sender. Any thread may ask and charge it."""

    @property
    def name(self) -> str:
        """Its name, for logs."""
        ...

    @property
    def source(self) -> str:
        """The word its records' source is made from."""
        ...

    def check(self) -> None:
        """See whether records of this sender are looked at.

        Raises:
            ComeBack: 429, it was told to come back later and has not waited.
        """
        ...

    def charge(self, *, records: int = 0, size: int = 0) -> None:
        """Count a request against the sender's rate limit.

        Raises:
            ComeBack: 429 with the seconds to wait.
        """
        ...

    def refund(self, *, records: int = 0, size: int = 0) -> None:
        """Take back what was charged for a request that must be sent again."""
        ...


class Bill:
    """A `Sender` that knows what one request was charged.

    Args:
        sender: who sends it.
    """

    def __init__(self, sender: Sender) -> None:
        self.name = sender.name
        self.source = sender.source
        self._sender = sender
        self._records = self._size = 0

    def check(self) -> None:
        """See whether it waited; see `Sender.check`."""
        self._sender.check()

    def charge(self, *, records: int = 0, size: int = 0) -> None:
        """Charge the sender; see `Sender.charge`."""
        self._sender.charge(records=records, size=size)
        self._records += records
        self._size += size

    def refund(self, *, records: int = 0, size: int = 0) -> None:
        """Take back a part; see `Sender.refund`."""
        self._sender.refund(records=records, size=size)
        self._records -= records
        self._size -= size

    def cancel(self) -> None:
        """Take back all of it."""
        self.refund(records=self._records, size=self._size)


@contextmanager
def billed(sender: Sender) -> Iterator[Bill]:
    """Charge a request's sender; one that must be sent again pays when it is taken.

    What is refused for good stays charged, so that it can not be sent without end.
    """
    bill = Bill(sender)
    try:
        yield bill
    except NotTaken:
        raise
    except Exception:
        bill.cancel()
        raise


class Gate(Protocol):
    """Knows the senders."""

    def admit(self, headers: Headers, scope: Scope) -> Sender:
        """The sender of a request by its headers.

        Raises:
            NotAdmitted: 401 when nobody is known by them, 403 when the scope is not theirs.
        """
        ...

    def census(self) -> Census:
        """What becomes of the tokens it knows; no states where it asks for none."""
        ...


class _Local:
    name = source = "local"

    def check(self) -> None:
        """It is never told to wait."""

    def charge(self, *, records: int = 0, size: int = 0) -> None:
        """No limit but the backlog's."""

    def refund(self, *, records: int = 0, size: int = 0) -> None:
        """Nothing was charged."""


class OpenGate:
    """Lets everybody in as ``local``: only for an endpoint that listens on loopback.

    Except browsers: any page on the web can make one send a request to this machine, which then
    says whose page it was in its Origin header (Fetch standard, "Origin header").
    """

    def admit(self, headers: Headers, scope: Scope) -> Sender:  # noqa: ARG002 - every scope is open
        """Anybody on this machine who is no web page."""
        if headers.getlist("origin"):
            raise NotAdmitted(403, "web-page", "web pages may not send here without a token")
        return _Local()

    def census(self) -> Census:
        """No tokens."""
        return Census({})
