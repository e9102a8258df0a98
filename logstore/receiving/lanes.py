"""Requests become records beside one another: small ones do not wait for large ones.

Rules of this file:

1. A request is cut into pieces in its lane's one thread, request after request, because what one
   span says of its trace concerns the next. A large request has a lane of its own, which remembers
   traces of its own; what it thereby misses, the linker finds once the records are stored.
2. Pieces are decoded in worker processes (`decoders`), which are given evidence and nothing else:
   no keys, no passphrase. Where there are to be none, this process decodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from logstore.capture.decodepool import WORTH, Decoding, worker_count
from logstore.receiving.arriving import Arrival
from logstore.receiving.decoders import Decoders
from logstore.receiving.gate import Sender
from logstore.receiving.intake import Intake, Taken, taken
from logstore.receiving.limits import MIB, Limits

T = TypeVar("T")
P = ParamSpec("P")

LARGE = MIB
"""Inflated bytes from which a request is a large one."""

INFLATES = 8
"""How many times larger than its body a compressed request is taken to be."""


class Lanes:
    """Makes records of requests; used in one event loop.

    Args:
        limits: bounds of a request.
        on_lost: told, in another thread, why a worker process ended, as a slug.
    """

    def __init__(self, limits: Limits, on_lost: Callable[[str], None] = lambda _: None) -> None:
        many = worker_count() if limits.decoders is None else limits.decoders
        self._decoding = Decoding(many, lambda many: Decoders(many, on_lost))
        self._decoding.expect(WORTH)
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
            found = taken(arrival, pieces, self._decoding)
            sender.charge(records=len(found.records))
            return found

        return await _in(lane.decoding, _checked(sender, decode))

    def close(self) -> None:
        """Stop the workers; nothing is under way any more."""
        for lane in (self._small, self._large):
            lane.cutting.shutdown()
            lane.decoding.shutdown()
        self._decoding.close()

    def _lane(self, size: int) -> _Lane:
        return self._large if size >= LARGE else self._small


class _Lane:
    """Threads that only wait for one another's large or small requests."""

    def __init__(self, name: str, intake: Intake, decoders: int) -> None:
        self.intake = intake
        self.cutting = ThreadPoolExecutor(1, f"aircon-serve-cut-{name}")
        self.decoding = ThreadPoolExecutor(decoders, f"aircon-serve-decode-{name}")


def _checked(sender: Sender, work: Callable[P, T]) -> Callable[P, T]:
    """The same, for a sender that waited as it was told by the time its turn comes."""

    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        sender.check()
        return work(*args, **kwargs)

    return checked


async def _in(pool: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work, *args)
