"""From encoded telemetry to records on a log: what both exporters share.

Rules of this file:

1. The evidence is an OTLP export request of one span or log record each, cut and decoded as the
   importers do it.
2. What can not be decoded is stored as opaque evidence (``capture.rejected``). Nothing is dropped.
3. Every piece takes the next number of its source, also where storing fails: a missing number is a
   missing record.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from logstore.capture.decoders.otlp_identity import TraceIdentities
from logstore.capture.decoding import recorded
from logstore.capture.items import Bad, Item
from logstore.capture.records import to_rejected
from logstore.errors import AirconError
from logstore.formats.record import Receipt, Record, Refusal

REJECTED = "capture.rejected"
"""Kind of a record that holds bytes nobody could read as what they claimed to be."""

_BY = "aircon"
_log = logging.getLogger("aircon.capture")

Splitter = Callable[[bytes, TraceIdentities], Iterable[Item | Bad]]
"""Cuts an export request into pieces."""


class Log(Protocol):
    """What an exporter needs of a log."""

    def append_many(
        self, records: Iterable[Record], *, group: int = 1024
    ) -> Iterator[Receipt | Refusal]:
        """Take records; give each outcome, in order, once it is durable."""
        ...


class Storing:
    """Stores export requests on a log. Thread-safe.

    Args:
        log: an open `logstore.storage.log.Log`.
        split: cuts a request.
        source: name of the source in records; by default a new one.

    Attributes:
        source: the name.
    """

    def __init__(self, log: Log, split: Splitter, source: str | None) -> None:
        self.source = source or f"otel/{os.urandom(6).hex()}"
        self._log = log
        self._split = split
        self._identities = TraceIdentities()
        self._lock = threading.Lock()
        self._next = 0
        self._closed = False

    def store(self, request: bytes) -> bool:
        """Store every piece of a request; whether all of them are on disk now."""
        if self._closed:
            return False
        with self._lock:
            records = list(self._records(request))
        try:
            outcomes = list(self._log.append_many(records))
        except AirconError as error:
            _log.error("telemetry was not stored: %s", error)
            return False
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        for refusal in refused:
            _log.error("a record of telemetry was refused: %s", type(refusal.error).__name__)
        return not refused and len(outcomes) == len(records)

    def close(self) -> None:
        """Store nothing more; the log stays open for its owner."""
        self._closed = True

    def _records(self, request: bytes) -> Iterator[Record]:
        for piece in self._split(request, self._identities):
            seq, self._next = self._next, self._next + 1
            bad = piece
            if isinstance(piece, Item):
                made = recorded(piece, source=self.source, by=_BY, seq=seq)
                if isinstance(made, Record):
                    yield made
                    continue
                bad = Bad(piece.raw, piece.where, made)
            assert isinstance(bad, Bad)
            yield to_rejected(bad, source=self.source, by=_BY, seq=seq, kind=REJECTED)
