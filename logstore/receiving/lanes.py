"""Requests become records beside one another: small ones do not wait for large ones.

Rules of this file:

1. A request is cut into pieces in its lane's one thread, request after request, because what one
   span says of its trace concerns the next. A large request has a lane of its own, which remembers
   traces of its own; what it thereby misses, the linker finds once the records are stored.
2. Pieces are decoded in worker processes, which are given evidence and nothing else: no keys, no
   passphrase. Until they are ready, and for whatever they cannot answer, this process decodes.
3. A worker that dies takes nothing with it; after `REPLACE_S` others take its place.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from logstore.capture.decodepool import WORTH, Decoding, worker_count
from logstore.receiving.arriving import Arrival
from logstore.receiving.gate import Sender
from logstore.receiving.intake import Intake, Taken, taken
from logstore.receiving.limits import MIB, Limits

T = TypeVar("T")
P = ParamSpec("P")

LARGE = MIB
"""Inflated bytes from which a request is a large one."""

INFLATES = 8
"""How many times larger than its body a compressed request is taken to be."""

REPLACE_S = 10.0
"""Seconds for which workers are not started again after one of them died."""


class Lanes:
    """Makes records of requests; used in one event loop.

    Args:
        limits: bounds of a request.
        on_lost: told, in another thread, that a worker process died.
    """

    def __init__(self, limits: Limits, on_lost: Callable[[], None] = lambda: None) -> None:
        many = worker_count() if limits.decoders is None else limits.decoders
        self._decoders = Decoders(on_lost, many)
        self._small = _Lane("small", Intake(limits), max(many, 1))
        self._large = _Lane("large", Intake(limits), 1)

    async def plain(self, arrival: Arrival, sender: Sender | None = None) -> bytes:
        """The inflated body.

        Args:
            arrival: the request.
            sender: who must have waited as told; None where it need not.

        Raises:
            NotTaken: 400, 413 or 415.
            ComeBack: the sender did not wait.
        """
        if not arrival.encoding:
            return self._small.intake.plain(arrival)
        lane = self._lane(len(arrival.body) * INFLATES)

        def inflate() -> bytes:
            if sender is not None:
                sender.check()
            return lane.intake.plain(arrival)

        return await _in(lane.decoding, inflate)

    async def take(self, arrival: Arrival, plain: bytes, sender: Sender) -> Taken:
        """A record of every piece of a request.

        Args:
            arrival: the request.
            plain: its body, inflated.
            sender: charged for the records as soon as they are known, before the next request of
                this lane is decoded: many that arrive at once are not decoded for nothing.

        Raises:
            ComeBack: the sender did not wait, or has to now.
        """
        lane = self._lane(len(plain))
        pieces = await _in(lane.cutting, _checked(sender, lane.intake.cut), arrival, plain)

        def decode() -> Taken:
            with self._decoders.use() as decoding:
                found = taken(arrival, pieces, decoding)
            sender.charge(records=len(found.records))
            return found

        return await _in(lane.decoding, _checked(sender, decode))

    def close(self) -> None:
        """Stop the workers; nothing is under way any more."""
        for lane in (self._small, self._large):
            lane.cutting.shutdown()
            lane.decoding.shutdown()
        self._decoders.close()

    def _lane(self, size: int) -> _Lane:
        return self._large if size >= LARGE else self._small


class _Lane:
    """Threads that only wait for one another's large or small requests."""

    def __init__(self, name: str, intake: Intake, decoders: int) -> None:
        self.intake = intake
        self.cutting = ThreadPoolExecutor(1, f"aircon-serve-cut-{name}")
        self.decoding = ThreadPoolExecutor(decoders, f"aircon-serve-decode-{name}")


class Decoders:
    """Worker processes for as long as the endpoint lives, replaced when one of them died.

    Args:
        on_lost: told that one died.
        many: how many there are.
        clock: seconds.
    """

    def __init__(
        self,
        on_lost: Callable[[], None],
        many: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._many = many
        self._on_lost = on_lost
        self._clock = clock
        self._guard = threading.Lock()
        self._users: dict[Decoding, int] = {}
        self._lost_at: float | None = None
        self._now = self._started()

    @contextmanager
    def use(self) -> Iterator[Decoding]:
        """What decodes now; stays usable within the block."""
        with self._guard:
            self._renew()
            decoding = self._now
            self._users[decoding] = self._users.get(decoding, 0) + 1
        try:
            yield decoding
        finally:
            with self._guard:
                self._users[decoding] -= 1
                if not self._users[decoding]:
                    del self._users[decoding]
                    if decoding is not self._now:
                        decoding.close()

    def close(self) -> None:
        """Stop the workers; nothing is decoded any more."""
        self._now.close()

    def _renew(self) -> None:
        if not self._now.lost:
            return
        if self._lost_at is None:
            self._lost_at = self._clock()
            self._on_lost()
        if self._clock() - self._lost_at >= REPLACE_S:
            self._lost_at = None
            if self._now not in self._users:
                self._now.close()
            self._now = self._started()

    def _started(self) -> Decoding:
        decoding = Decoding(self._many)
        decoding.expect(WORTH)
        return decoding


def _checked(sender: Sender, work: Callable[P, T]) -> Callable[P, T]:
    """The same, for a sender that waited as it was told by the time its turn comes."""

    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        sender.check()
        return work(*args, **kwargs)

    return checked


async def _in(pool: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work, *args)
