"""Which bodies a segment must hold, kept small: a key-set number and a commitment per record. Pure.

At no more than 44 bytes a record the plan of a segment fits into memory beside its objects.
"""

from __future__ import annotations

from array import array

from logstore.formats.leaf import Leaf

NO_BODY = -1
"""In place of the number of a key set."""

_MAX = 2**63  # a hostile leaf may state any number


class BodyPlan:
    """The bodies due in one segment.

    Args:
        first: index of the segment's first record.
        contents: whether contents will be checked, so commitments and lengths are needed.

    Attributes:
        first: index of the segment's first record.
        key_sets: every set of key ids, by number.
        sets: number of each record's key set, `NO_BODY` for none.
        lengths: padded content length of each record.
    """

    def __init__(self, first: int, *, contents: bool) -> None:
        self.first = first
        self._contents = contents
        self.key_sets: list[tuple[str, ...]] = []
        self.sets = array("i")
        self.lengths = array("Q")
        self._commits = bytearray()
        self._numbers: dict[tuple[str, ...], int] = {}

    def take(self, leaves: list[Leaf]) -> None:
        """Add the records that follow."""
        numbers, sets = self._numbers, self.sets
        for leaf in leaves:
            body = leaf.body
            if body is None:
                sets.append(NO_BODY)
                continue
            keys = tuple(body.keys)
            number = numbers.get(keys)
            if number is None:
                number = numbers[keys] = len(self.key_sets)
                self.key_sets.append(keys)
            sets.append(number)
        if self._contents:
            bodies = [leaf.body for leaf in leaves]
            self.lengths.extend(
                [0 if body is None else min(max(body.len, 0), _MAX) for body in bodies]
            )
            none = bytes(32)
            self._commits += b"".join(none if body is None else body.commit for body in bodies)

    def number(self, keys: tuple[str, ...]) -> int | None:
        """Number of a key set, or None when no record has it."""
        return self._numbers.get(keys)

    def commitment(self, index: int) -> bytes:
        """Commitment of the record at a position in the log."""
        at = 32 * (index - self.first)
        return bytes(self._commits[at : at + 32])
