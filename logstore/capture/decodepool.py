"""Decoding in order, in this process and, when much is to come, in worker processes beside it.

Rules of this file:

1. What comes out does not depend on who decoded: same records, same reasons, same order.
2. Workers are started only for an import of `WORTH` bytes or more, and nobody waits for them:
   until one is ready, and for whatever a worker cannot answer, this process decodes itself.
3. A worker that dies takes nothing with it. Its items are decoded here, and so is all that
   follows; `Decoding.lost` says so. One that was ended because it took too long is replaced: what
   another one takes too long for as well is no record.
4. Memory is bounded: a few chunks of `CHUNK` bytes and one more item are under way at a time.

Who has other rules for its workers brings a `Pool` of its own.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, repeat
from queue import SimpleQueue
from typing import Protocol

from logstore.capture.decodeseat import PIPE, Seat
from logstore.capture.decodeworker import Answer, Chunk
from logstore.capture.decoding import sighted
from logstore.capture.items import Bad, Item
from logstore.capture.linking import Sighting
from logstore.formats.record import Record

WORTH = 2**20
"""Bytes of sources from which workers are started: decoding these takes as long as one start."""

CHUNK = 256 * 1024
"""Bytes of evidence after which a chunk is sent."""

MAX_ITEMS = 128
"""Most items of a chunk."""

MAX_WORKERS = 3
"""Workers that keep one appending process busy."""

MAX_AHEAD = 4 * 2**20
"""Bytes under way from which no more are read, but for the item that crosses this line."""

Piece = Item | Bad
Decoded = tuple[Item, tuple[Record, Sighting]] | Bad
"""An item with its record and what that tells about people, or what no record could be made of."""


def worker_count() -> int:
    """Workers worth having on this machine: none where there is one processor."""
    if sys.platform != "linux" or not sys.executable or getattr(sys, "frozen", False):
        return 0
    processors = len(os.sched_getaffinity(0))
    return min(processors, MAX_WORKERS) if processors > 1 else 0


class Pool(Protocol):
    """Worker processes that answer chunks."""

    @property
    def ready(self) -> int:
        """How many are able to; none is asked before one is."""
        ...

    @property
    def largest(self) -> int:
        """Most bytes of evidence in a chunk that they are asked for."""
        ...

    def submit(self, chunk: Chunk) -> Future[Answer | None]:
        """The answer of one of them; None when nothing more is to be asked of any."""
        ...

    def close(self) -> None:
        """Stop them."""
        ...


class Decoding:
    """Decodes the pieces of an import, or of what an endpoint takes. Close it in the end.

    Once its workers are started (`expect`), several threads may decode at a time.

    Args:
        workers: processes to start at most; None for as many as pay on this machine.
        pool: starts so many.

    Attributes:
        lost: a worker died; everything after it is decoded in this process.
    """

    def __init__(
        self, workers: int | None = None, pool: Callable[[int], Pool] | None = None
    ) -> None:
        self.lost = False
        self._most = worker_count() if workers is None else workers
        self._seen = 0
        self._pool = _Workers if pool is None else pool
        self._workers: Pool | None = None

    def expect(self, size: int) -> None:
        """Say that `size` more bytes of sources are to come; starts workers where it pays."""
        if size >= WORTH:
            self._start()

    def close(self) -> None:
        """Stop the workers; what they were doing is dropped."""
        if self._workers is not None:
            self._workers.close()

    def records(
        self, pieces: Iterable[Piece], *, source: str, by: str, seq: int | None
    ) -> Iterator[Decoded]:
        """What becomes of each piece, in order; the first one has the number `seq`, if any has."""
        waiting: deque[_Flight] = deque()
        for flight in _flights(pieces, seq):
            waiting.append(flight)
            self._send(flight, source, by)
            while waiting and (waiting[0].sent is None or self._is_enough(waiting)):
                yield from self._landed(waiting.popleft(), source, by)
        while waiting:
            yield from self._landed(waiting.popleft(), source, by)

    def _start(self) -> None:
        if self._workers is None and self._most:
            self._workers = self._pool(self._most)

    def _send(self, flight: _Flight, source: str, by: str) -> None:
        self._seen += flight.size
        if self._seen >= WORTH:
            self._start()
        workers = self._workers
        if workers is None or self.lost or not workers.ready:
            return
        if flight.size > workers.largest:
            return
        seqs = [seq for seq, piece in flight.numbered() if type(piece) is Item]
        items = [piece for piece in flight.pieces if isinstance(piece, Item)]
        if items:
            flight.sent = workers.submit(Chunk(source, by, seqs, items))

    def _is_enough(self, waiting: deque[_Flight]) -> bool:
        ahead = 0 if self._workers is None else 2 * self._workers.ready
        return len(waiting) > ahead + 1 or sum(flight.size for flight in waiting) > MAX_AHEAD

    def _landed(self, flight: _Flight, source: str, by: str) -> Iterator[Decoded]:
        answers: Iterator[tuple[Record, Sighting] | str | None] = repeat(None)
        if flight.sent is not None:
            answer = flight.sent.result()
            if answer is None:
                self.lost = True
            else:
                answers = iter(answer)
        for seq, piece in flight.numbered():
            if isinstance(piece, Bad):
                yield piece
                continue
            made = next(answers)
            if made is None:
                made = sighted(piece, source=source, by=by, seq=seq)
            yield Bad(piece.raw, piece.where, made) if isinstance(made, str) else (piece, made)


class _Flight:
    """A chunk of pieces, and the answer that is to come if it was sent to a worker."""

    __slots__ = ("pieces", "sent", "seq", "size")

    def __init__(self, seq: int | None) -> None:
        self.seq = seq
        self.pieces: list[Piece] = []
        self.size = 0
        self.sent: Future[Answer | None] | None = None

    def numbered(self) -> Iterator[tuple[int | None, Piece]]:
        """Each piece with its number; None where the source does not count."""
        if self.seq is None:
            return zip(repeat(None), self.pieces, strict=False)
        return zip(count(self.seq), self.pieces, strict=False)

    def following(self) -> _Flight:
        """An empty chunk for what comes next."""
        return _Flight(None if self.seq is None else self.seq + len(self.pieces))


def _flights(pieces: Iterable[Piece], seq: int | None) -> Iterator[_Flight]:
    flight = _Flight(seq)
    for piece in pieces:
        flight.pieces.append(piece)
        flight.size += len(piece.raw)
        if flight.size >= CHUNK or len(flight.pieces) >= MAX_ITEMS:
            yield flight
            flight = flight.following()
    if flight.pieces:
        yield flight


class _Workers:
    """Worker processes, each served by a thread that only waits for it.

    Attributes:
        ready: how many have said hello.
        largest: most bytes of a chunk; what is larger would wait for the pipe.
    """

    largest = PIPE

    def __init__(self, many: int) -> None:
        self.ready = 0
        self._free: SimpleQueue[Seat] = SimpleQueue()
        self._threads = ThreadPoolExecutor(many, thread_name_prefix="decode")
        self._seats = [Seat() for _ in range(many)]
        for seat in self._seats:
            self._threads.submit(self._greet, seat)

    def submit(self, chunk: Chunk) -> Future[Answer | None]:
        """The answer of whichever worker is free first; None when it died."""
        return self._threads.submit(self._ask, chunk)

    def close(self) -> None:
        for seat in self._seats:
            seat.leave()
        self._threads.shutdown(cancel_futures=True)
        for seat in self._seats:
            seat.close()

    def _greet(self, seat: Seat) -> None:
        if seat.is_taken():
            self._free.put(seat)
            self.ready += 1

    def _ask(self, chunk: Chunk) -> Answer | None:
        seat = self._free.get()
        try:
            found = seat.ask(chunk)
            return seat.ask_apart(chunk) if found is None and seat.hung else found
        finally:
            self._free.put(seat)
