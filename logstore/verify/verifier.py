"""Verifying a store: everything in it, against a policy that came from elsewhere.

Rules:

1. Without a policy nothing is verified: a store vouches for itself to nobody.
2. Every pinned object is hashed; in a full verification every leaf, column, tree, body block and
   write-ahead group is checked too, segment by segment, so memory does not grow with the log.
3. What changes while it is read is looked at again; only what stays wrong is reported.
4. A checkpoint that was accepted is remembered, once it is certain to be on disk, and later
   verifications are held to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from logstore.disk import Disk
from logstore.errors import AirconError, CannotJudge, NotFound, StoreAway
from logstore.formats.policy import NO_QUORUM, Policy
from logstore.keys.keystore import KeyStore
from logstore.storage.clock import SystemClock
from logstore.storage.layout import STORE_FILE, slug
from logstore.storage.logfile import StoreFile
from logstore.verify.evidence import Evidence
from logstore.verify.findings import Finding, Report, in_order, shortened
from logstore.verify.heads import SeenFile, key_store_head
from logstore.verify.logcheck import LogCheck, Request
from logstore.verify.segmentpool import Engine
from logstore.verify.stores import evidence_of
from logstore.verify.surroundings import (
    Listing,
    present_logs,
    unaccounted,
    writable,
)
from logstore.verify.view import LogView, Viewer

Progress = Callable[[int, int], None]
"""Called with (done, total): records in a full verification, bytes in a quick one."""

_MOST_ALIKE = 200
"""Findings of one kind about what lies around the logs that are told one by one."""

_LOOKS = 20
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class _Moment:
    """A listing and the views of the logs that were taken after it."""

    listing: Listing
    views: list[LogView]
    findings: list[Finding]

    def fingerprint(self) -> list[tuple[str, str, int]]:
        """Changes whenever the store does."""
        return [(k, item.identity, item.size) for k, item in self.listing.files.items()]

    def disturbed(self) -> bool:
        """Whether anything seems wrong that a write under way might explain."""
        found = [*self.findings, *(f for view in self.views for f in view.findings)]
        return any(finding.severity != "note" for finding in found)


def verify_store(  # noqa: PLR0913 - the options of one command
    store: Path,
    policy: Policy | None,
    *,
    quick: bool = False,
    keys: KeyStore | None = None,
    keys_path: Path | None = None,
    seen: Path | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    witnessed_only: bool = False,
    engine: Engine | None = None,
    disk: Disk | None = None,
) -> Report:
    """Verify a store.

    Args:
        store: the store directory.
        policy: trusted log keys and witnesses; None gives exit code 2.
        quick: only whole files, seals and signatures.
        keys: also decrypt every content and check it against its record.
        keys_path: directory of the key store; without being opened it still tells the newest
            checkpoint it has seen signed, so a log that was cut is noticed.
        seen: file of remembered checkpoints (`Places.seen`); read, and added to when all is well.
        progress: see `Progress`.
        workers: processes (quick: threads); by default one per core.
        witnessed_only: where the policy has a quorum, claim only what it has cosigned; what is
            signed behind that is then a note, not a reason to withhold the verdict.
        engine: checks the sealed segments in a full verification; by default `workers` processes.
        disk: flushes what is about to be remembered.

    Raises:
        NotFound: there is no such directory.
        StoreAway: the bucket can not be reached, or refuses; nothing is judged.
    """
    if not store.is_dir():
        raise NotFound(f"there is no store at {store}", todo="Check --store.")
    evidence = evidence_of(store)
    asked = _requested(policy, quick=quick, content=keys is not None, witnessed_only=witnessed_only)
    report = Report(asked, quick=quick)
    report.unproven = _unproven(policy, quick=quick, content=keys is not None)
    if engine is not None and engine.unproven:
        report.unproven.append(engine.unproven)
    if policy is None:
        what = "no trust policy was given; keys that come with the data prove nothing"
        report.findings.append(Finding("no-policy", what))
        return report
    keys_path = keys.path if keys_path is None and keys is not None else keys_path
    memory = None if seen is None else SeenFile(seen)
    request = Request(
        evidence, policy, quick, keys, workers or _cores(), SystemClock().wall_us(), memory,
        None if keys_path is None else key_store_head(keys_path, policy), progress,
        witnessed_only, engine,
    )  # fmt: skip
    moment = _settled(evidence, policy, request)
    if not all(request.heads(view.origin) for view in moment.views):
        report.unproven.insert(0, _NOT_REMEMBERED)
    _judge_surroundings(moment, policy, report, request)
    checks = _check_logs(moment, report, request)
    report.findings = in_order(report.findings)
    if memory is not None and report.exit_code == 0:
        for note in filter(None, (check.lasting(disk or Disk()) for check in checks)):
            memory.add(note, request.now_us)
    return report


def _settled(evidence: Evidence, policy: Policy, request: Request) -> _Moment:
    """A moment of the store in which nothing is amiss, or which no longer changes."""
    origins = list(dict.fromkeys(key.name for key in policy.logs))
    viewers = {origin: Viewer(evidence, origin, policy, request.now_us) for origin in origins}
    remembered = request.remembered_origins()
    moment = _look(evidence, viewers, remembered)
    for _ in range(_LOOKS):
        if not moment.disturbed():
            break
        time.sleep(_PAUSE_S)
        again = _look(evidence, viewers, remembered)
        still = again.fingerprint() == moment.fingerprint()
        moment = again
        if still:
            break
    return moment


def _look(evidence: Evidence, viewers: dict[str, Viewer], remembered: set[str]) -> _Moment:
    listing = evidence.look()
    present = present_logs(listing)
    here = [o for o in viewers if slug(o) in present or o in remembered]
    views = [viewers[origin].look(listing) for origin in here]
    claimed = {key for view in views for key in view.claimed}
    claimed |= {f"log/log={slug(origin)}/log.json" for origin in here}
    findings = [*listing.odd, *unaccounted(listing, claimed, here)]
    for view in views:
        # Sealing may have gone on between listing and reading: then a listed file is old news.
        if not listing.below(f"log/log={slug(view.origin)}/log.json"):
            what = "the log's description is gone"
            key = f"log/log={slug(view.origin)}/log.json"
            findings.append(Finding("log-file-changed", what, key))
    return _Moment(listing, views, shortened(findings, _MOST_ALIKE))


def _judge_surroundings(moment: _Moment, policy: Policy, report: Report, request: Request) -> None:
    report.findings += moment.findings
    report.findings += writable(moment.listing)
    if request.evidence.small(STORE_FILE, 4096) != StoreFile.encode():
        what = "it is missing or not what every store says"
        report.findings.append(Finding("store-file-changed", what, STORE_FILE))
    report.files += 1
    listed = {slug(key.name) for key in policy.logs}
    for stranger in sorted(present_logs(moment.listing) - listed):
        what = "the policy lists no such log, so its files were not judged"
        report.findings.append(Finding("unknown-log", what, f"log/log={stranger}"))
    if not moment.views:
        report.findings.append(Finding("no-log", "no log that the policy lists is in this store"))
    if request.memory is not None:
        report.findings += [
            Finding("seen-unreadable", f"line {number} of the remembered checkpoints")
            for number in request.memory.unreadable
        ]


def _check_logs(moment: _Moment, report: Report, request: Request) -> list[LogCheck]:
    checks = []
    for view in moment.views:
        check = LogCheck(view, moment.listing, request, report)
        try:
            check.run()
        except StoreAway:  # says nothing of the log, good or bad
            raise
        except AirconError as error:
            code = "unreadable-file" if isinstance(error, CannotJudge) else "record-malformed"
            report.findings.append(Finding(code, error.what))
        report.logs.append(check.summary)
        checks.append(check)
    return checks


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _requested(
    policy: Policy | None, *, quick: bool, content: bool, witnessed_only: bool
) -> list[str]:
    if policy is None:
        return ["nothing can be asked of a store without a policy"]
    asked = ["every file is accounted for and has the bytes that were sealed"]
    asked.append("every seal and checkpoint is signed by a log the policy lists")
    if policy.quorum != NO_QUORUM:
        claimed = "what is claimed" if witnessed_only else "every signed record"
        asked.append(f"{claimed} is cosigned by the quorum {policy.quorum!r} of witnesses")
    if not quick:
        asked.append("every record is in its place, in the chain and in the signed tree")
        asked.append("every clear column says what its record says")
    if content:
        asked.append("every content opens and is what its record commits to")
    return asked


_NOT_REMEMBERED = (
    "that nothing was cut off the end or rolled back: no earlier checkpoint of this log was"
    " remembered here"
)
_NOT_OPENED = "this check opened none; `aircon verify --content` does"


def _unproven(policy: Policy | None, *, quick: bool, content: bool) -> list[str]:
    witnessed = policy is not None and policy.quorum != NO_QUORUM
    unproven: Sequence[tuple[bool, str]] = (
        (quick, "single records, columns and chain: this was a quick verification"),
        (not content, f"that content opens to what records commit to: {_NOT_OPENED}"),
        (not witnessed, "when records were signed: no witness's time was asked for"),
    )
    return [words for holds, words in unproven if holds]
