"""What one log's small files say at one moment: seals, signatures, write-ahead files.

The view is taken without the writer lease, so the log may change while it is read: files are
listed first, then seals are read, then write-ahead files, in the order opposite to how a writer
makes them. `verifier` looks again when something seems wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from typing import cast

import msgspec

from logstore.errors import AirconError, FormatError
from logstore.formats.cosigned import Cosigned
from logstore.formats.custody import NOTHING, Custody, CustodyEvent, events_among, fold, mentions
from logstore.formats.frontier import Frontier
from logstore.formats.leaf import parse
from logstore.formats.merkle import BLOCK_HEIGHT
from logstore.formats.pins import KIND, SUPPLEMENT, SegmentPin, SupplementPin, supplements_among
from logstore.formats.policy import Policy
from logstore.formats.proof import parse_tlog_proof
from logstore.formats.treehash import HASH
from logstore.storage import layout
from logstore.storage.seal import Seal, check_seal, parse_seal, pin_of
from logstore.storage.sealing import Intent
from logstore.verify.claimsview import claimed, judge, unclaimed
from logstore.verify.cosignedview import read_cosigned
from logstore.verify.evidence import Evidence
from logstore.verify.findings import Finding
from logstore.verify.heads import Head, head_of
from logstore.verify.sealchain import reached, standing
from logstore.verify.surroundings import Listing
from logstore.verify.walscan import WalScan, scan, wal_first

_MAX_SEAL = 256 * 2**20
_MAX_WAL = 2**32
_SUPPLEMENT_MARK = f'"kind":"{SUPPLEMENT}"'.encode()
_SEALED_MARK = b'"kind":"segment.sealed"'


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment whose seal holds.

    Attributes:
        key: its seal's path.
        seal: the seal.
        pin: what its record pins.
        before: the tree's edge at its start; None when the seal before it is missing or bad.
        index: where its ``segment.sealed`` record stands.
        leaf: that record's leaf.
    """

    key: str
    seal: Seal
    pin: SegmentPin
    before: Frontier | None
    index: int
    leaf: bytes


