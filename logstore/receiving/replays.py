"""Requests that were acknowledged and come again, because their answer was lost on the way. Pure.

Senders repeat what was not answered in time. What was stored already is acknowledged again and not
stored twice; it is counted. Only whole requests are compared, by a digest keyed for this process,
so that no sender can make a request that is taken for another one. The memory is bounded: a
repeat after many other requests, or after a restart, is stored again and grouped in the working
copy like any other second capture.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

MOST = 65_536
"""Most requests remembered, and most of what their answers weigh (30 MB in the worst case)."""

T = TypeVar("T")


class Replays(Generic[T]):
    """Answers of recent requests by what was asked.

    Args:
        key: 32 random bytes.
        most: how many to remember, and how much they may weigh together.
    """

    def __init__(self, key: bytes, most: int = MOST) -> None:
        self._key = key
        self._most = most
        self._answers: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self._weight = 0

    def name(self, *parts: bytes) -> bytes:
        """A request's name: a keyed digest of its parts, each with its length."""
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def get(self, name: bytes) -> T | None:
        """The answer given before, or None."""
        found = self._answers.get(name)
        return None if found is None else found[0]

    def put(self, name: bytes, answer: T, weight: int = 1) -> None:
        """Remember an answer; only once everything of the request is durable.

        Args:
            name: of the request.
            answer: what it was answered.
            weight: how many numbers that takes.
        """
        self._weight += weight - self._answers.get(name, (None, 0))[1]
        self._answers[name] = (answer, weight)
        while self._weight > self._most:
            self._weight -= self._answers.popitem(last=False)[1][1]
