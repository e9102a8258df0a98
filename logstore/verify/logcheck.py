"""Verifying one log of a store, from the view that was taken of its small files."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from logstore.disk import Disk, settled
from logstore.errors import FormatError
from logstore.formats.cosigned import Cosigned
from logstore.formats.leaf import parse
from logstore.formats.pins import SegmentPin
from logstore.formats.policy import NO_QUORUM, Policy
from logstore.keys.entries import commitment
from logstore.keys.keystore import KeyStore
from logstore.storage.layout import cosigned_prefix, log_file
from logstore.storage.logfile import MAX_LOG_FILE, from_clear
from logstore.verify import protection
from logstore.verify.evidence import Evidence
from logstore.verify.findings import Finding, LogSummary, Report
from logstore.verify.folding import Fold
from logstore.verify.glimpses import Glimpses
from logstore.verify.hashing import hash_objects
from logstore.verify.heads import Head, SeenFile
from logstore.verify.keeping import Keepings, promised, removals
from logstore.verify.leavesat import body_refs
from logstore.verify.segmentcheck import SegmentJob, SegmentOutcome
from logstore.verify.segmentpool import Engine, Processes
from logstore.verify.supplementcheck import Known, SupplementCheck
from logstore.verify.surroundings import Listing
from logstore.verify.tailcheck import TailCheck
from logstore.verify.view import LogView, Segment


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of every log; see `verifier.verify_store`.

    Attributes:
        evidence: the store.
        policy: whom to trust.
        quick: only files, seals and signatures.
        keys: opens content.
        workers: processes or threads.
        now_us: microseconds since 1970 UTC.
        memory: checkpoints accepted earlier.
        key_head: the newest checkpoint the key store has seen signed.
        progress: told (done, total).
        witnessed_only: claim only what the quorum of witnesses has cosigned.
        engine: checks the sealed segments; None for processes of this machine.
    """

    evidence: Evidence
    policy: Policy
    quick: bool
    keys: KeyStore | None
    workers: int
    now_us: int
    memory: SeenFile | None
    key_head: Head | None
    progress: Callable[[int, int], None] | None
    witnessed_only: bool = False
    engine: Engine | None = None

    def heads(self, origin: str) -> list[Head]:
        """Remembered checkpoints of a log."""
        heads = [] if self.memory is None else list(self.memory.of(origin))
        if self.key_head is not None and self.key_head.origin == origin:
            heads.append(self.key_head)
        return heads

    def remembered_origins(self) -> set[str]:
        """Logs that are remembered, so must be here."""
        heads = [] if self.memory is None else list(self.memory.heads)
        return {head.origin for head in (*heads, *filter(None, [self.key_head]))}


