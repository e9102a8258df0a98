"""Checking a body object: every block where it belongs, every content what its record says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from logstore.errors import FormatError, KeyUnavailable
from logstore.formats import blocks
from logstore.formats.body import NONCE, commitment, padded
from logstore.formats.pins import ObjectPin, SegmentPin
from logstore.storage.segment import body_schema
from logstore.verify.bodyplan import NO_BODY, BodyPlan
from logstore.verify.findings import Finding
from logstore.verify.parquetfile import open_parquet

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_NAMED = 20  # findings of one object that are named one by one


@dataclass(slots=True)
class BodyFacts:
    """What a body object holds.

    Attributes:
        absent: records that have a body which is not in the object, with their key set's number.
        opened: bodies decrypted and found to match.
        locked: bodies whose keys are not at hand.
        findings: what is wrong.
    """

    absent: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    opened: int = 0
    locked: int = 0
    findings: list[Finding] = field(default_factory=list)


class BodyCheck:
    """Walks one body object.

    Args:
        origin: the log.
        pin: the segment.
        plan: the bodies due.
        keys: key id -> key; None when content is not to be opened.
    """

    def __init__(
        self, origin: str, pin: SegmentPin, plan: BodyPlan, keys: Mapping[str, bytes] | None
    ) -> None:
        self._pin = pin
        self._object: ObjectPin = pin.body or pin.index
        self._plan = plan
        self._keys = keys
        self._context = blocks.BlockContext(origin, pin.first, pin.count)
        self._found = bytearray(len(plan.sets))
        self.facts = BodyFacts()

    def check(self, data: pa.Buffer) -> None:
        """Check an object whose whole-file hash has been found right."""
        import pyarrow as pa

        try:
            self._walk(data)
        except FormatError as error:
            self._report("body-malformed", error.what)
        except (pa.ArrowException, OSError, ValueError) as error:
            self._report("body-malformed", f"it can not be read: {error}")

    def finish(self) -> BodyFacts:
        """Name what is absent, whether or not there was an object."""
        plan = self._plan
        for offset, number in enumerate(plan.sets):
            if number != NO_BODY and not self._found[offset]:
                self.facts.absent.append((plan.first + offset, plan.key_sets[number]))
        return self.facts

    def _walk(self, data: pa.Buffer) -> None:
        file = open_parquet(data, body_schema())
        names = ["part", "keys", "indexes"] + (["block"] if self._keys is not None else [])
        parts: dict[tuple[str, ...], int] = {}
        for number in range(file.metadata.num_row_groups):
            for row in file.read_row_group(number, columns=names, use_threads=False).to_pylist():
                keys = tuple(row["keys"])
                if row["part"] != parts.get(keys, 0):
                    raise FormatError(f"part {row['part']} of a block is out of order")
                parts[keys] = row["part"] + 1
                if self._place(keys, row["indexes"]) and self._keys is not None:
                    self._open(keys, row)

    def _place(self, keys: tuple[str, ...], indexes: list[int]) -> bool:
        number, first, sets = self._plan.number(keys), self._plan.first, self._plan.sets
        good = bool(indexes) and all(a < b for a, b in pairwise(indexes))
        good = good and first <= indexes[0] and indexes[-1] < first + len(sets)
        if not good:
            self._report("body-misplaced", "a block names records that can not be its own")
            return False
        for index in indexes:
            if sets[index - first] != number or self._found[index - first]:
                self._report("body-misplaced", "a block holds it that is not for its keys", index)
                return False
            self._found[index - first] = 1
        return True

    def _open(self, keys: tuple[str, ...], row: dict[str, Any]) -> None:
        indexes: list[int] = row["indexes"]
        have = self._keys or {}
        if not all(key in have for key in keys):
            self.facts.locked += len(indexes)
            return
        key = blocks.block_key([have[each] for each in keys], keys, self._context)
        try:
            entries = blocks.open_block(key, row["block"], self._context.bind(keys, row["part"]))
        except (KeyUnavailable, FormatError) as error:
            self._report("body-wrong", error.what, indexes[0], indexes[-1])
            return
        if [self._plan.first + offset for offset, _ in entries] != indexes:
            self._report("body-misplaced", "a block holds other records than it names", indexes[0])
            return
        self._check_contents(entries)

    def _check_contents(self, entries: Iterable[tuple[int, bytes]]) -> None:
        for offset, body in entries:
            index = self._plan.first + offset
            if not fits(body, self._plan.commitment(index), self._plan.lengths[offset]):
                self._report("body-wrong", "content is not what its record commits to", index)
            else:
                self.facts.opened += 1

    def _report(
        self, code: str, what: str, index: int | None = None, last: int | None = None
    ) -> None:
        if len(self.facts.findings) < _MAX_NAMED:
            file = self._object.key
            if index is None:
                index, last = self._pin.first, self._pin.last
            self.facts.findings.append(Finding(code, what, file, index, last))


def fits(body: bytes, commit: bytes, length: int) -> bool:
    """Whether nonce32 || content is what a leaf commits to, in hash and padded length."""
    nonce, content = body[:NONCE], body[NONCE:]
    return commitment(nonce, content) == commit and padded(len(content)) == length
