"""Checking a run of consecutive leaves, and what must be known of it to join it to the next. Pure.

Every leaf is parsed strictly, stands at its index, continues the chain and is hashed into the
tree. What can only be judged with the rest of the log (was a key announced before? is this the
pin of a segment?) is collected in `RunFacts` and judged by `folding`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from logstore.errors import FormatError
from logstore.formats.custody import KINDS as CUSTODY
from logstore.formats.custody import fields_of
from logstore.formats.leaf import Leaf, leaf_hash, parse, parse_all
from logstore.formats.merkle import Frontier
from logstore.formats.pins import KIND as SEALED
from logstore.formats.pins import SUPPLEMENT
from logstore.verify.findings import Finding
from logstore.verify.sequences import Sequence as Numbers

KEY_CREATED = "key.created"
KEY_DESTROYED = "key.destroyed"
LOG_CREATED = "log.created"

MAX_SOURCES = 1000
"""Sources whose sequence numbers are followed."""

FUTURE_US = 5 * 60 * 1_000_000
"""How far a source's clock may be ahead before its records are remarked on."""

_SYSTEM = frozenset({SEALED, KEY_CREATED, KEY_DESTROYED, LOG_CREATED, SUPPLEMENT}) | CUSTODY
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_COMMITMENT = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class Remarks:
    """Suspicious but not proof of anything: how many, and the first.

    Attributes:
        count: how many records.
        first: index of the first of them.
    """

    count: int = 0
    first: int = -1

    def add(self, index: int) -> None:
        """Count one more record."""
        self.first = index if self.count == 0 else self.first
        self.count += 1

    def merge(self, later: Remarks) -> None:
        """Count those of a later run."""
        self.first = later.first if self.count == 0 else self.first
        self.count += later.count


