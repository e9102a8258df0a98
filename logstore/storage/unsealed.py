"""Finding records in the write-ahead log, by position or by what they pin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from logstore.errors import TamperingFound
from logstore.formats.leaf import Leaf, parse
from logstore.formats.pins import (
    KIND,
    SUPPLEMENT,
    SegmentPin,
    SupplementPin,
    from_clear,
    supplements_among,
)
from logstore.storage.wal import WalContent, read_wal, wal_files


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

    def following(self, end: int, index: int) -> tuple[list[bytes], bytes]:
        """Leaves from `end` on up to the first signed checkpoint that covers record `index`.

        Raises:
            TamperingFound: there is none.
        """
        leaves: list[bytes] = []
        for content in self._contents(end):
            for group in content.groups:
                leaves += group.leaves
                if group.end > index:
                    return leaves, group.note
        raise TamperingFound(f"record {index} was written but can not be read back")

    def _of_kind(self, kind: str, first: int) -> Iterator[Leaf]:
        mark = f'"kind":"{kind}"'.encode()
        for content in self._contents(first):
            for raw in (leaf for group in content.groups for leaf in group.leaves):
                if mark in raw:
                    leaf = parse(raw)
                    if leaf.kind == kind:
                        yield leaf

    def _contents(self, first: int) -> Iterator[WalContent]:
        for path in wal_files(self._directory):
            if int(path.stem) >= first:
                yield read_wal(path, self._origin)
