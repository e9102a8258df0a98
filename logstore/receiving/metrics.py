"""What the endpoint counts, for Prometheus. Labels name senders and kinds, never content."""

from __future__ import annotations

import math
from collections import Counter as Tally
from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from logstore.receiving.tokens import Census

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of `Metrics.exposition`."""

MAX_SOURCES = 1_000
"""Sources counted by name: senders choose part of the name, and every one takes memory."""

OTHERS = "others"
"""The source that further ones are counted under."""

_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """Counters of one endpoint, in a registry of their own.

    Attributes:
        tally: records by (source, kind) since start, for heartbeats.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types there
        self.registry = CollectorRegistry()
        self._sources: set[str] = set()
        self.tally: Tally[tuple[str, str]] = Tally()
        self.requests = self._counter(
            "requests", "Requests by route and answer code.", ("route", "code")
        )
        self.records = self._counter(
            "records", "Records on disk by source and kind.", ("source", "kind")
        )
        self.received_bytes = self._counter(
            "received_bytes", "Inflated bytes of stored requests.", ("source",)
        )
        self.rejected = self._counter(
            "rejected", "Pieces kept only as opaque evidence.", ("source", "reason")
        )
        self.replayed = self._counter(
            "replayed_requests", "Requests acknowledged before, not stored again.", ("source",)
        )
        self.failed = self._counter("failed_records", "Records that could not be made durable.")
        self.ignored_metrics = self._counter("ignored_metrics", "OTLP metrics counted, not stored.")
        self.faults = self._counter("faults", "Requests that met a fault of aircon itself.")
        self.pending_bytes = Gauge(
            "aircon_pending_bytes", "Bytes of requests not answered yet.", registry=self.registry
        )
        self.log_size = Gauge("aircon_log_size", "Records in the log.", registry=self.registry)
        self.ready = Gauge("aircon_ready", "1 when records are taken.", registry=self.registry)
        self.store_away = Gauge(
            "aircon_store_away",
            "1 while sealed records can not be put into their bucket.",
            registry=self.registry,
        )
        self.waiting_files = Gauge(
            "aircon_waiting_files",
            "Write-ahead files that wait to be sealed.",
            registry=self.registry,
        )
        self.tokens = Gauge(
            "aircon_tokens",
            "Tokens by state: valid; expiring within 7 days; expired; revoked.",
            ("state",),
            registry=self.registry,
        )
        self.next_expiry = Gauge(
            "aircon_token_next_expiry_seconds",
            "Until the next valid token expires; +Inf where none will.",
            registry=self.registry,
        )
        self.next_expiry.set(math.inf)
        self.commit_seconds = Histogram(
            "aircon_commit_seconds",
            "From decoded to durable, per request.",
            registry=self.registry,
            buckets=_COMMIT_BUCKETS,
        )

    def took(self, source: str, kinds: Mapping[str, int], size: int) -> None:
        """Count the records of a stored request."""
        source = self.named(source)
        for kind, count in kinds.items():
            self.records.labels(source, kind).inc(count)
            self.tally[source, kind] += count
        self.received_bytes.labels(source).inc(size)

    def counted(self, tokens: Census) -> None:
        """Tell what becomes of the tokens."""
        for state, count in tokens.states.items():
            self.tokens.labels(state).set(count)
        left = tokens.left_us
        self.next_expiry.set(math.inf if left is None else left / 1_000_000)

    def named(self, source: str) -> str:
        """The name that a source is counted under."""
        if source not in self._sources:
            if len(self._sources) >= MAX_SOURCES:
                return OTHERS
            self._sources.add(source)
        return source

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"aircon_{name}", help_text, labels, registry=self.registry)
