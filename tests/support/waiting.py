"""Waiting for what happens beside a test: in a thread, or in another process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

PATIENCE_S = 90.0
"""A busy machine is no reason to fail; what never happens is."""


def until(holds: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        time.sleep(0.01)


@contextlib.contextmanager
def heard(stream: IO[str] | None, said: list[str]) -> Iterator[None]:
    """Collect a process's lines as they come; the block must see to it that the process ends."""
    assert stream is not None

    def read() -> None:
        said.extend(line.rstrip("\n") for line in stream)  # one by one, as they come

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        reader.join(10)
        stream.close()
