"""A client that takes up credentials which were changed while it runs.

boto3 reads a credentials file once. Credentials of roles renew themselves; those that somebody, or
another program, writes into a file do not. So when a server turns credentials down they are looked
up once more: if others are found, the call is made again with them.

The environment of a running process does not change from outside, so what was found there is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from logstore.s3 import failures

PAUSE_S = 2.0
"""For so long credentials are not looked up again after nothing new was found."""


class _Equipped(NamedTuple):
    """A boto3 client and the credentials it signs with."""

    client: Any
    credentials: Any


class Renewing:
    """In the place of a boto3 client; has its calls and attributes. Thread-safe.

    Args:
        session: boto3's session, with the credentials as they are found now.
        client: makes a session's client, which takes far longer than finding credentials.
        clock: tells seconds.
    """

    def __init__(
        self,
        session: Callable[[], Any],
        client: Callable[[Any], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._client = client
        self._clock = clock
        self._guard = threading.Lock()
        first = session()
        self._now = _Equipped(client(first), first.get_credentials())
        self._not_before = float("-inf")

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._now.client, name)
        if not callable(found) or name == "close":
            return found

        def call(*words: Any, **parameters: Any) -> Any:
            used = self._now
            try:
                return getattr(used.client, name)(*words, **parameters)
            except Exception as error:
                if not failures.of_credentials(error) or not self._renewed(used, error):
                    raise
            return getattr(self._now.client, name)(*words, **parameters)

        return call

    def _renewed(self, used: _Equipped, error: Exception) -> bool:
        """Whether other credentials are there by now than those that were turned down."""
        with self._guard:
            if self._now is not used:
                return True  # by another thread
            if self._clock() < self._not_before or getattr(used.credentials, "method", "") == "env":
                return False
            if _by_itself(used.credentials) and not failures.has_expired(error):
                return False  # a new session of the same role may no more than the old one
            fresh = self._other(used)
            if fresh is None:
                self._not_before = self._clock() + PAUSE_S
                return False
            self._now = fresh  # what others still do with the old client, they finish
            return True

    def _other(self, used: _Equipped) -> _Equipped | None:
        from botocore.exceptions import BotoCoreError

        try:
            session = self._session()
            credentials = session.get_credentials()
            if _said(credentials) in {None, _said(used.credentials)}:
                return None
            return _Equipped(self._client(session), credentials)
        except BotoCoreError:  # somebody may be writing that file right now
            return None


def _by_itself(credentials: Any) -> bool:
    from botocore.credentials import RefreshableCredentials

    return isinstance(credentials, RefreshableCredentials)


def _said(credentials: Any) -> tuple[str | None, ...] | None:
    if credentials is None:
        return None
    frozen = credentials.get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token
