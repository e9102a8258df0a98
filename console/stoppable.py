"""Lets Ctrl-C stop work that runs inside a library and would not notice it.

DuckDB runs a question without going back to Python, so an interrupt would only be seen when the
answer is there. The work therefore runs in a second thread while the first one waits for it, or
for Ctrl-C, and then tells the library to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import TypeVar

T = TypeVar("T")

_LOOK_S = 0.2


def stoppable(work: Callable[[], T], stop: Callable[[], None]) -> T:
    """Do the work in a second thread; on Ctrl-C call `stop`, wait for the work to end, and raise.

    Raises:
        KeyboardInterrupt: it was stopped.
        BaseException: whatever the work raises.
    """
    with ThreadPoolExecutor(1, "aircon-work") as pool:
        future = pool.submit(work)
        try:
            while True:
                try:
                    return future.result(_LOOK_S)
                except NotYet:
                    if future.done():  # the work itself raised a time-out
                        raise
        except KeyboardInterrupt:
            stop()
            future.exception()  # waits; what it says now is only the echo of having been stopped
            raise
