"""Runs a verification for a command or for the console, and says what it found."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from console import output
from console.output import Painted, Style
from console.progress import Progress
from logstore.errors import CannotJudge

if TYPE_CHECKING:
    from console.tui.session import Verdict
    from logstore.formats.policy import Policy
    from logstore.keys.keystore import KeyStore
    from logstore.storage.places import Places
    from logstore.verify.findings import LogSummary, Report, Severity
    from logstore.verify.segmentpool import Engine

_WORDS: dict[int, tuple[str, Style]] = {
    0: ("VERIFIED to the policy", "green"),
    1: ("TAMPERING FOUND", "red"),
    2: ("CANNOT JUDGE", "yellow"),
}
_STYLES: dict[Severity, Style] = {"tampering": "red", "cannot-judge": "yellow", "note": "dim"}
_SHOWN = 200
_LATEST = 253_402_300_800  # the year 10000


class Verifiable(Protocol):
    """A store, and what of it is open."""

    @property
    def places(self) -> Places:
        """Where everything lies."""
        ...

    @property
    def policy(self) -> Policy:
        """Whom to trust."""
        ...

    @property
    def keys(self) -> KeyStore | None:
        """The key store; None where contents stay closed."""
        ...


def verify(
    store: Verifiable,
    *,
    quick: bool,
    workers: int | None = None,
    witnessed_only: bool = False,
    engine: Engine | None = None,
) -> Report:
    """Verify a store with a progress line; with content where its keys are open."""
    from logstore.verify.verifier import verify_store

    with Progress("verifying", "bytes" if quick else "records") as progress:
        return verify_store(
            store.places.store,
            store.policy,
            quick=quick,
            keys=store.keys,
            keys_path=store.places.keys,
            seen=store.places.seen,
            progress=progress,
            workers=workers,
            witnessed_only=witnessed_only,
            engine=engine,
        )


def verdict(
    store: Verifiable, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> Verdict:
    """Verify for the console.

    Raises:
        CannotJudge: it was cancelled.
    """
    from console.tui.session import Verdict, VerdictState
    from logstore.verify.verifier import verify_store

    def step(done: int, total: int) -> None:
        if cancelled():
            raise CannotJudge("the verification was stopped", todo="Start it again when you can.")
        progress(done, total)

    places = store.places
    report = verify_store(
        places.store, store.policy, keys_path=places.keys, seen=places.seen, progress=step,
        witnessed_only=True,
    )  # fmt: skip
    states: dict[int, VerdictState] = {0: "verified", 1: "tampering", 2: "cannot-judge"}
    claimed = sum(log.witnessed or log.signed for log in report.logs)
    size = sum(log.size for log in report.logs)
    lines = (*report.found, *(f"Not proven: {each}" for each in report.not_proven))
    return Verdict(states[report.exit_code], claimed, size, lines)


def report_object(report: Report) -> dict[str, Any]:
    """A report as JSON: the whole of it."""
    return {
        "verdict": {0: "verified", 1: "tampering", 2: "cannot-judge"}[report.exit_code],
        "exit_code": report.exit_code,
        "requested": report.requested,
        "quick": report.quick,
        "files": report.files,
        "bytes": report.size_bytes,
        "records": report.records,
        "logs": [_log_object(log) for log in report.logs],
        "findings": [
            {
                "code": each.code,
                "severity": each.severity,
                "what": each.what,
                "file": each.file,
                "index": each.index,
                "last": each.last,
            }
            for each in report.findings
        ],
        "not_proven": report.not_proven,
    }


def _log_object(log: LogSummary) -> dict[str, Any]:
    return {
        "origin": log.origin,
        "records": log.size,
        "sealed": log.sealed,
        "signed": log.signed,
        "witnessed": log.witnessed,
        "witnesses": log.witnesses,
        "segments": log.segments,
        "root": log.root,
        "contents_opened": log.opened,
        "contents_locked": log.locked,
    }


def say(report: Report) -> None:
    """A report for a person: the answer, what it covers, what was found, what it does not show."""
    words, style = _WORDS[report.exit_code]
    output.line(Painted(words, style))
    for log in report.logs:
        output.line(f"  {_extent(log)}")
    output.line(f"  {report.files:,} files, {report.size_bytes:,} bytes; {_depth(report)}")
    _list("Requested", report.requested)
    if report.findings:
        output.line(Painted("Found", "bold"))
        for finding in report.findings[:_SHOWN]:
            output.line(
                "  ", Painted(finding.severity, _STYLES[finding.severity]), " ", finding.line()
            )
        if len(report.findings) > _SHOWN:
            output.line(f"  and {len(report.findings) - _SHOWN:,} more; --json lists all")
    _list("Not proven", report.not_proven)


def _extent(log: LogSummary) -> str:
    said = f"{log.origin}: {log.size:,} records, {log.signed:,} signed, {log.sealed:,} sealed"
    said += f" in {log.segments:,} segments"
    if log.witnessed:
        by = ", ".join(f"{name} {_when(at)}" for name, at in log.witnesses.items())
        said += f", {log.witnessed:,} witnessed ({by})"
    if log.opened or log.locked:
        said += f"; {log.opened:,} contents match their commitments, {log.locked:,} locked"
    return said


def _when(seconds: int) -> str:
    if seconds >= _LATEST:
        return "at no possible time"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _depth(report: Report) -> str:
    if report.quick:
        return "quick: whole files, seals and signatures only"
    return f"{report.records:,} records checked leaf by leaf"


def _list(title: str, lines: list[str]) -> None:
    if lines:
        output.line(Painted(title, "bold"))
        for each in lines:
            output.line("  ", each)
