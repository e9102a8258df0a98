"""From a request to records: inflate, cut, decode, and keep what can not be decoded.

Rules of this file:

1. Every piece of a request becomes a record: a decoded one, or the sender's bytes as opaque,
   encrypted evidence (``capture.rejected``). One bad piece does not touch the others.
2. A request of which nothing can be read is kept too, its first MiB, and answered with 400.
3. One `Intake` cuts in one thread. It remembers identities of recent traces for each source, so
   that a model call is attributed to whom the application's own span names.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from logstore.capture.decodepool import Decoding
from logstore.capture.items import Bad, Item
from logstore.capture.linking import Sighting
from logstore.capture.records import to_rejected
from logstore.capture.unfolding import TOO_FAR, bounded
from logstore.formats.body import MAX_CONTENT
from logstore.formats.record import Record
from logstore.receiving.arriving import Arrival, is_unreadable, pieces
from logstore.receiving.limits import Limits
from logstore.receiving.unpacking import unpacked

if TYPE_CHECKING:
    from logstore.capture.decoders.otlp_identity import TraceIdentities

REJECTED = "capture.rejected"
"""Kind of a record that holds bytes nobody could read as what they claimed to be."""

MAX_OPAQUE = MAX_CONTENT - 2**16
"""Most bytes kept of a piece that can not be read; splitters cut what is no piece at 1 MiB."""

MAX_SOURCES = 256
"""Sources whose traces are remembered."""

MAX_SPANS = 100_000
"""Spans remembered of all sources together; a sender may name as many sources as it likes."""

MAX_BYTES = 64 * 2**20
"""Bytes of memory that those spans may take."""

_BY = "aircon"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a request holds.

    Attributes:
        records: one for each piece, in order.
        rejected: places in `records` of those that are opaque evidence, with the reason.
        unreadable: nothing in it could be read.
        kinds: how many records of each kind.
        cut_short: the last record stands for all that was not taken any more.
        sightings: what each record tells about people, None for opaque evidence.
    """

    records: list[Record]
    rejected: dict[int, str]
    unreadable: bool = False
    kinds: Counter[str] = field(default_factory=Counter)
    cut_short: bool = False
    sightings: list[Sighting | None] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of content, which are held until they are on disk."""
        return sum(len(record.content) for record in self.records if record.content is not None)


class Intake:
    """Inflates and cuts requests; see the module text."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._identities: OrderedDict[str, TraceIdentities] = OrderedDict()

    def plain(self, arrival: Arrival) -> bytes:
        """The inflated body.

        Raises:
            NotTaken: 400, 413 or 415.
        """
        return unpacked(arrival.body, arrival.encoding, self._limits)

    def cut(self, arrival: Arrival, plain: bytes) -> list[Item | Bad]:
        """The pieces of a request, in order."""
        cut = pieces(arrival, plain, self._traces(arrival.source))
        return list(bounded(cut, lambda piece: piece))

    def _traces(self, source: str) -> TraceIdentities:
        """The traces of a source; those of the sources that were silent longest are forgotten."""
        known = self._identities.get(source)
        if known is None:
            from logstore.capture.decoders.otlp_identity import TraceIdentities

            known = self._identities[source] = TraceIdentities(MAX_SPANS, MAX_BYTES)
        self._identities.move_to_end(source)
        while len(self._identities) > 1 and (
            len(self._identities) > MAX_SOURCES
            or sum(each.size for each in self._identities.values()) > MAX_SPANS
            or sum(each.weight for each in self._identities.values()) > MAX_BYTES
        ):
            self._identities.popitem(last=False)
        return known


def taken(arrival: Arrival, cut: list[Item | Bad], decoding: Decoding) -> Taken:
    """A record of every piece of a request.

    Args:
        arrival: the request.
        cut: its pieces.
        decoding: decodes them.
    """
    records: list[Record] = []
    sightings: list[Sighting | None] = []
    rejected: dict[int, str] = {}
    first = arrival.sequence
    made = decoding.records(cut, source=arrival.source, by=_BY, seq=first)
    for place, each in enumerate(made):
        if isinstance(each, Bad):
            seq = None if first is None else first + place
            rejected[place] = each.reason
            records.append(opaque(each, arrival.source, seq))
            sightings.append(None)
        else:
            record, sighting = each[1]
            records.append(record)
            sightings.append(sighting)
    kinds = Counter(record.kind for record in records)
    cut_short = TOO_FAR in rejected.values()
    return Taken(records, rejected, is_unreadable(cut), kinds, cut_short, sightings)


def opaque(bad: Bad, source: str, seq: int | None = None) -> Record:
    """Bytes as evidence that nobody could read."""
    kept = Bad(bad.raw[:MAX_OPAQUE], bad.where, bad.reason)
    return to_rejected(kept, source=source, by=_BY, seq=seq, kind=REJECTED)