@dataclass(slots=True)
class RunFacts:
    """What a run of leaves says.

    Attributes:
        first: index of its first leaf.
        end: index behind its last leaf.
        prev: what the first leaf states as its predecessor's hash.
        last_hash: leaf hash of the last.
        clock: (recorded_us, boot, mono_us) of the first and of the last leaf.
        created: key id -> (index, commitment) of ``key.created`` records.
        used: key id -> index of its first use for a body.
        destroyed: key id -> index of its ``key.destroyed`` record.
        sealed: (index, leaf) of ``segment.sealed`` records.
        supplements: (index, leaf) of ``supplement.sealed`` records.
        custody: (index, leaf) of records of holds and retention.
        opening: (index, leaf) of ``log.created`` records.
        numbers: source -> its sequence numbers.
        clock_back: records taken at an earlier clock time than the one before.
        future: records whose event lies well after they were taken.
        roots: tree size -> root, for the sizes that were asked for.
        findings: what is wrong within the run.
    """

    first: int
    end: int = 0
    prev: bytes = b""
    last_hash: bytes = b""
    clock: list[tuple[int, str, int]] = field(default_factory=list)
    created: dict[str, tuple[int, str]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    destroyed: dict[str, int] = field(default_factory=dict)
    sealed: list[tuple[int, bytes]] = field(default_factory=list)
    supplements: list[tuple[int, bytes]] = field(default_factory=list)
    custody: list[tuple[int, bytes]] = field(default_factory=list)
    opening: list[tuple[int, bytes]] = field(default_factory=list)
    numbers: dict[str, Numbers] = field(default_factory=dict)
    clock_back: Remarks = field(default_factory=Remarks)
    future: Remarks = field(default_factory=Remarks)
    roots: dict[int, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


class LeafRun:
    """Takes the leaves of a run portion by portion.

    Args:
        first: index of the first leaf.
        edge: the tree's edge there; None when it is not known, so no roots can be worked out.
        file: where the leaves stand, for findings.
        sizes: tree sizes whose roots are wanted.
    """

    def __init__(
        self, first: int, edge: Frontier | None, file: str, sizes: Iterable[int] = ()
    ) -> None:
        self.facts = RunFacts(first, first)
        self.edge = None if edge is None else edge.copy()
        self.file = file
        self._sizes = sorted(set(sizes), reverse=True)
        while self._sizes and self._sizes[-1] < first:
            self._sizes.pop()
        self._grow([])

    def take(self, raw: Sequence[bytes]) -> list[Leaf] | None:
        """Check further leaves; the parsed ones, or None when one can not be parsed."""
        if not raw:
            return []
        hashes = list(map(leaf_hash, raw))
        leaves = self._parse(raw)
        if leaves is not None:
            self._check_chain(leaves, hashes)
            self._collect(leaves, raw)
        self._grow(hashes)
        self.facts.last_hash = hashes[-1]
        self.facts.end += len(raw)
        return leaves

    def hash_only(self, raw: Sequence[bytes]) -> None:
        """Only work out the tree; for quick verification."""
        hashes = list(map(leaf_hash, raw))
        self._grow(hashes)
        self.facts.end += len(raw)

    def _report(self, code: str, what: str, index: int) -> None:
        self.facts.findings.append(Finding(code, what, self.file, index))

    def _parse(self, raw: Sequence[bytes]) -> list[Leaf] | None:
        try:
            return parse_all(raw)
        except FormatError:
            pass
        for offset, each in enumerate(raw):
            try:
                parse(each)
            except FormatError as error:
                self._report("leaf-malformed", error.what, self.facts.end + offset)
                break
        return None

    def _check_chain(self, leaves: list[Leaf], hashes: list[bytes]) -> None:
        start, facts = self.facts.end, self.facts
        indexes = [leaf.index for leaf in leaves]
        if indexes != list(range(start, start + len(leaves))):
            at = next(n for n, index in enumerate(indexes) if index != start + n)
            self._report("index-wrong", f"the leaf here says record {indexes[at]}", start + at)
        stated = [leaf.prev for leaf in leaves]
        if start == facts.first:
            facts.prev = stated[0]
        due = [facts.last_hash if start > facts.first else stated[0], *hashes[:-1]]
        if stated != due:
            at = next(n for n, (a, b) in enumerate(zip(stated, due, strict=True)) if a != b)
            self._report("chain-broken", "it does not continue the record before it", start + at)

    def _collect(self, leaves: list[Leaf], raw: Sequence[bytes]) -> None:
        used = self.facts.used
        for leaf in leaves:
            body = leaf.body
            if body is None:
                continue
            keys = body.keys
            if len(keys) != 1 and (not keys or not all(a < b for a, b in pairwise(keys))):
                self._report("record-malformed", "its keys are not in order", leaf.index)
            for key in keys:
                if key not in used:
                    used[key] = leaf.index
        for offset, leaf in enumerate(leaves):
            if leaf.kind != "interaction" and leaf.kind in _SYSTEM:
                self._system(leaf, raw[offset])
        self._follow_numbers(leaves)
        self._follow_clock(leaves)

    def _system(self, leaf: Leaf, raw: bytes) -> None:
        if leaf.kind == SEALED:
            self.facts.sealed.append((leaf.index, raw))
        elif leaf.kind == SUPPLEMENT:
            self.facts.supplements.append((leaf.index, raw))
        elif leaf.kind in CUSTODY:
            self._custody(leaf, raw)
        elif leaf.kind == LOG_CREATED:
            self.facts.opening.append((leaf.index, raw))
        elif leaf.kind == KEY_DESTROYED:
            key = leaf.clear.get("key")
            if isinstance(key, str) and _KEY_ID.fullmatch(key):
                self.facts.destroyed.setdefault(key, leaf.index)
            else:
                self._report("record-malformed", "it names no key that was destroyed", leaf.index)
        else:
            self._announced(leaf)

    def _custody(self, leaf: Leaf, raw: bytes) -> None:
        self.facts.custody.append((leaf.index, raw))
        try:
            fields_of(leaf.kind, leaf.clear)
        except FormatError as error:
            self._report("record-malformed", error.what, leaf.index)

    def _announced(self, leaf: Leaf) -> None:
        entries = leaf.clear.get("keys")
        good = isinstance(entries, list) and bool(entries)
        for entry in entries if isinstance(entries, list) else ():
            fields = entry if isinstance(entry, dict) else {}
            identifier, commitment = str(fields.get("id")), str(fields.get("commitment"))
            if not _KEY_ID.fullmatch(identifier) or not _COMMITMENT.fullmatch(commitment):
                good = False
            elif identifier in self.facts.created:
                self._report("key-announced-twice", f"key {identifier}", leaf.index)
            else:
                self.facts.created[identifier] = (leaf.index, commitment)
        if not good:
            self._report("record-malformed", "it does not announce keys as it should", leaf.index)

    def _follow_numbers(self, leaves: list[Leaf]) -> None:
        found: dict[str, list[int]] = {}
        sources = {leaf.source for leaf in leaves}
        if len(sources) == 1:  # the usual case, in half the time
            found[sources.pop()] = [leaf.seq for leaf in leaves if leaf.seq is not None]
        else:
            for leaf in leaves:
                if leaf.seq is not None:
                    found.setdefault(leaf.source, []).append(leaf.seq)
        known = self.facts.numbers
        for source, numbers in found.items():
            if source in known or len(known) < MAX_SOURCES:
                known.setdefault(source, Numbers()).add(numbers)

    def _follow_clock(self, leaves: list[Leaf]) -> None:
        facts, before = self.facts, self.facts.clock[-1] if self.facts.clock else None
        for leaf in leaves:
            now = (leaf.recorded_us, leaf.boot, leaf.mono_us)
            if before is not None and now != before and moved_back(before, now):
                facts.clock_back.add(leaf.index)
            if leaf.time_us > leaf.recorded_us + FUTURE_US:
                facts.future.add(leaf.index)
            before = now
        first = leaves[0]
        facts.clock = [
            facts.clock[0] if facts.clock else (first.recorded_us, first.boot, first.mono_us),
            before or (0, "", 0),
        ]

    def _grow(self, hashes: list[bytes]) -> None:
        if self.edge is None:
            return
        while self._sizes and self._sizes[-1] <= self.edge.size + len(hashes):
            size = self._sizes.pop()
            step = size - self.edge.size
            self.edge.extend(hashes[:step])
            hashes = hashes[step:]
            self.facts.roots[size] = self.edge.root()
        self.edge.extend(hashes)


def moved_back(before: tuple[int, str, int], now: tuple[int, str, int]) -> bool:
    """Whether wall clock or, within one boot, monotonic clock went back."""
    return now[0] < before[0] or (now[1] == before[1] and now[2] < before[2])
