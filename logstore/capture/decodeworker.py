"""A process that decodes: chunks of items on standard input, their records on standard output.

Rules of this file:

1. Both ways a message is its length (four bytes, big-endian) and MessagePack. The first one is
   the worker's own `HELLO`, once it is able to work; then every chunk gets one answer, in order.
2. A worker decides nothing. What it cannot send (a number beyond MessagePack) it answers with
   None, and the process that asked decodes that item itself.
3. It ends when its input ends, so it never outlives the process that started it. Content passes
   through pipes only, never through a file; a crash leaves no core dump.
4. It ends by SIGALRM when one item takes longer than `patience`: the system's own clock ends it,
   also when it is stuck where no line of Python is run any more.
"""

from __future__ import annotations

import gc
import resource
import signal
from collections.abc import Callable
from io import FileIO

import msgspec

from logstore.capture.decoding import sighted
from logstore.capture.items import Item
from logstore.capture.linking import Sighting
from logstore.formats.record import Record

HELLO = b"aircon decodes"
"""The first message of a worker."""

LENGTH = 4
"""Bytes of a message's length."""

MAX_MESSAGE = 2**28
"""Longest message in bytes; whoever claims a longer one talks nonsense."""

PATIENCE_S = 30.0
"""Seconds that decoding an item may take, and more for a large one."""

SLOWEST = 2**20
"""Bytes a second: what is decoded more slowly than this is not decoded."""


class Chunk(msgspec.Struct, array_like=True):
    """Items to decode.

    Attributes:
        source: goes into every record, as does `by`.
        by: operator or service identity.
        seqs: the items' numbers in their source, None where it does not count.
        items: what to decode.
    """

    source: str
    by: str
    seqs: list[int | None]
    items: list[Item]


Answer = list[tuple[Record, Sighting] | str | None]
"""For each item its record and what that tells about people, or why there is none as a slug, or
None: it cannot be sent."""

_encoder = msgspec.msgpack.Encoder()
_read_chunk = msgspec.msgpack.Decoder(Chunk).decode
_read_answer = msgspec.msgpack.Decoder(Answer).decode


def encode_chunk(chunk: Chunk) -> bytes:
    """A chunk as one message."""
    return _encoder.encode(chunk)


def read_answer(message: bytes | bytearray) -> Answer:
    """What a worker answered.

    Raises:
        msgspec.MsgspecError: not an answer.
    """
    return _read_answer(message)


def patience(size: int) -> float:
    """Seconds that it may take to decode so many bytes."""
    return PATIENCE_S + size / SLOWEST


def answer(message: bytes | bytearray, allow: Callable[[float], object] = lambda _: None) -> bytes:
    """What a worker answers to a chunk.

    Args:
        message: the chunk.
        allow: told before each step how many seconds it may take.
    """
    allow(patience(len(message)))
    chunk = _read_chunk(message)
    records: Answer = []
    for item, seq in zip(chunk.items, chunk.seqs, strict=True):
        allow(patience(len(item.raw)))
        records.append(sighted(item, source=chunk.source, by=chunk.by, seq=seq))
    allow(patience(len(message)))
    try:
        return _encoder.encode(records)
    except (ValueError, TypeError, OverflowError):
        return _encoder.encode([record if _is_sendable(record) else None for record in records])


def send(stream: FileIO, message: bytes) -> None:
    """Write one message whole.

    Raises:
        OSError: the other side is gone.
    """
    for piece in (len(message).to_bytes(LENGTH, "big"), message):
        left = memoryview(piece)
        while left:
            left = left[stream.write(left) :]


def receive(stream: FileIO) -> bytearray | None:
    """Read one message; None at the end, when the other side died within one, or over the cap.

    Raises:
        OSError: the pipe cannot be read.
    """
    head = _exactly(stream, LENGTH)
    size = MAX_MESSAGE + 1 if head is None else int.from_bytes(head, "big")
    return None if size > MAX_MESSAGE else _exactly(stream, size)


def serve() -> None:
    """Answer chunks until there are no more."""
    # Ctrl+C, and a service manager's SIGTERM to all, are for the process that started this one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.freeze()
    gc.set_threshold(50_000)  # decoded values go with their last reference, cycles are rare
    asked, said = FileIO(0, closefd=False), FileIO(1, "w", closefd=False)
    try:
        _allow(0)  # whoever started it allowed it some time to get here
        send(said, HELLO)
        while (message := receive(asked)) is not None:
            answered = answer(message, _allow)
            _allow(0)
            send(said, answered)
    except BrokenPipeError:  # nobody listens any more
        return


def _allow(seconds: float) -> None:
    """End this process in so many seconds; 0 for not at all."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _is_sendable(record: tuple[Record, Sighting] | str | None) -> bool:
    try:
        _encoder.encode(record)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _exactly(stream: FileIO, size: int) -> bytearray | None:
    data = bytearray(size)
    left = memoryview(data)
    while left:
        count = stream.readinto(left)
        if not count:
            return None
        left = left[count:]
    return data
