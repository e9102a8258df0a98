"""A worker process that decodes, its two pipes, and who takes its place when it ends.

Rules of this file:

1. A worker is a plain child process that runs `decodeworker` and imports nothing of the caller's
   program: neither threads (fork) nor a script without a ``__main__`` guard (spawn) matter. It is
   given evidence and nothing else, and of the environment nothing that is aircon's own.
2. A worker that ended, or talks nonsense, is not asked again. Another one takes its seat when the
   next question comes, but where none was to be had only after `AGAIN_S`.
3. What ended a worker may have been any of the items it was asked for. `Seat.ask_apart` asks for
   each of them alone: those that end one more worker are no records, and the others are.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import FileIO

import msgspec

from logstore.capture import decodeworker
from logstore.capture.decodeworker import HELLO, Answer, Chunk
from logstore.capture.items import Item

PIPE = 2**20
"""Bytes that a pipe to a worker is asked to hold, so that it need not wait for its reader."""

AGAIN_S = 10.0
"""Seconds for which no worker is started after one that was not able to start."""

MOST_ENDED = 3
"""Workers that the items of one chunk may end one by one; what follows is not decoded."""

DIED, HUNG, SPARED = "decoder-died", "decoder-hung", "decoder-spared"
"""Why there is no record of an item: it ended a worker, it took one too long, or it was not tried
because what stood before it had ended `MOST_ENDED` of them."""

_TRIES = 2  # the one that was there, and the next

_PROGRAM = """\
import signal, sys
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
signal.alarm(60)  # time to get ready
sys.path[:] = sys.argv[1:]
from logstore.capture.decodeworker import serve
serve()
"""


class Worker:
    """One worker process.

    Raises:
        OSError: no process is to be had.

    Attributes:
        greeted: it has said hello.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM, *sys.path],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            process_group=0,  # Ctrl+C at the terminal reaches this process alone
        )
        asked, said = self._process.stdin, self._process.stdout
        assert isinstance(asked, FileIO)
        assert isinstance(said, FileIO)
        self._asked, self._said = asked, said
        self.greeted = False
        _widen(self._asked)
        _widen(self._said)

    def is_able(self) -> bool:
        """Whether it can be asked; waits until it has started."""
        if not self.greeted:
            heard = self._hear()
            self.greeted = heard is not None and bytes(heard) == HELLO
        return self.greeted and self._process.poll() is None

    def ask(self, chunk: Chunk) -> Answer | None:
        """Its answer; None when it ended, or talks nonsense."""
        try:
            message = decodeworker.encode_chunk(chunk)
        except (ValueError, TypeError, OverflowError):
            return [None] * len(chunk.items)
        try:
            decodeworker.send(self._asked, message)
            heard = self._hear()
            answer = None if heard is None else decodeworker.read_answer(heard)
        except (OSError, msgspec.MsgspecError):
            return None
        return answer if answer is not None and len(answer) == len(chunk.items) else None

    def kill(self) -> int:
        """End it, which also wakes whoever waits for its answer; gives how it ended."""
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """Close its pipes, once nobody uses them."""
        self._asked.close()
        self._said.close()

    def _hear(self) -> bytearray | None:
        try:
            return decodeworker.receive(self._said)
        except OSError:
            return None


class Seat:
    """One worker at a time. For one thread at a time, but that any thread may call `leave`.

    Args:
        on_ended: told why a worker ended, as a slug.
        clock: seconds.

    Attributes:
        hung: the last worker that ended had taken too long.
    """

    def __init__(
        self,
        on_ended: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hung = False
        self._on_ended = on_ended
        self._clock = clock
        self._again = clock()
        self._left = False
        self._worker: Worker | None = None
        self._start()

    def is_taken(self) -> bool:
        """Whether a worker can be asked; where none is there, one is started and waited for."""
        for _ in range(_TRIES):
            if self._worker is None:
                self._start()
            if self._worker is None:
                break
            if self._worker.is_able():
                return True
            if not self._worker.greeted:
                self._again = self._clock() + AGAIN_S
            self._end()
        return False

    def ask(self, chunk: Chunk) -> Answer | None:
        """The worker's answer; None when it ended, or there is none."""
        found = None if self._worker is None else self._worker.ask(chunk)
        if found is None and self._worker is not None:
            self._end()
        return found

    def ask_apart(
        self, chunk: Chunk, known: Callable[[Item], str | None] = lambda _: None
    ) -> Answer:
        """Answers to each item alone, after something in the chunk ended a worker.

        Args:
            chunk: the items.
            known: why an item is not to be asked for again, if so.
        """
        made: Answer = []
        ended = 0
        for seq, item in zip(chunk.seqs, chunk.items, strict=True):
            reason = known(item) or (SPARED if ended >= MOST_ENDED else None)
            if reason is None:
                one = Chunk(chunk.source, chunk.by, [seq], [item])
                alone = self.ask(one) if self.is_taken() else None
                if alone is not None:
                    made.extend(alone)
                    continue
                ended += 1
                reason = HUNG if self.hung else DIED
            made.append(reason)
        return made

    def leave(self) -> None:
        """End the worker for good."""
        self._left = True
        if self._worker is not None:
            self._worker.kill()

    def close(self) -> None:
        """Close its pipes, once nobody asks any more."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.close()

    def _start(self) -> None:
        if self._left or self._clock() < self._again:
            return
        try:
            self._worker = Worker()
        except OSError:  # no process to be had for now
            self._again = self._clock() + AGAIN_S

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        assert worker is not None
        self.hung = worker.kill() == -signal.SIGALRM
        worker.close()
        if not self._left:
            self._on_ended(HUNG if self.hung else DIED)


def _environment() -> dict[str, str]:
    """This process's, without our own settings: a passphrase may be among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRCON_")}


def _widen(pipe: FileIO) -> None:
    with contextlib.suppress(OSError):  # a pipe of the usual size does too
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE)
