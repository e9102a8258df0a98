"""Finding records in the write-ahead log, by position or by what they pin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logstore.errors import TamperingFound
from logstore.formats.custody import CustodyEvent, events_among, mentions
from logstore.formats.group import Group
from logstore.formats.leaf import Leaf, leaf_hashes, parse
from logstore.formats.pins import (
    KIND,
    SUPPLEMENT,
    SegmentPin,
    SupplementPin,
    from_clear,
    supplements_among,
)
from logstore.storage.wal import groups_of, wal_files


@dataclass(frozen=True, slots=True)
class Following:
    """What ties a segment to a signed checkpoint behind it.

    Attributes:
        hashes: leaf hashes from the segment's end up to the checkpoint.
        index: the record that pins the segment.
        leaf: its leaf.
        note: the signed checkpoint.
    """

    hashes: list[bytes]
    index: int
    leaf: bytes
    note: bytes


class Unsealed:
    """Whole groups in the write-ahead files of a log.

    Args:
        directory: folder of the write-ahead files.
        origin: the log.
    """

    def __init__(self, directory: Path, origin: str) -> None:
        self._directory = directory
        self._origin = origin

    def pinned_at(self, pin: SegmentPin) -> int | None:
        """Index of the record that pins a segment, when it stands behind the segment.

        Raises:
            TamperingFound: a record pins other objects as this segment.
        """
        for leaf in self._of_kind(KIND, pin.end):
            if leaf.clear.get("first") == pin.first:
                if from_clear(leaf.clear) != pin:
                    raise TamperingFound(
                        f"record {leaf.index} pins other objects than those of this segment"
                    )
                return leaf.index
        return None

    def supplements(self) -> list[SupplementPin]:
        """Supplements that unsealed records pin, oldest first."""
        return supplements_among(self._of_kind(SUPPLEMENT, 0))

    def custody(self, first: int) -> list[CustodyEvent]:
        """Records of holds and retention in write-ahead files that begin at `first` or later."""
        raw = (leaf for group in self._groups(first) for leaf in group.leaves if mentions(leaf))
        return events_among(map(parse, raw))

    def following(self, end: int, index: int) -> Following:
        """What follows a segment, up to the first signed checkpoint that covers record `index`.

        Args:
            end: index behind the segment.
            index: of a record behind it.

        Raises:
            TamperingFound: there is none.
        """
        hashes: list[bytes] = []
        for group in self._groups(end):
            hashes += leaf_hashes(group.leaves)
            if group.end > index:
                leaf = group.leaves[index - group.first]
                return Following(hashes, index, leaf, group.note)
        raise TamperingFound(f"record {index} was written but can not be read back")

    def _of_kind(self, kind: str, first: int) -> Iterator[Leaf]:
        mark = f'"kind":"{kind}"'.encode()
        for group in self._groups(first):
            for raw in group.leaves:
                if mark in raw:
                    leaf = parse(raw)
                    if leaf.kind == kind:
                        yield leaf

    def _groups(self, first: int) -> Iterator[Group]:
        for path in wal_files(self._directory):
            if int(path.stem) >= first:
                yield from groups_of(path, self._origin)
