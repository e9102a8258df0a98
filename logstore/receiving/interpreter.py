"""The interpreter set for short answers rather than for long computations.

Python's own settings suit a program with one busy thread and a small heap. The endpoint has busy
threads (cutting, sealing) beside the event loop and the writer, and a large heap that lives long:
every wait for the interpreter's lock takes up to 5 ms, several of them for one request, and a
full search for garbage goes through every key, trace and person that is remembered.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

SWITCH_S = 0.0005
"""Seconds after which a busy thread lets another one have the interpreter."""

COLLECT = (5_000, 5, 100)
"""Thresholds of the three generations of garbage. Values go with their last reference and cycles
are few, so full searches can come a hundred times more rarely than by default; they are not
switched off, because a connection that broke may be a cycle."""


@contextlib.contextmanager
def responsive() -> Iterator[None]:
    """Let threads wait less for one another, and for searches for garbage."""
    switch, collect = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*collect)
        sys.setswitchinterval(switch)


def settle() -> None:
    """What is loaded by now stays: leave it out of every search for garbage."""
    gc.collect()
    gc.freeze()
