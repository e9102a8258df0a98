"""Checking supplements: pinned bytes, blocks that add up, and content that fits its records.

Runs in two steps around the check of segments: `read` hashes every object and learns which keys
its blocks name; `judge` needs to know when those keys were announced, and what the records say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from logstore.errors import FormatError, KeyUnavailable
from logstore.formats import blocks
from logstore.formats.leaf import BodyRef
from logstore.formats.pins import SupplementPin
from logstore.storage import layout
from logstore.storage.segment import body_schema
from logstore.verify.bodyobject import fits
from logstore.verify.evidence import Data, Evidence, release
from logstore.verify.findings import Finding
from logstore.verify.keeping import Keepings, absence
from logstore.verify.parquetfile import open_parquet
from logstore.verify.supplementplan import SupplementPlan, read_plan

_MAX_NAMED = 20  # findings of one object that are named one by one


@dataclass(frozen=True, slots=True)
class Known:
    """What the rest of the verification found out.

    Attributes:
        pinned: supplement -> index of the first record that pins it.
        announced: key id -> index of its ``key.created`` record, for `SupplementCheck.keys`.
        whole: every record was read, so what is not known does not exist.
        refs: what records say of their bodies.
        held: key id -> key; None when content is not to be opened.
    """

    pinned: Mapping[SupplementPin, int]
    announced: Mapping[str, int]
    whole: bool
    refs: Mapping[int, BodyRef | None]
    held: Mapping[str, bytes] | None


@dataclass(slots=True)
class SupplementFacts:
    """What was found.

    Attributes:
        files: objects whose hash is right.
        size_bytes: their bytes.
        covered: records whose content a good supplement holds.
        opened: records whose content was decrypted and found to match.
        findings: what is wrong.
    """

    files: int = 0
    size_bytes: int = 0
    covered: set[int] = field(default_factory=set)
    opened: set[int] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


class SupplementCheck:
    """Walks the supplements of one log.

    Args:
        evidence: the store.
        origin: the log.
        pins: its supplements, from seals and unsealed records.
        keepings: what the log says of keeping them.

    Attributes:
        facts: what was found.
    """

    def __init__(
        self, evidence: Evidence, origin: str, pins: Sequence[SupplementPin], keepings: Keepings
    ) -> None:
        self._evidence = evidence
        self._origin = origin
        self._pins = list(dict.fromkeys(pins))
        self._keepings = keepings
        self._plans: list[SupplementPlan] = []
        self._named: dict[str, int] = {}
        self.facts = SupplementFacts()

    @property
    def keys(self) -> set[str]:
        """Ids of every key that a block names."""
        return {key for plan in self._plans for keys, _ in plan.blocks for key in keys}

    @property
    def indexes(self) -> list[int]:
        """Every record that a supplement holds, ascending."""
        return sorted(set(chain.from_iterable(plan.indexes for plan in self._plans)))

    def read(self, *, quick: bool) -> None:
        """Check the whole-file hashes and, unless `quick`, what the objects say they hold."""
        import pyarrow as pa

        for pin in self._pins:
            data = self._open(pin)
            if isinstance(data, Finding):
                self.facts.findings.append(data)
                continue
            self.facts.files += 1
            self.facts.size_bytes += pin.body.size
            if quick:
                release(data)
                continue
            try:
                self._plans.append(read_plan(pin, pa.py_buffer(data)))
            except FormatError as error:
                self._report(pin, "body-malformed", error.what)

    def judge(self, known: Known) -> None:
        """Check what the objects hold against the records, and content where keys are at hand."""
        for plan in self._plans:
            before = len(self.facts.findings)
            self._judge_place(plan, known)
            self._judge_records(plan, known)
            if known.held is not None:
                self._judge_contents(plan, known, known.held)
            if len(self.facts.findings) == before:
                self.facts.covered.update(plan.indexes)

    # -- steps --------------------------------------------------------------------------------

    def _open(self, pin: SupplementPin) -> Data | Finding:
        data = self._evidence.open(pin.body, pin)
        if not isinstance(data, Finding) or data.code != "file-missing":
            return data
        folder = f"{layout.wal_directory(self._origin)}/staging"
        key = f"{folder}/{layout.supplement_staging(pin.body.key)}/body"
        staged = self._evidence.open(msgspec.structs.replace(pin.body, key=key), pin)
        if not isinstance(staged, Finding):  # pinned, and its writer is about to publish it
            self._report(pin, "sealing-under-way", "pinned, not published yet")
            return staged
        again = self._evidence.open(pin.body, pin)  # published while we looked elsewhere
        if not isinstance(again, Finding):
            return again
        return absence(again, self._keepings.of(pin.body, pin.first, pin.end))

    def _judge_place(self, plan: SupplementPlan, known: Known) -> None:
        at = known.pinned.get(plan.pin)
        if at is None:
            return  # its record could not be read, or is not on the log: both are named elsewhere
        if plan.pin.end > at:
            self._report(plan.pin, "body-misplaced", f"record {at} pins it, and comes before")
        for key in sorted({key for keys, _ in plan.blocks for key in keys}):
            announced = known.announced.get(key, at)
            if announced >= at and (known.whole or key in known.announced):
                self._report(plan.pin, "key-not-announced", f"key {key}")

    def _judge_records(self, plan: SupplementPlan, known: Known) -> None:
        for index in plan.indexes:
            if index in known.refs and known.refs[index] is None:
                what = "it holds content of a record that has none"
                self._report(plan.pin, "body-misplaced", what, index)

    def _judge_contents(
        self, plan: SupplementPlan, known: Known, held: Mapping[str, bytes]
    ) -> None:
        import pyarrow as pa

        data = self._open(plan.pin)
        if isinstance(data, Finding):
            self.facts.findings.append(data)
            return
        file = open_parquet(pa.py_buffer(data), body_schema())
        at = 0
        for number in range(file.metadata.num_row_groups):
            table = file.read_row_group(number, columns=["part", "block"], use_threads=False)
            for row in table.to_pylist():
                keys, indexes = plan.blocks[at]
                at += 1
                if all(key in held for key in keys):
                    opened = self._opened(plan.pin, keys, row["part"], row["block"], held)
                    self._match(plan.pin, indexes, opened, known)

    def _opened(
        self,
        pin: SupplementPin,
        keys: tuple[str, ...],
        part: int,
        block: bytes,
        held: Mapping[str, bytes],
    ) -> list[tuple[int, bytes]] | FormatError | KeyUnavailable:
        context = blocks.BlockContext(self._origin, pin.first, pin.count)
        key = blocks.block_key([held[each] for each in keys], keys, context)
        try:
            return blocks.open_block(key, block, context.bind(keys, part))
        except (KeyUnavailable, FormatError) as error:
            return error

    def _match(
        self,
        pin: SupplementPin,
        indexes: Sequence[int],
        opened: list[tuple[int, bytes]] | FormatError | KeyUnavailable,
        known: Known,
    ) -> None:
        if isinstance(opened, Exception):
            self._report(pin, "body-wrong", opened.what, indexes[0], indexes[-1])
            return
        if [pin.first + offset for offset, _ in opened] != list(indexes):
            what = "a block holds other records than it names"
            self._report(pin, "body-misplaced", what, indexes[0], indexes[-1])
            return
        for index, (_, body) in zip(indexes, opened, strict=True):
            ref = known.refs.get(index)
            if ref is None:
                continue
            if fits(body, ref.commit, ref.len):
                self.facts.opened.add(index)
            else:
                what = "content is not what its record commits to"
                self._report(pin, "body-wrong", what, index)

    def _report(
        self,
        pin: SupplementPin,
        code: str,
        what: str,
        index: int | None = None,
        last: int | None = None,
    ) -> None:
        named = self._named[pin.body.key] = self._named.get(pin.body.key, 0) + 1
        if named <= _MAX_NAMED:
            if index is None:
                index, last = pin.first, pin.last
            self.facts.findings.append(Finding(code, what, pin.body.key, index, last))