@dataclass(slots=True)
class LogView:
    """One log at one moment.

    Attributes:
        origin: the log.
        trust: its own keys alone, for checkpoints inside the log.
        segments: good sealed segments, oldest first.
        broken: (first, count) of segments whose seal is bad.
        edge: the tree's edge behind the last segment; None when its seal is bad.
        sealed: records in sealed segments, by seals that hold.
        due: where unsealed records begin: `sealed`, or behind seals that do not hold.
        wals: write-ahead files behind them.
        leftovers: older write-ahead files.
        supplements: what seals list and unsealed records pin, oldest first.
        custody: what seals list and unsealed records say of holds and retention.
        pending: segments pinned or staged whose seal is not there yet.
        cosigned: checkpoints that came back from witnesses, by size, each joined from its copies.
        heads: what checkpoints signed inside the store state.
        claimed: files accounted for.
        true: SHA-256 of what was found to hold under names that others may have used before.
        findings: what is wrong.
    """

    origin: str
    trust: Policy
    segments: list[Segment] = field(default_factory=list)
    broken: list[tuple[int, int]] = field(default_factory=list)
    edge: Frontier | None = field(default_factory=Frontier)
    sealed: int = 0
    due: int = 0
    wals: list[WalScan] = field(default_factory=list)
    leftovers: list[WalScan] = field(default_factory=list)
    supplements: list[SupplementPin] = field(default_factory=list)
    custody: Custody = NOTHING
    pending: list[SegmentPin] = field(default_factory=list)
    cosigned: list[Cosigned] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    true: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Records found, sealed or not."""
        return self.wals[-1].end if self.wals else self.sealed


class Viewer:
    """Takes views of one log; remembers seals it has checked already.

    Args:
        evidence: the store.
        origin: the log.
        policy: whom to trust.
        now_us: microseconds since 1970 UTC; what had to be kept until before then may be gone.
    """

    def __init__(self, evidence: Evidence, origin: str, policy: Policy, now_us: int) -> None:
        self._now_us = now_us
        self._evidence = evidence
        self._origin = origin
        self._policy = policy
        self._trust = Policy(tuple(key for key in policy.logs if key.name == origin))
        self._checked: dict[str, tuple[bytes, Seal | Finding]] = {}

    def look(self, listing: Listing) -> LogView:
        """Read what a listing names."""
        view = LogView(self._origin, self._trust)
        read_cosigned(view, self._evidence, listing, self._policy)
        self._read_seals(view, listing)
        self._read_wals(view, listing)
        self._find_pending(view, listing)
        self._read_claims(view, listing)
        self._find_special(view, listing)
        return view

    # -- seals --------------------------------------------------------------------------------

    def _read_seals(self, view: LogView, listing: Listing) -> None:
        judged = {
            span: (key, self._seal(key, *span))
            for key in listing.below(layout.seal_prefix(self._origin))
            if (span := layout.seal_range(key)) is not None
        }
        good = [span for span, (_, seal) in judged.items() if isinstance(seal, Seal)]
        filling, behind = standing(good, judged.keys() - set(good))
        view.sealed = max(map(sum, good), default=0)
        view.due = reached(behind, view.sealed, (first for first, _ in self._wals(listing)))
        filling.update(span for span in behind if sum(span) <= view.due)
        at, blocks = 0, cast("Frontier | None", Frontier())
        for span, (key, seal) in sorted(judged.items()):
            view.claimed.add(key)
            if isinstance(seal, Finding) and span not in filling:
                _unplaced(view, seal, at=view.sealed if span in behind else None)
                continue
            if span[0] != at:
                self._gap(view, at, span[0], key)
                blocks = None
            if isinstance(seal, Finding):
                view.findings.append(seal)
                view.broken.append(span)
                view.edge = blocks = None
            else:
                blocks = self._accept(view, key, seal, blocks)
                view.true[key] = hashlib.sha256(self._checked[key][0]).digest()
            at = max(at, sum(span))
        for span in {*filling, *behind}:
            view.claimed.update(_named_like(listing, self._origin, *span))

    def _gap(self, view: LogView, at: int, first: int, key: str) -> None:
        view.edge = None
        if first > at:
            what = f"no seal for the segment from record {at} on"
            finding = Finding("seal-missing", what, "", at, first - 1)
        else:
            finding = Finding("seal-changed", "it overlaps the seal before it", key, first)
        view.findings.append(finding)

    def _seal(self, key: str, first: int, count: int) -> Seal | Finding:
        known: tuple[bytes, Seal | Finding] | None = self._checked.get(key)
        for data in self._evidence.smalls(key, _MAX_SEAL):
            if known is not None and known[0] == data:
                return known[1]
            judged = self._judge(data, key, first, count)
            if known is None or not isinstance(judged, Finding):
                known = (data, judged)
            if not isinstance(judged, Finding):
                break
        if known is None:
            known = (b"", self._judge(b"", key, first, count))
        self._checked[key] = known
        return known[1]

    def _judge(self, data: bytes, key: str, first: int, count: int) -> Seal | Finding:
        last = first + count - 1
        try:
            seal = parse_seal(data)
            notes = (parse_tlog_proof(seal.proof.encode()).checkpoint, seal.checkpoint.encode())
        except (FormatError, ValueError) as error:
            return Finding("seal-changed", str(error), key, first, last)
        try:
            for note in notes:
                self._trust.check(note)
        except AirconError as error:
            return Finding("signature-wrong", error.what, key, first, last)
        try:
            check_seal(seal, self._trust, self._origin)
        except AirconError as error:
            return Finding("seal-changed", error.what, key, first, last)
        if (seal.first, seal.count) != (first, count):
            return Finding("seal-changed", "it is another segment's seal", key, first, last)
        return seal

    def _accept(
        self, view: LogView, key: str, seal: Seal, blocks: Frontier | None
    ) -> Frontier | None:
        proof = parse_tlog_proof(seal.proof.encode())
        leaf, pin = pin_of(proof.extra or b"")
        view.segments.append(Segment(key, seal, pin, view.edge, leaf.index, proof.extra or b""))
        view.claimed.add(pin.index.key)
        if pin.body is not None:
            view.claimed.add(pin.body.key)
        view.heads.append(head_of(proof.checkpoint, "the proof in a seal", key))
        view.edge = seal.edge()
        if blocks is not None and not _blocks_fit(blocks, seal.blocks, view.edge):
            what = "its block roots are not those of the tree it ends with"
            view.findings.append(Finding("seal-changed", what, key, pin.first, pin.last))
            return None
        return blocks

    # -- write-ahead files --------------------------------------------------------------------

    def _wals(self, listing: Listing) -> list[tuple[int, str]]:
        """(first record, name) of write-ahead files."""
        folder = layout.wal_directory(self._origin) + "/"
        return sorted(
            (first, key)
            for key in listing.below(folder)
            if "/" not in key.removeprefix(folder) and (first := wal_first(key)) is not None
        )

    def _read_wals(self, view: LogView, listing: Listing) -> None:
        due = view.due
        for first, key in self._wals(listing):
            view.claimed.add(key)
            data = self._evidence.small(key, _MAX_WAL)
            if data is None:
                view.findings.append(Finding("wal-misplaced", "it went away", key, first))
                continue
            found = scan(data, key, self._origin, first)
            view.findings += found.findings
            if first < view.due:
                view.leftovers.append(found)
                continue
            if first != due:
                what = f"it starts at record {first}, {due} is due"
                view.findings.append(Finding("wal-misplaced", what, key, due, first - 1))
            view.wals.append(found)
            due = found.end
        self._judge_tears(view)

    def _judge_tears(self, view: LogView) -> None:
        for scanned in view.wals[:-1]:
            if scanned.torn:
                what = "it is torn, but not the newest file"
                view.findings.append(Finding("wal-damaged", what, scanned.key, scanned.end))
        if not view.wals and not self._evidence.has_tail:
            what = "what is not sealed yet lies on the writer's machine, and was not looked at"
            view.findings.append(Finding("tail-elsewhere", what, "", view.sealed))
        elif not view.wals:
            what = f"no write-ahead file is left; records from {view.due} on are gone"
            folder = layout.wal_directory(self._origin)
            view.findings.append(Finding("truncated", what, folder, view.due))
        elif view.wals[-1].torn:
            what = f"{view.wals[-1].torn} bytes of a write in flight, or of a crash"
            view.findings.append(Finding("torn-tail", what, view.wals[-1].key, view.size))
        view.findings += [
            Finding("wal-leftover", "its records are sealed", each.key, each.first, each.end - 1)
            for each in view.leftovers
        ]

    # -- segments between publishing and their seal ---------------------------------------------

    def _find_pending(self, view: LogView, listing: Listing) -> None:
        waiting = {each.first for each in (*view.wals, *view.leftovers)}
        pins = {pin.first: pin for pin in self._pinned_in_tail(view, waiting)}
        for key in listing.below(layout.wal_directory(self._origin) + "/staging/"):
            if key.endswith("/intent.json"):
                intent = self._intent(key)
                if intent is not None and intent.pin.first in waiting:
                    pins.setdefault(intent.pin.first, intent.pin)
        for pin in pins.values():
            keys = {pin.index.key} | ({pin.body.key} if pin.body else set())
            if pin.first >= view.due and keys & listing.files.keys():
                view.pending.append(pin)
                view.claimed |= keys
                what = "published, its seal is not there yet"
                note = Finding("sealing-under-way", what, pin.index.key, pin.first, pin.last)
                view.findings.append(note)

    def _pinned_in_tail(self, view: LogView, waiting: set[int]) -> list[SegmentPin]:
        """Pins in unsealed records whose segment still lies in the write-ahead log."""
        pins = []
        for leaf in (leaf for wal in view.wals for group in wal.groups for leaf in group.leaves):
            if _SEALED_MARK not in leaf:
                continue
            try:
                if parse(leaf).kind != KIND:
                    continue
                pins.append(pin_of(leaf)[1])
            except FormatError:
                continue  # named when the leaves are checked
        missing = [p for p in pins if p.first not in waiting and p.first >= view.due]
        view.findings += [
            Finding("seal-missing", "the log says it was sealed", "", pin.first, pin.last)
            for pin in missing
        ]
        for pin in missing:
            view.claimed |= {pin.index.key} | ({pin.body.key} if pin.body else set())
        return [pin for pin in pins if pin.first in waiting]

    def _read_claims(self, view: LogView, listing: Listing) -> None:
        sealed = {each.pin.first: each.pin.index.sha256 for each in view.segments}
        known = {*sealed, *(first for first, _ in view.broken), view.sealed, view.due}
        for each in claimed(self._origin, self._trust, self._evidence, listing):
            if each.first not in known:
                continue  # nothing accounts for it: an extra file
            view.claimed.add(each.key)
            view.true[each.key] = each.sha256
            found = judge(each.key, each.claims, sealed)
            if found is not None:
                view.findings.append(found)
            if each.first == view.due:
                under_way = _named_like(listing, self._origin, each.first, each.claims[0].count)
                what = "claimed and published, its seal is not there yet"
                view.findings += [
                    Finding("sealing-under-way", what, key, each.first)
                    for key in under_way
                    if key not in view.claimed
                ]
                view.claimed.update(under_way)
        if self._evidence.fenced:
            pins = [each.pin for each in view.segments]
            view.findings += unclaimed(self._origin, pins, view.claimed, self._now_us)

    # -- supplements, holds, retention -----------------------------------------------------------

    def _find_special(self, view: LogView, listing: Listing) -> None:
        view.supplements = [pin for each in view.segments for pin in each.seal.supplements]
        events: list[CustodyEvent] = []
        for each in view.segments:
            events += each.seal.custody or []
        for leaf in (leaf for wal in view.wals for group in wal.groups for leaf in group.leaves):
            if _SUPPLEMENT_MARK in leaf or mentions(leaf):
                with contextlib.suppress(FormatError):  # named when the leaves are checked
                    parsed = [parse(leaf)]
                    view.supplements += supplements_among(parsed)
                    events += events_among(parsed)
        view.custody = fold(events)
        view.claimed.update(pin.body.key for pin in view.supplements)
        if view.broken:  # a bad seal may have listed them: not called strangers
            folder = f"body/log={layout.slug(self._origin)}/"
            view.claimed.update(key for key in listing.below(folder) if "/sup-" in key)

    def _intent(self, key: str) -> Intent | None:
        try:
            return msgspec.json.decode(self._evidence.small(key, _MAX_SEAL) or b"", type=Intent)
        except (msgspec.DecodeError, RecursionError):
            return None


def _unplaced(view: LogView, found: Finding, *, at: int | None) -> None:
    """Name a seal that does not hold; what its name says of records is anybody's word."""
    view.findings.append(replace(found, index=at, last=None))


def _named_like(listing: Listing, origin: str, first: int, count: int) -> list[str]:
    """Objects of a segment whose seal is bad, so that they are not called strangers."""
    name = f"/seg-{first:012d}-{count}.parquet"
    prefixes = tuple(f"{kind}/log={layout.slug(origin)}/" for kind in ("index", "body"))
    return [key for key in listing.files if key.startswith(prefixes) and key.endswith(name)]


def _blocks_fit(blocks: Frontier, more: list[bytes], edge: Frontier) -> bool:
    """Whether block roots, with these added, lead to the subtrees of the signed edge."""
    try:
        blocks.extend(more)
    except FormatError:
        return False
    whole = edge.size >> BLOCK_HEIGHT
    upper = edge.to_bytes()[8 : 8 + HASH * whole.bit_count()]
    return blocks.size == whole and blocks.to_bytes()[8:] == upper
