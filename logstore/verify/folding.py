"""Joining what runs of records say into a judgement on the whole log. Pure.

Takes the runs in log order and judges what no run can judge alone: that each continues the last,
that keys were announced before they were used, that seals prove records which are on the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from logstore.errors import FormatError
from logstore.formats.leaf import GENESIS, parse
from logstore.formats.pins import SegmentPin, SupplementPin, supplement_from_clear
from logstore.storage.seal import pin_of
from logstore.verify.findings import Finding
from logstore.verify.runs import LOG_CREATED, MAX_SOURCES, Remarks, RunFacts, moved_back
from logstore.verify.sequences import Sequence as Numbers

_MAX_NAMED = 20  # findings of one sort that are named one by one

Absent = tuple[int, tuple[str, ...], str]
"""A record whose body is not in its object: index, key ids, file."""


class Fold:
    """Takes `RunFacts` in log order.

    Args:
        commitments: key id -> commitment of the keys at hand; empty without a key store.
        pins: index of its ``segment.sealed`` record -> (leaf, seal file), from good seals.
        watched: key ids of which it is to be known where they were announced.

    Attributes:
        whole: every run so far could be read.
        announced_at: index of the ``key.created`` record, of keys that are watched.
        supplements: supplement -> index of the first record that pins it.
        opening: leaf of the ``log.created`` record.
        roots: tree size -> root, for the sizes that were asked for.
        findings: what is wrong.
    """

    def __init__(
        self,
        commitments: Mapping[str, str],
        pins: Mapping[int, tuple[bytes, str]],
        watched: Collection[str] = (),
    ) -> None:
        self._commitments = commitments
        self._pins = pins
        self._watched = frozenset(watched)
        self.announced_at: dict[str, int] = {}
        self.supplements: dict[SupplementPin, int] = {}
        self._announced: set[bytes] = set()
        self._destroyed: set[str] = set()
        self._absent: list[Absent] = []
        self._end = 0
        self._last_hash = GENESIS
        self._clock: tuple[int, str, int] | None = None
        self.whole = True
        self._sealed: dict[int, SegmentPin] = {}
        self._numbers: dict[str, Numbers] = {}
        self._clock_back = Remarks()
        self._future = Remarks()
        self.opening: bytes | None = None
        self.roots: dict[int, bytes] = {}
        self.findings: list[Finding] = []

    def lose(self) -> None:
        """Some run could not be read: what it announced is not known from here on."""
        self.whole = False
        self._last_hash = b""

    def join(self, facts: RunFacts, file: str) -> None:
        """Take the run that follows."""
        if facts.first != self._end:
            self.lose()
        self._join_chain(facts, file)
        self._join_keys(facts, file)
        self._join_records(facts, file)
        self.roots |= facts.roots
        for source, numbers in facts.numbers.items():
            if source in self._numbers or len(self._numbers) < MAX_SOURCES:
                self._numbers.setdefault(source, Numbers()).merge(numbers)
        self._clock_back.merge(facts.clock_back)
        self._future.merge(facts.future)
        self._end = facts.end

    def miss(self, absent: Iterable[tuple[int, tuple[str, ...]]], file: str) -> None:
        """Take records whose bodies are not in their object."""
        self._absent += [(index, keys, file) for index, keys in absent]

    def cover(self, indexes: Collection[int]) -> None:
        """Take records whose content stands in supplements: it is not absent."""
        self._absent = [each for each in self._absent if each[0] not in indexes]

    @property
    def absent(self) -> set[int]:
        """Records that have a body which is not in their segment's object."""
        return {index for index, _, _ in self._absent}

    def finish(self) -> list[Finding]:
        """Everything found, once every run was joined."""
        self._judge_absent()
        if self.whole:
            self._judge_seals()
        self._note_numbers()
        for code, remarks in (
            ("clock-moved-back", self._clock_back),
            ("event-in-future", self._future),
        ):
            if remarks.count:
                what = f"{remarks.count} records, this is the first"
                self.findings.append(Finding(code, what, "", remarks.first))
        return self.findings

    @property
    def sealed(self) -> dict[int, SegmentPin]:
        """First record -> pin, from every ``segment.sealed`` record that was read."""
        return self._sealed

    def _report(self, code: str, what: str, file: str, index: int) -> None:
        self.findings.append(Finding(code, what, file, index))

    def _join_chain(self, facts: RunFacts, file: str) -> None:
        if facts.prev and self._last_hash and facts.prev != self._last_hash:
            self._report(
                "chain-broken", "it does not continue the record before it", file, facts.first
            )
        if facts.end > facts.first:
            self._last_hash = facts.last_hash
        if facts.clock:
            if self._clock is not None and moved_back(self._clock, facts.clock[0]):
                self._clock_back.add(facts.first)
            self._clock = facts.clock[-1]

    def _join_keys(self, facts: RunFacts, file: str) -> None:
        for key, (index, commitment) in facts.created.items():
            if bytes.fromhex(key) in self._announced:
                self._report("key-announced-twice", f"key {key}", file, index)
            held = self._commitments.get(key)
            if held is not None and held != commitment:
                what = f"key {key} is not the key that this record commits to"
                self._report("key-mismatch", what, file, index)
        for key, index in facts.used.items():
            announced = facts.created.get(key)
            known = announced is not None and announced[0] < index
            if not known and self.whole and not self._knows(key):
                self._report("key-not-announced", f"key {key}", file, index)
        for key in self._watched & facts.created.keys():
            self.announced_at.setdefault(key, facts.created[key][0])
        self._announced.update(map(bytes.fromhex, facts.created))
        self._destroyed.update(facts.destroyed)

    def _knows(self, key: str) -> bool:
        try:
            return bytes.fromhex(key) in self._announced
        except ValueError:
            return False

    def _join_records(self, facts: RunFacts, file: str) -> None:
        for index, leaf in facts.opening:
            if index:
                self._report("record-malformed", "the log was created a second time", file, index)
            else:
                self.opening = leaf
        if facts.first == 0 and facts.end and not facts.opening and self.whole:
            self._report("record-malformed", f"record 0 is not {LOG_CREATED}", file, 0)
        for index, leaf in facts.supplements:
            try:
                self.supplements.setdefault(supplement_from_clear(parse(leaf).clear), index)
            except FormatError as error:
                self._report("record-malformed", error.what, file, index)
        for index, leaf in facts.sealed:
            try:
                pin = pin_of(leaf)[1]
            except FormatError as error:
                self._report("record-malformed", error.what, file, index)
                continue
            known = self._sealed.setdefault(pin.first, pin)
            if known != pin or pin.end > index:
                what = f"it pins the segment from record {pin.first} otherwise than before"
                self._report("record-malformed", what, file, index)
            proven = self._pins.get(index)
            if proven is not None and proven[0] != leaf:
                self._report("seal-not-on-log", f"{proven[1]} proves another leaf", file, index)

    def _judge_seals(self) -> None:
        for index, (leaf, key) in self._pins.items():
            pin = pin_of(leaf)[1]
            if index < self._end and self._sealed.get(pin.first) != pin:
                what = f"the record that {key} proves is not on the log"
                self._report("seal-not-on-log", what, key, index)
        sealed = {pin_of(leaf)[1].first for leaf, _ in self._pins.values()}
        until = max((pin_of(leaf)[1].end for leaf, _ in self._pins.values()), default=0)
        for first, pin in self._sealed.items():
            if first not in sealed and first < until:
                what = "the log says this segment was sealed; its seal is not here"
                self.findings.append(Finding("seal-missing", what, "", pin.first, pin.last))

    def _judge_absent(self) -> None:
        on_purpose = [a for a in self._absent if not self._destroyed.isdisjoint(a[1])]
        lost = [a for a in self._absent if self._destroyed.isdisjoint(a[1])]
        if on_purpose:
            index, _, file = on_purpose[0]
            what = (
                f"{len(on_purpose)} records, this is the first: destroyed before they were sealed"
            )
            self._report("body-destroyed", what, file, index)
        if not self.whole:
            return  # the record that a key was destroyed may be among those that are lost
        for index, _, file in lost[:_MAX_NAMED]:
            self._report("body-missing", "its content is not in the sealed object", file, index)
        if len(lost) > _MAX_NAMED:
            what = f"and {len(lost) - _MAX_NAMED} further records"
            self._report("body-missing", what, lost[_MAX_NAMED][2], lost[_MAX_NAMED][0])

    def _note_numbers(self) -> None:
        for source, numbers in sorted(self._numbers.items()):
            gaps = numbers.gaps()
            if gaps:
                named = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in gaps[:_MAX_NAMED])
                more = f" and {len(gaps) - _MAX_NAMED} more gaps" if len(gaps) > _MAX_NAMED else ""
                missing = sum(b - a + 1 for a, b in gaps)
                what = f"source {source!r} never sent {missing} of its numbers: {named}{more}"
                self.findings.append(Finding("sequence-gap", what))
            if numbers.repeated:
                what = f"source {source!r} used {numbers.repeated} of its numbers again"
                self.findings.append(Finding("sequence-repeated", what))
