"""What arrives: a request's plain bytes cut into pieces of evidence, and what it counts. Pure.

The same splitters as the importers': nothing is ever written anew, every piece keeps the sender's
own bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from logstore.capture.items import Bad, Item
from logstore.capture.splitting import HEAD, split
from logstore.capture.unfolding import TOO_FAR
from logstore.receiving.refusals import NotTaken

if TYPE_CHECKING:
    from logstore.capture.decoders.otlp_identity import TraceIdentities

LIVE = "live/"
"""What the names of senders' sources begin with."""

Route = Literal["traces", "logs", "metrics", "records"]
"""Which door a request came through."""

_UNREADABLE = frozenset(
    {"not-protobuf", "not-json", "not-otlp-json", "not-otlp-traces-or-logs", TOO_FAR}
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, admitted and read whole.

    Attributes:
        route: the door.
        source: source of its records, ``live/...``.
        body: as sent.
        encoding: its Content-Encoding, lower case.
        is_json: OTLP in JSON rather than protobuf.
        sequence: the sender's number of its first record; None where it does not count.
    """

    route: Route
    source: str
    body: bytes
    encoding: str = ""
    is_json: bool = False
    sequence: int | None = None

    @property
    def names_itself(self) -> bool:
        """Whether the same bytes sent again can only be the same request again.

        Spans have ids, OTLP log records their nanoseconds, and a counting sender its numbers;
        other records may well say the same thing twice.
        """
        return self.route in ("traces", "logs") or self.sequence is not None


def pieces(arrival: Arrival, plain: bytes, identities: TraceIdentities) -> Iterable[Item | Bad]:
    """Every piece of evidence in a request, in order; `Bad` for what is none."""
    if arrival.route == "records":
        return split(io.BufferedReader(io.BytesIO(plain), HEAD))
    from logstore.capture.decoders import otlp_split

    if arrival.is_json:
        return otlp_split.split_json(plain, identities)
    cut = {
        "traces": otlp_split.split_traces_protobuf,
        "logs": otlp_split.split_logs_protobuf,
    }[arrival.route]
    return cut(plain, identities)


def is_unreadable(found: list[Item | Bad]) -> bool:
    """Whether nothing at all could be made of a request."""
    return len(found) == 1 and isinstance(found[0], Bad) and found[0].reason in _UNREADABLE


def count_metrics(plain: bytes, *, is_json: bool) -> int:
    """How many metrics an OTLP metrics request holds; they are counted, not kept.

    Raises:
        NotTaken: 400, it is no such request.
    """
    try:
        return _count_json(plain) if is_json else _count_protobuf(plain)
    except ValueError:
        raise NotTaken(400, "not-otlp-metrics", "not an OTLP metrics export request") from None


class _Scope(msgspec.Struct):
    metrics: list[msgspec.Raw] = []


class _Resource(msgspec.Struct, rename="camel"):
    scope_metrics: list[_Scope] = []


class _Metrics(msgspec.Struct, rename="camel"):
    resource_metrics: list[_Resource] = []


_read_metrics = msgspec.json.Decoder(_Metrics).decode


def _count_json(plain: bytes) -> int:
    try:
        found = _read_metrics(plain)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return sum(
        len(scope.metrics) for each in found.resource_metrics for scope in each.scope_metrics
    )


def _count_protobuf(plain: bytes) -> int:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    try:
        found = ExportMetricsServiceRequest.FromString(plain)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return sum(
        len(scope.metrics) for each in found.resource_metrics for scope in each.scope_metrics
    )
