"""What a log holds already of a source, and what its newest records told about people.

A `Linker` knows only what passed by since its process began. Read back for it is what came before:

1. the newest captured records of its sources: at most `MAX_RECORDS` and `MAX_BYTES` of content.
   What lies farther back is forgotten, as a linker that went on running forgets it some day too;
2. marked as no longer waiting where a link names them already: nothing is linked twice;
3. without what can not be read (any more): a destroyed key, one that is not here, evidence that
   its decoder refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from logstore.capture.linking import Sighting, sighting_of
from logstore.capture.records import joined_context
from logstore.capture.registry import DECODERS
from logstore.formats.body import Body
from logstore.formats.leaf import Leaf, parse
from logstore.formats.record import CAPTURED, LINKED, Record
from logstore.storage.bodies import ABSENT, Unreadable
from logstore.storage.lookback import newest_first

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader

MAX_RECORDS = 10_000
"""Most records read back."""

MAX_BYTES = 64 * 2**20
"""Most bytes of their content."""

MAX_AGE_S = 3600
"""Age in seconds of the oldest that an endpoint reads back."""


@dataclass(slots=True)
class Earlier:
    """The newest records of some sources, and what they told; iterating reads their content.

    Attributes:
        leaves: of the records, in the order of the log.
        linked: indexes that links name already, of these records and perhaps of others.
        unreadable: how many of them could not be read so far.
    """

    reader: LogReader
    leaves: list[Leaf]
    linked: frozenset[int]
    unreadable: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[tuple[Sighting, int]]:
        """What each told, and its index.

        Raises:
            AirconError: the log can not be read.
        """
        moved: list[Leaf] = []
        for leaf, body in self.reader.contents_of(self.leaves):
            if body == ABSENT:
                moved.append(leaf)
            else:
                yield from self._told(leaf, body)
        if moved:  # perhaps only sealed while we read
            self.reader.refresh()
            for leaf, body in self.reader.contents_of(moved):
                yield from self._told(leaf, body)

    def _told(self, leaf: Leaf, body: Body | Unreadable) -> Iterator[tuple[Sighting, int]]:
        seen = _sighting(leaf, body) if isinstance(body, Body) else None
        if seen is None:
            self.unreadable += 1
        else:
            waits = seen.unnamed and leaf.index not in self.linked
            yield seen._replace(unnamed=waits), leaf.index


def newest(leaves: Iterable[Leaf], reader: LogReader) -> Earlier:
    """The newest captured records among some, within the bounds of this module.

    Args:
        leaves: newest first; only as many are taken as are needed.
        reader: of the log they stand in, with its keys.
    """
    kept: list[Leaf] = []
    linked: set[int] = set()
    left = MAX_BYTES
    for leaf in leaves:
        if leaf.kind == LINKED:  # stands behind what it names, so none is missed
            linked.update(_named(leaf))
        elif leaf.kind in CAPTURED and leaf.body is not None:
            left -= leaf.body.len
            if left < 0 or len(kept) == MAX_RECORDS:
                break
            kept.append(leaf)
    return Earlier(reader, kept[::-1], frozenset(linked))


def recent(reader: LogReader, under: str, since_us: int, before: int) -> Earlier:
    """The newest records of some sources.

    Args:
        reader: of the log, with its keys.
        under: what the names of the sources begin with.
        since_us: when they were recorded, or later; microseconds since 1970 UTC.
        before: index that is above theirs.

    Raises:
        TamperingFound: an index object is missing or not the pinned bytes.
    """
    found = takewhile(
        lambda leaf: leaf.recorded_us >= since_us, newest_first(reader, under, since_us)
    )
    return newest((leaf for leaf in found if leaf.index < before), reader)


class Recalling:
    """Answers what imports ask of a log; its sources are single files.

    Args:
        reader: of the log, with its keys; it is refreshed for each question.
    """

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def last_seq(self, source: str) -> int | None:
        """The highest sequence number that the log holds for a source; None when it holds none."""
        return max(self.places(source), default=None)

    def places(self, source: str) -> Mapping[int, int]:
        """Indexes of the records that the log holds of a source, by their sequence number."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        self._reader.refresh()
        tail = enumerate(map(parse, self._reader.tail.leaves), self._reader.tail.first)
        found = {
            leaf.seq: at for at, leaf in tail if leaf.source == source and leaf.seq is not None
        }
        for pin in self._reader.pins:
            with self._reader.index(pin) as path:
                wanted = pc.field("source") == source
                chosen = pq.read_table(path, columns=["seq", "index"], filters=wanted)
            pairs = (chosen.column(name).to_pylist() for name in ("seq", "index"))
            found |= {seq: index for seq, index in zip(*pairs, strict=True) if seq is not None}
        return found

    def linked(self, source: str) -> Collection[int]:
        """Indexes of the records of a source that links name already."""
        self._reader.refresh()
        links = (leaf for leaf in self._back(source) if leaf.kind == LINKED)
        return frozenset(index for link in links for index in _named(link))

    def earlier(self, source: str, before: int) -> Iterable[tuple[Sighting, int]]:
        """What the newest records of a source told whose sequence number is below `before`."""
        self._reader.refresh()
        back = self._back(source)
        return newest(
            (leaf for leaf in back if leaf.seq is None or leaf.seq < before), self._reader
        )

    def _back(self, source: str) -> Iterator[Leaf]:
        """Records of a source, newest first, up to its first one, which bears the number 0."""
        for leaf in newest_first(self._reader, source):
            if leaf.source == source:
                yield leaf
                if leaf.seq == 0:
                    return


def _named(link: Leaf) -> Iterator[int]:
    """Indexes that a link names."""
    listed = link.clear.get("records")
    for index in listed if isinstance(listed, list) else ():
        if type(index) is int:
            yield index


def _sighting(leaf: Leaf, body: Body) -> Sighting | None:
    """What a stored record told; None where its evidence can not be decoded."""
    decoder = DECODERS.get(body.format)
    if decoder is None:
        return None
    try:
        found = decoder(body.raw)
    except Exception:  # noqa: BLE001 - whatever a decoder does, the rest is read back
        return None
    record = Record(leaf.kind, leaf.source, subjects=tuple(body.subjects))
    return sighting_of(found, record, joined_context(body.note))
