"""The endpoint's own log: JSON lines of what happened, without anything of what was sent."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

import msgspec

from logstore.errors import AirconError
from logstore.formats.pins import SegmentPin


class EventLog:
    """Writes one JSON object a line.

    Args:
        write: takes one line, with its line feed.
        requests: also write a line for each request that was taken.
    """

    def __init__(self, write: Callable[[str], None], *, requests: bool = False) -> None:
        self._write = write
        self._requests = requests
        self._lock = threading.Lock()

    def event(self, name: str, **facts: object) -> None:
        """Something happened to the endpoint itself."""
        moment = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
        line = {"time": f"{stamp}.{int(moment * 1000) % 1000:03d}Z", "event": name, **facts}
        with self._lock:
            self._write(msgspec.json.encode(line).decode() + "\n")

    def request(self, path: str, status: int, slug: str, seconds: float) -> None:
        """A request was answered; those that were taken only where asked for."""
        if slug or self._requests:
            facts = {"reason": slug} if slug else {}
            self.event("request", path=path, status=status, ms=round(seconds * 1000, 1), **facts)

    def fault(self, where: str, error: BaseException) -> None:
        """A fault of aircon itself: its type and place, not its words, which may quote content."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else ""
        self.event("fault", where=where, type=type(error).__name__, at=place)

    def trouble(self, error: AirconError | None) -> None:
        """The log stopped, or goes on."""
        if error is None:
            self.event("log-goes-on")
        else:
            self.event("log-stopped", type=type(error).__name__, what=error.what)

    def sealed(self, pin: SegmentPin, seconds: float) -> None:
        """A segment was sealed: by size, by age or in the end."""
        size = pin.index.size + (pin.body.size if pin.body is not None else 0)
        self.event(
            "sealed", first=pin.first, records=pin.count, bytes=size, seconds=round(seconds, 3)
        )

    def decoder_lost(self, reason: str) -> None:
        """A process that decodes ended before its time; another one takes its place."""
        self.event("decoder-lost", reason=reason)
