"""Admits whoever presents a good token, and slows down whoever sends more than the token allows."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.datastructures import Headers

from logstore.receiving.authentication import presented
from logstore.receiving.buckets import Meter
from logstore.receiving.refusals import ComeBack, NotAdmitted
from logstore.receiving.tokenfile import TokenBook
from logstore.receiving.tokens import UNKNOWN, Census, Scope, Token


class TokenGate:
    """A `Gate` over a book of tokens. For one thread; the book may be reloaded meanwhile.

    Args:
        book: the tokens in force.
        clock: seconds that do not run backwards, for rates.
        now_us: wall clock, microseconds since 1970 UTC, for expiry.
    """

    def __init__(
        self,
        book: TokenBook,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._book = book
        self._clock = clock
        self._now_us = now_us
        self._meters: dict[str, Meter] = {}

    def admit(self, headers: Headers, scope: Scope) -> Admitted:
        """The sender whose token a request presents.

        Raises:
            NotAdmitted: 401 or 403, in words that do not tell what was wrong with a token.
        """
        text = presented(headers.getlist("authorization"))
        found = UNKNOWN if text is None else self._book.judge(text, scope, self._now_us())
        if found.standing != "ok" or found.token is None:
            slug = "lacks-scope" if found.status == 403 else "no-token"
            raise NotAdmitted(found.status, slug, found.words)
        return Admitted(found.token, self._meter(found.token), self._clock)

    def census(self) -> Census:
        """What becomes of the tokens, as it looks now."""
        return self._book.census(self._now_us())

    def _meter(self, token: Token) -> Meter:
        """The token's buckets; they outlive requests and reloads, and begin anew at a new rate."""
        meter = self._meters.get(token.id)
        if meter is None or meter.rate != token.rate:
            meter = self._meters[token.id] = Meter(token.rate, self._clock())
        return meter


class Admitted:
    """A `Sender` known by its token.

    Args:
        token: what is kept of it.
        meter: the buckets of all its requests.
        clock: seconds, for the buckets.
    """

    def __init__(self, token: Token, meter: Meter, clock: Callable[[], float]) -> None:
        self._token = token
        self._meter = meter
        self._clock = clock

    @property
    def name(self) -> str:
        """The token's name."""
        return self._token.name

    @property
    def source(self) -> str:
        """The word its records' source is made from."""
        return self._token.source

    def check(self) -> None:
        """See whether the token's records are looked at.

        Raises:
            ComeBack: 429 with the seconds that are left of those it was told to wait.
        """
        early = self._meter.early(self._clock())
        if early:
            raise ComeBack(429, "rate", "this token was told to come back later", early)

    def charge(self, *, records: int = 0, size: int = 0) -> None:
        """Count a request against the token's limits.

        Raises:
            ComeBack: 429 with the seconds to wait.
        """
        wait = self._meter.charge(self._clock(), records=records, size=size)
        if wait:
            raise ComeBack(429, "rate", "this token has sent its share for now", wait)

    def refund(self, *, records: int = 0, size: int = 0) -> None:
        """Take back what was charged for a request that must be sent again."""
        self._meter.refund(records=records, size=size)