class LogCheck:
    """Checks one log and adds what it finds to a report.

    Attributes:
        summary: how far the log was verified.
    """

    def __init__(self, view: LogView, listing: Listing, request: Request, report: Report) -> None:
        self._view = view
        self._listing = listing
        self._request = request
        self._report = report
        self._heads = [*view.heads, *request.heads(view.origin)]
        self.summary = LogSummary(view.origin, view.size, view.sealed)
        self.summary.segments = len(view.segments)
        self._roots: dict[int, bytes] = {}
        self._broken: set[int] = set()  # segments whose leaves are not known
        self._uncounted: set[int] = set()  # segments without a body object
        self._keepings = Keepings(
            view.custody, promised(request.evidence, view.origin), request.now_us
        )
        self._supplements = SupplementCheck(
            request.evidence, view.origin, view.supplements, self._keepings
        )

    def run(self) -> None:
        """Check everything."""
        self._report.findings += self._view.findings
        self._report.findings += removals(self._view.custody, self._listing)
        if self._request.quick:
            self._run_quick()
        else:
            self._run_full()
        self._count_small_files()
        self._judge_quorum()

    def lasting(self, disk: Disk) -> bytes:
        """The newest signed checkpoint that is certain to outlive a power cut; empty for none.

        What stands at the end of a write-ahead file may have been read before its writer flushed
        it: to remember that would make an honest log look rolled back.
        """
        newest = next((wal for wal in reversed(self._view.wals) if wal.groups), None)
        if newest is None or settled(self._request.evidence.file(newest.key), newest.whole, disk):
            return self.summary.note
        segments = self._view.segments
        return segments[-1].seal.checkpoint.encode() if segments else b""

    # -- full ---------------------------------------------------------------------------------

    def _run_full(self) -> None:
        view, request = self._view, self._request
        held = commitments = None
        if request.keys is not None:
            request.keys.catch_up()  # after the view: it has every key the view's records need
            entries = list(request.keys.entries())
            held = {entry.id: entry.key for entry in entries}
            commitments = {entry.id: commitment(entry) for entry in entries}
        pins = {segment.index: (segment.leaf, segment.key) for segment in view.segments}
        self._supplements.read(quick=False)
        fold = Fold(commitments or {}, pins, self._supplements.keys)
        jobs = [self._job(segment) for segment in view.segments]
        done, total = 0, max(view.size, 1)
        engine = request.engine or Processes(request.workers)
        for outcome in engine.outcomes(jobs, held):
            self._join(fold, outcome)
            done += outcome.pin.count
            self._progress(done, total)
        tail = self._check_tail(self._sizes(view.due, None))
        fold.join(tail.run.facts, tail.run.file)
        self._judge_supplements(fold, held, tail)
        self._report.findings += fold.finish()
        self._report.records += done + (tail.run.facts.end - tail.run.facts.first)
        self._hash_pending()
        self._judge_description(fold.opening)
        self._judge_heads(fold.roots)
        self._progress(total, total)

    def _job(self, segment: Segment) -> SegmentJob:
        pin, before = segment.pin, segment.before
        return SegmentJob(
            self._request.evidence, self._view.origin, pin, segment.key,
            None if before is None else before.to_bytes(), segment.seal.frontier,
            self._sizes(pin.first, pin.end),
            None if pin.body is None else self._keepings.of(pin.body, pin.first, pin.end),
        )  # fmt: skip

    def _sizes(self, first: int, end: int | None) -> tuple[int, ...]:
        sizes = {head.size for head in self._heads if head.size > first}
        return tuple(sorted(size for size in sizes if end is None or size <= end))

    def _join(self, fold: Fold, outcome: SegmentOutcome) -> None:
        report = self._report
        report.findings += outcome.findings
        report.files += outcome.files
        report.size_bytes += outcome.size_bytes
        self.summary.opened += outcome.bodies.opened
        self.summary.locked += outcome.bodies.locked
        if outcome.bodies_missing:
            self._uncounted.add(outcome.pin.first)
        if outcome.broken:
            self._broken.add(outcome.pin.first)
            fold.lose()
        fold.join(outcome.facts, outcome.pin.index.key)
        if outcome.broken:
            fold.lose()
        file = outcome.pin.index.key if outcome.pin.body is None else outcome.pin.body.key
        fold.miss(outcome.bodies.absent, file)

    def _judge_supplements(
        self, fold: Fold, held: Mapping[str, bytes] | None, tail: TailCheck
    ) -> None:
        check, view = self._supplements, self._view
        indexes = check.indexes
        refs = body_refs(self._request.evidence, view, self._broken, indexes) if indexes else {}
        check.judge(Known(fold.supplements, fold.announced_at, fold.whole, refs, held))
        absent = fold.absent if check.facts.opened else set()
        sealed = [segment.pin for segment in view.segments]
        for index in check.facts.opened:
            ref = refs[index]
            place = bisect.bisect_right(sealed, index, key=lambda pin: pin.first) - 1
            if index >= view.due:
                locked, counted = tail.locked > 0, True
            else:
                locked = ref is not None and any(key not in (held or {}) for key in ref.keys)
                counted = index not in absent and sealed[place].first not in self._uncounted
            self.summary.opened += locked or not counted
            self.summary.locked -= locked and counted
        fold.cover(check.facts.covered)
        self._take_supplements()

    def _take_supplements(self) -> None:
        facts = self._supplements.facts
        self._report.findings += facts.findings
        self._report.files += facts.files
        self._report.size_bytes += facts.size_bytes

    def _check_tail(self, sizes: Iterable[int]) -> TailCheck:
        keys = self._request.keys
        tail = TailCheck(self._view, sizes, keys, quick=self._request.quick)
        tail.check()
        self._report.findings += tail.findings
        self.summary.opened += tail.opened
        self.summary.locked += tail.locked
        self._stand(tail)
        return tail

    def _stand(self, tail: TailCheck) -> None:
        """Where the signed part ends."""
        summary, segments = self.summary, self._view.segments
        if tail.checkpoint is not None:
            summary.signed, summary.root = tail.checkpoint.size, tail.checkpoint.root
            summary.note = tail.note
        elif segments:
            newest = segments[-1]
            summary.signed, summary.root = newest.pin.end, newest.pin.root
            summary.note = newest.seal.checkpoint.encode()
        else:
            self._report.findings.append(Finding("empty-log", "nothing here was ever signed"))

    # -- quick --------------------------------------------------------------------------------

    def _run_quick(self) -> None:
        view, request = self._view, self._request
        pins = [segment.pin for segment in view.segments]
        total = max(sum(_size(pin) for pin in pins), 1)
        # Only the newest of what is remembered or witnessed: it was held to the older ones.
        inner = {max(request.heads(view.origin), key=_by_size, default=None)}
        inner |= {head for head in view.heads if head.size in self._newest_witnessed()}
        glimpses = Glimpses(view.segments, (head.size for head in inner if head is not None))
        hashed = hash_objects(
            request.evidence, pins, workers=request.evidence.at_once(request.workers),
            keepings=self._keepings, looks=glimpses.looks,
            progress=lambda done: self._progress(done, total),
        )  # fmt: skip
        self._report.files += hashed.files
        self._report.size_bytes += hashed.size_bytes
        self._report.findings += hashed.findings
        self._supplements.read(quick=True)
        self._take_supplements()
        tail = self._check_tail(self._sizes(view.due, None))
        self._hash_pending()
        roots = glimpses.roots | tail.run.facts.roots
        roots |= {segment.pin.end: segment.pin.root for segment in view.segments}
        self._judge_description(glimpses.opening or self._first_unsealed())
        heads = [h for h in self._heads if h.size in roots or h.size > view.size or h in inner]
        self._heads = heads
        self._judge_heads(roots)

    def _newest_witnessed(self) -> set[int]:
        return {one.checkpoint.size for one in self._quorums()[:1]}

    def _first_unsealed(self) -> bytes | None:
        """The leaf of record 0, where it is not sealed."""
        first = self._view.wals[0] if self._view.wals else None
        if first is not None and first.first == 0 and first.groups:
            return first.groups[0].leaves[0]
        return None

    # -- judgements ---------------------------------------------------------------------------

    def _hash_pending(self) -> None:
        """Objects of a segment without a seal: pinned by an unsealed record or a staged intent."""
        request = self._request
        present = [pin for pin in self._view.pending if pin.index.key in self._listing.files]
        hashed = hash_objects(
            request.evidence, present, workers=1, keepings=self._keepings, progress=lambda _: None
        )
        self._report.files += hashed.files
        self._report.size_bytes += hashed.size_bytes
        self._report.findings += [f for f in hashed.findings if f.code == "file-changed"]

    def _judge_description(self, opening: bytes | None) -> None:
        """What record 0 says must be what the log's file says, and how its objects are kept."""
        key = log_file(self._view.origin)
        if opening is None:
            return  # record 0 is missing: reported where it was missed
        try:
            due = from_clear(parse(opening).clear)
        except FormatError as error:
            self._report.findings.append(Finding("record-malformed", error.what, "", 0))
            return
        if key in self._listing.files and not self._says(key, due.encode()):
            what = "it is not what record 0 says of this log"
            self._report.findings.append(Finding("log-file-changed", what, key, 0))
        wanted = [
            replace(each, sha256=self._view.true.get(each.key, b""))
            for each in protection.due_of(self._view, due, self._listing, self._request.now_us)
        ]
        mode = due.retention.mode or ""
        request = self._request
        self._report.findings += request.evidence.protections(
            wanted, mode, request.workers, request.now_us
        )

    def _says(self, key: str, due: bytes) -> bool:
        return due in self._request.evidence.smalls(key, MAX_LOG_FILE)

    def _judge_heads(self, roots: dict[int, bytes]) -> None:
        self._roots = roots
        size = self._view.size
        for head in dict.fromkeys(self._heads):
            if head.size > size and not self._request.evidence.has_tail and head.file:
                self._judge_beyond(head)
            elif head.size > size:
                what = f"{head.known_from} has a checkpoint of {head.size} records, found {size}"
                self._report.findings.append(Finding("truncated", what, head.file, size))
            elif head.size in roots and roots[head.size] != head.root:
                what = (
                    f"{head.known_from} has another root for the first {head.size} records:"
                    " two histories were signed, or this one was rewritten"
                )
                self._report.findings.append(Finding("fork", what, head.file, head.size - 1))

    def _judge_beyond(self, head: Head) -> None:
        """A checkpoint of records that are not sealed, where only sealed ones can be seen."""
        if head.file.startswith(cosigned_prefix(self._view.origin)):
            what = f"{head.known_from} covers {head.size} records; {self._view.size} are sealed"
            finding = Finding("witnessed-beyond", what, head.file, self._view.size, head.size - 1)
            self._report.findings.append(finding)

    def _judge_quorum(self) -> None:
        """How far the quorum has cosigned this very tree, and what is claimed beyond."""
        policy, summary = self._request.policy, self.summary
        if policy.quorum == NO_QUORUM:
            return
        for one in self._quorums():
            head = one.checkpoint
            if head.size <= summary.signed and self._roots.get(head.size) == head.root:
                summary.witnessed, summary.witnesses = head.size, one.times
                break
        if summary.witnessed < summary.signed:
            alone = self._request.witnessed_only and summary.witnessed > 0
            what = f"signed, not witnessed: the quorum {policy.quorum!r} has not cosigned them"
            first, last = summary.witnessed, summary.signed - 1
            code = "awaits-witness" if alone else "not-witnessed"
            self._report.findings.append(Finding(code, what, "", first, last))

    def _quorums(self) -> list[Cosigned]:
        """Checkpoints that the quorum has cosigned, the largest first."""
        reached = self._request.policy.reached
        return [one for one in reversed(self._view.cosigned) if reached(one.witnesses)]

    # -- counting -----------------------------------------------------------------------------

    def _count_small_files(self) -> None:
        keys = {segment.key for segment in self._view.segments}
        keys |= {wal.key for wal in (*self._view.wals, *self._view.leftovers)}
        keys.add(log_file(self._view.origin))
        keys |= set(self._listing.below(cosigned_prefix(self._view.origin)))
        self._report.files += len(keys & self._listing.files.keys())
        self._report.size_bytes += sum(self._listing.size(key) for key in keys)

    def _progress(self, done: int, total: int) -> None:
        if self._request.progress is not None:
            self._request.progress(done, total)


def _by_size(head: Head) -> int:
    return head.size


def _size(pin: SegmentPin) -> int:
    return pin.index.size + (0 if pin.body is None else pin.body.size)
