"""Which bodies a segment must hold, kept small: a key-set number and a commitment per record. Pure.

At 48 bytes a record the plan of the largest segment fits into memory beside its objects.
"""

from __future__ import annotations

from array import array

from logstore.formats.leaf import Leaf

NO_BODY = -1


class BodyPlan:
    """The bodies due in one segment.

    Attributes:
        first: index of the segment's first record.
        key_sets: every set of key ids, by number.
        sets: number of each record's key set, `NO_BODY` for none.
        lengths: padded content length of each record.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.key_sets: list[tuple[str, ...]] = []
        self.sets = array("i")
        self.lengths = array("Q")
        self._commits = bytearray()
        self._numbers: dict[tuple[str, ...], int] = {}

    def take(self, leaves: list[Leaf]) -> None:
        """Add the records that follow."""
        for leaf in leaves:
            if leaf.body is None:
                self.sets.append(NO_BODY)
                self.lengths.append(0)
                self._commits += bytes(32)
                continue
            keys = tuple(leaf.body.keys)
            number = self._numbers.get(keys)
            if number is None:
                number = self._numbers[keys] = len(self.key_sets)
                self.key_sets.append(keys)
            self.sets.append(number)
            self.lengths.append(max(leaf.body.len, 0))
            self._commits += leaf.body.commit

    def number(self, keys: tuple[str, ...]) -> int | None:
        """Number of a key set, or None when no record has it."""
        return self._numbers.get(keys)

    def commitment(self, index: int) -> bytes:
        """Commitment of the record at a position in the log."""
        at = 32 * (index - self.first)
        return bytes(self._commits[at : at + 32])
