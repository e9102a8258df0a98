"""Senders that never tire: they post spans with numbers of their own and remember the answers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

import httpx
from support.serving import PROTOBUF, spans

FAR = 10**9
"""Numbers from one sender's first to the next one's."""


class Sender(threading.Thread):
    """Posts requests one after the other until it is told to stop or nobody answers any more.

    Args:
        url: the endpoint.
        place: which sender this is; its spans are numbered from ``place * FAR``.
        spans_each: spans of one request.
        text: content of each span.

    Attributes:
        acknowledged: numbers of spans whose request was answered with 200.
        answers: how often each code came.
        waits: values of Retry-After that came with 429 and 503.
        broken: the connection broke in the middle.
    """

    def __init__(self, url: str, place: int, *, spans_each: int = 20, text: str = "hello") -> None:
        super().__init__(daemon=True)
        self._url = url
        self._next = place * FAR + 1
        self._each = spans_each
        self._text = text
        self._over = threading.Event()
        self.acknowledged: list[int] = []
        self.answers: Counter[int] = Counter()
        self.waits: Counter[str] = Counter()
        self.broken = False

    def run(self) -> None:
        """Post until the end."""
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as client:
            while not self._over.is_set():
                numbers = range(self._next, self._next + self._each)
                body = spans(self._each, first=numbers.start, text=self._text)
                try:
                    answer = client.post(
                        "/v1/traces", content=body.SerializeToString(), headers=PROTOBUF
                    )
                except httpx.TransportError:
                    self.broken = True
                    return
                self.answers[answer.status_code] += 1
                if answer.status_code == 200:
                    self.acknowledged.extend(numbers)
                else:
                    self.waits[answer.headers.get("retry-after", "")] += 1
                self._next = numbers.stop

    def stop(self) -> None:
        """No further request."""
        self._over.set()


def started(senders: Iterable[Sender]) -> list[Sender]:
    """Start them all."""
    found = list(senders)
    for each in found:
        each.start()
    return found


def stopped(senders: Iterable[Sender]) -> None:
    """Stop them all and wait for their last answers."""
    found = list(senders)
    for each in found:
        each.stop()
    for each in found:
        each.join(90)
        assert not each.is_alive()


def acknowledged(senders: Iterable[Sender]) -> set[str]:
    """Response ids of every span that was acknowledged to any of them."""
    return {f"resp-{number}" for each in senders for number in each.acknowledged}
