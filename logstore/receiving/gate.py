"""Who may send: the seam between HTTP and whatever knows the senders."""

from __future__ import annotations

from typing import Protocol

from starlette.datastructures import Headers

from logstore.receiving.refusals import NotAdmitted
from logstore.receiving.tokens import Scope


class Sender(Protocol):
    """One admitted sender."""

    @property
    def name(self) -> str:
        """Its name, for logs."""
        ...

    @property
    def source(self) -> str:
        """The word its records' source is made from."""
        ...

    def charge(self, *, records: int = 0, size: int = 0) -> None:
        """Count a request against the sender's rate limit.

        Raises:
            ComeBack: 429 with the seconds to wait.
        """
        ...


class Gate(Protocol):
    """Knows the senders."""

    def admit(self, headers: Headers, scope: Scope) -> Sender:
        """The sender of a request by its headers.

        Raises:
            NotAdmitted: 401 when nobody is known by them, 403 when the scope is not theirs.
        """
        ...


class _Local:
    name = source = "local"

    def charge(self, *, records: int = 0, size: int = 0) -> None:
        """No limit but the backlog's."""


class OpenGate:
    """Lets everybody in as ``local``: only for an endpoint that listens on loopback.

    Except browsers: any page on the web can make one send a request to this machine, which then
    says whose page it was in its Origin header (Fetch standard, "Origin header").
    """

    def admit(self, headers: Headers, scope: Scope) -> Sender:  # noqa: ARG002 - no difference
        """Anybody on this machine who is no web page."""
        if headers.getlist("origin"):
            raise NotAdmitted(403, "web-page", "web pages may not send here without a token")
        return _Local()
