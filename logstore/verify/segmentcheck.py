"""Checking one sealed segment from its first byte to its last body; runs in a worker process."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from logstore.formats.custody import custody_digest, events_among
from logstore.formats.frontier import Frontier
from logstore.formats.leaf import parse
from logstore.formats.pins import (
    SegmentPin,
    destroyed_digest,
    supplements_among,
    supplements_digest,
)
from logstore.verify.bodyobject import BodyCheck, BodyFacts
from logstore.verify.bodyplan import BodyPlan
from logstore.verify.evidence import Evidence
from logstore.verify.findings import Finding
from logstore.verify.indexobject import IndexCheck
from logstore.verify.keeping import Keeping, absence
from logstore.verify.runs import LeafRun, RunFacts


@dataclass(frozen=True, slots=True)
class SegmentJob:
    """What to check.

    Attributes:
        evidence: the store.
        origin: the log.
        pin: the segment.
        seal: path of its seal, for findings.
        before: the tree's edge at its start (`Frontier.to_bytes`), or None when not known.
        after: the edge at its end that its seal carries, its root already found signed.
        sizes: tree sizes within the segment whose roots are wanted.
        keeping: what the log says of its body object.
    """

    evidence: Evidence
    origin: str
    pin: SegmentPin
    seal: str
    before: bytes | None
    after: bytes
    sizes: tuple[int, ...]
    keeping: Keeping | None


@dataclass(slots=True)
class SegmentOutcome:
    """What was found.

    Attributes:
        pin: the segment.
        facts: about its leaves.
        bodies: about its bodies.
        findings: everything wrong with it.
        bodies_missing: its body object is absent or changed, so no body was counted.
        broken: its leaves could not all be read, so what they say is not known.
        files: files read.
        size_bytes: their bytes.
    """

    pin: SegmentPin
    facts: RunFacts
    bodies: BodyFacts = field(default_factory=BodyFacts)
    findings: list[Finding] = field(default_factory=list)
    bodies_missing: bool = False
    broken: bool = False
    files: int = 0
    size_bytes: int = 0


class _Keys:
    """Keys of this worker process; never written anywhere."""

    held: Mapping[str, bytes] | None = None


def hold_keys(keys: Mapping[str, bytes] | None) -> None:
    """Give this process the keys that open bodies; None when none are to be opened."""
    _Keys.held = keys


def check_segment(job: SegmentJob) -> SegmentOutcome:
    """Check a segment's files, leaves, columns, tree and bodies."""
    with _no_collector():
        return _check(job)


def _check(job: SegmentJob) -> SegmentOutcome:
    import pyarrow as pa

    before = None if job.before is None else Frontier.from_bytes(job.before)
    run = LeafRun(job.pin.first, before, job.pin.index.key, job.sizes)
    outcome = SegmentOutcome(job.pin, run.facts)
    index = job.evidence.open(job.pin.index, job.pin)
    if isinstance(index, Finding):
        outcome.findings.append(index)
        outcome.broken = True
        plan = None
    else:
        _count(outcome, job.pin.index.size)
        plan = BodyPlan(job.pin.first, contents=_Keys.held is not None)
        IndexCheck(job.pin, run, plan).check(pa.py_buffer(index))
        outcome.findings += run.facts.findings
        outcome.broken = len(plan.sets) != job.pin.count
        _check_root(job, run, outcome)
        if not outcome.broken:
            _check_lists(job, run, outcome)
    _check_bodies(job, plan if not outcome.broken else None, outcome)
    return outcome


def _check_root(job: SegmentJob, run: LeafRun, outcome: SegmentOutcome) -> None:
    if run.edge is not None and run.edge.to_bytes() != job.after:
        what = f"records up to {job.pin.end} do not hash to the root signed in {job.seal}"
        outcome.findings.append(
            Finding("root-wrong", what, job.pin.index.key, job.pin.first, job.pin.last)
        )


def _check_lists(job: SegmentJob, run: LeafRun, outcome: SegmentOutcome) -> None:
    """What the pin binds a seal to list must be what the records say."""
    pinned = supplements_among(parse(leaf) for _, leaf in run.facts.supplements)
    events = events_among(parse(leaf) for _, leaf in run.facts.custody)
    for name, due, bound in (
        ("destroyed keys", destroyed_digest(list(run.facts.destroyed)), job.pin.destroyed),
        ("supplements", supplements_digest(pinned), job.pin.supplements),
        ("holds and removals", custody_digest(events), job.pin.custody or ""),
    ):
        if due != bound:
            what = f"its {name} are not those that its records name"
            outcome.findings.append(
                Finding("seal-changed", what, job.seal, job.pin.first, job.pin.last)
            )


def _check_bodies(job: SegmentJob, plan: BodyPlan | None, outcome: SegmentOutcome) -> None:
    import pyarrow as pa

    check = None if plan is None else BodyCheck(job.origin, job.pin, plan, _Keys.held)
    if job.pin.body is not None and job.keeping is not None:
        data = job.evidence.open(job.pin.body, job.pin)
        if isinstance(data, Finding):
            outcome.findings.append(absence(data, job.keeping))
            outcome.bodies_missing = True
            return
        _count(outcome, job.pin.body.size)
        if check is not None:
            check.check(pa.py_buffer(data))
    if check is not None:
        outcome.bodies = check.finish()
        outcome.findings += outcome.bodies.findings


def _count(outcome: SegmentOutcome, size: int) -> None:
    outcome.files += 1
    outcome.size_bytes += size


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """Without the cycle collector: leaves make many objects and no cycles (a third faster)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
