"""The endpoint's worker processes: whatever a sender makes of one, the endpoint goes on.

Rules of this file:

1. A worker that ended (it died, or took longer than `decodeworker.patience`) is replaced at once.
   Its items are asked for again, each alone, and one that ends another worker is no record: it is
   kept as opaque evidence and never decoded in the endpoint, which it might end too.
2. This process decodes itself only where no worker is to be had at all, and never what was in the
   hands of one that ended.
3. What ended two workers is remembered by a digest, so that a sender that repeats it ends no more.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from logstore.capture.decodeseat import DIED, HUNG, Seat
from logstore.capture.decodeworker import MAX_MESSAGE, Answer, Chunk
from logstore.capture.items import Item

MOST_KNOWN = 4_096
"""Most pieces remembered that ended workers."""


class Decoders:
    """A `Pool` for as long as the endpoint lives.

    Args:
        many: worker processes.
        on_lost: told in another thread why one ended, as a slug.

    Attributes:
        ready: all of them; who asks waits for one that is starting.
        largest: whatever a request may hold.
    """

    largest = MAX_MESSAGE // 2

    def __init__(self, many: int, on_lost: Callable[[str], None]) -> None:
        self.ready = many
        self._known = _Known(os.urandom(32))
        self._seats = [Seat(on_lost) for _ in range(many)]
        self._free: SimpleQueue[Seat] = SimpleQueue()
        for seat in self._seats:
            self._free.put(seat)
        self._threads = ThreadPoolExecutor(many, "aircon-serve-worker")

    def submit(self, chunk: Chunk) -> Future[Answer | None]:
        """The answer of whichever worker is free first; never None."""
        return self._threads.submit(self._ask, chunk)

    def close(self) -> None:
        """Stop them; nothing is under way any more."""
        for seat in self._seats:
            seat.leave()
        self._threads.shutdown(cancel_futures=True)
        for seat in self._seats:
            seat.close()

    def _ask(self, chunk: Chunk) -> Answer:
        seat = self._free.get()
        try:
            if any(map(self._known.reason, chunk.items)):
                return self._apart(seat, chunk)
            if not seat.is_taken():
                return [None] * len(chunk.items)
            found = seat.ask(chunk)
            return self._apart(seat, chunk) if found is None else found
        finally:
            self._free.put(seat)

    def _apart(self, seat: Seat, chunk: Chunk) -> Answer:
        answer = seat.ask_apart(chunk, self._known.reason)
        for item, made in zip(chunk.items, answer, strict=True):
            if made in (DIED, HUNG):
                self._known.add(item, str(made))
        return answer


class _Known:
    """Pieces that ended workers, by a keyed digest."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._guard = threading.Lock()
        self._reasons: OrderedDict[bytes, str] = OrderedDict()

    def reason(self, item: Item) -> str | None:
        """Why a piece is not to be asked for again; None for nearly all."""
        return self._reasons.get(self._name(item)) if self._reasons else None

    def add(self, item: Item, reason: str) -> None:
        """Remember a piece, and forget the one that was remembered longest."""
        with self._guard:
            self._reasons[self._name(item)] = reason
            if len(self._reasons) > MOST_KNOWN:
                self._reasons.popitem(last=False)

    def _name(self, item: Item) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        digest.update(item.format.encode() + b"\0")
        digest.update(item.raw)
        return digest.digest()
