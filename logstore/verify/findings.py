"""What a verification can find, and what it says at the end. Pure: values only.

Rules:

1. A finding names the file and, where one is known, the record; its code is part of the API.
2. The exit code follows from the findings alone: tampering outweighs what could not be judged,
   which outweighs everything being in order. Notes never change it.
3. What a verification can not show is said in every report, also in a clean one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["tampering", "cannot-judge", "note"]

EXIT_VERIFIED = 0
EXIT_TAMPERING = 1
EXIT_CANNOT_JUDGE = 2
EXIT_USAGE = 3

CODES: dict[str, tuple[Severity, str]] = {
    # -- the store's files
    "store-file-changed": ("tampering", "store.json is missing or not the bytes it must have"),
    "log-file-changed": ("tampering", "log.json is missing or not what record 0 says"),
    "file-missing": ("tampering", "an object that the log pins is not there"),
    "file-changed": ("tampering", "an object's bytes are not those the log pins"),
    "extra-file": ("tampering", "a file that no record pins"),
    "wrong-kind": ("tampering", "a link, device or folder where only plain files belong"),
    "unreadable-file": ("cannot-judge", "the operating system would not let a file be read"),
    # -- a bucket
    "shadow-version": ("tampering", "another version lies over an object"),
    "delete-marker": ("tampering", "an object is hidden behind a delete marker"),
    "version-missing": ("tampering", "the version that the log pins is gone"),
    "lock-missing": ("tampering", "an object is not locked, or not shown to be"),
    "lock-governance": ("tampering", "an object is locked in governance mode, not compliance"),
    "lock-shortened": ("tampering", "an object is locked for less than it was sealed with"),
    "claim-missing": ("tampering", "the claim of a sealed segment is gone, or not the log's"),
    "hold-missing": ("tampering", "an object is under legal hold on the log, not in the bucket"),
    "two-writers": ("tampering", "two writers claimed the same records under the log's key"),
    # -- seals, signatures, trust
    "seal-missing": ("tampering", "a segment has no seal, or one is gone from the middle"),
    "seal-changed": ("tampering", "a seal contradicts itself, its proof or its signatures"),
    "seal-not-on-log": ("tampering", "the record that a seal proves is not on the log"),
    "signature-wrong": ("tampering", "a checkpoint not signed by the log's own key"),
    "cosigned-changed": ("tampering", "a cosigned checkpoint is not what its name says"),
    "cosignature-wrong": ("tampering", "a signature bears a witness's name and is not theirs"),
    "truncated": ("tampering", "the log is shorter than a checkpoint that it once signed"),
    "fork": ("tampering", "the log contradicts a checkpoint that it once signed"),
    "no-policy": ("cannot-judge", "there is no trust policy, so nothing to verify against"),
    "witnessed-beyond": ("cannot-judge", "witnesses have seen records that are not sealed yet"),
    "unknown-log": ("cannot-judge", "the store holds a log that the policy does not list"),
    "no-log": ("cannot-judge", "no log that the policy lists is here"),
    "not-witnessed": ("cannot-judge", "records that the policy's quorum has not cosigned"),
    "empty-log": ("cannot-judge", "no signed checkpoint at all"),
    # -- records
    "leaf-malformed": ("tampering", "a leaf is not exactly what the format writes"),
    "record-malformed": ("tampering", "a system record's fields are not what its kind says"),
    "index-wrong": ("tampering", "a record does not stand at the position it states"),
    "chain-broken": ("tampering", "a record does not continue the one before it"),
    "root-wrong": ("tampering", "records do not hash to the root that was signed over them"),
    "key-not-announced": ("tampering", "a body uses a key that no earlier record commits to"),
    "key-announced-twice": ("tampering", "two records commit to one key id"),
    "key-mismatch": ("tampering", "a key is not the one that the log commits to"),
    # -- sealed objects
    "index-malformed": ("tampering", "an index object is not laid out as sealing writes it"),
    "column-changed": ("tampering", "a clear column contradicts the leaves"),
    "statistics-false": ("tampering", "column statistics would hide rows from queries"),
    "body-malformed": ("tampering", "a body object is not laid out as sealing writes it"),
    "body-misplaced": ("tampering", "a body block holds other records than its keys belong to"),
    "body-missing": ("tampering", "content is gone though it should still be kept"),
    "body-wrong": ("tampering", "content does not open, or is not what its record commits to"),
    # -- write-ahead files
    "wal-damaged": ("tampering", "a write-ahead file is damaged other than by a torn write"),
    "wal-misplaced": ("tampering", "write-ahead files or groups do not follow each other"),
    # -- notes
    "tail-elsewhere": ("note", "unsealed records lie on the writer's machine, not here"),
    "written-twice": ("note", "an object has several versions of the same bytes"),
    "awaits-witness": (
        "note",
        "records signed, not witnessed, where only witnessed ones were asked",
    ),
    "torn-tail": ("note", "the end of the newest write-ahead file is half written"),
    "wal-leftover": ("note", "a write-ahead file of sealed records waits to be removed"),
    "sealing-under-way": ("note", "objects of a segment that is being sealed, or was when it died"),
    "temporary-file": ("note", "a temporary file that a crash left, or a write in flight"),
    "writable": ("note", "sealed files can be written to by their owner"),
    "hold-pending": (
        "note",
        "a legal hold of a moment ago does not show in the bucket yet",
    ),
    "removal-unfinished": ("note", "a removal under retention began and was broken off"),
    "removed-still-here": ("note", "an object is here that retention has removed"),
    "body-expired": ("note", "body object absent, its retention has passed"),
    "body-destroyed": ("note", "content left out on purpose: its keys were destroyed"),
    "sequence-gap": ("note", "a source's own sequence numbers have gaps"),
    "sequence-repeated": ("note", "a source's own sequence numbers repeat"),
    "clock-moved-back": ("note", "a record was taken at an earlier clock time than the one before"),
    "event-in-future": ("note", "a record's event lies after the moment it was taken"),
    "seen-unreadable": ("note", "a line of remembered checkpoints can not be read"),
}
"""Every code with its severity and meaning."""

NOT_PROVEN = (
    "that what the sources reported is true",
    "that nothing was left out before it was captured",
    "who held the signing key",
)
"""What no verification of a log can show."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        code: key of `CODES`.
        what: one sentence for a person; may quote file names, so it is untrusted text.
        file: path within the store, with forward slashes; empty when it is about no single file.
        index: the record concerned, or the first of several; None when it is about none.
        last: the last of several records.
    """

    code: str
    what: str
    file: str = ""
    index: int | None = None
    last: int | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return CODES[self.code][0]

    def line(self) -> str:
        """The finding as one line of plain text."""
        place = self.file
        if self.index is not None:
            records = f"record {self.index}"
            if self.last is not None and self.last != self.index:
                records = f"records {self.index}-{self.last}"
            place = f"{place}, {records}" if place else records
        return f"{self.code}: {place}: {self.what}" if place else f"{self.code}: {self.what}"


@dataclass(slots=True)
class LogSummary:
    """How far one log was verified.

    Attributes:
        origin: the log.
        size: records found.
        sealed: of these, in sealed segments.
        signed: of these, covered by a signature of the log.
        witnessed: of these, covered by the policy's quorum of witnesses; 0 without a quorum.
        witnesses: when each witness cosigned that checkpoint, seconds since 1970 UTC, by name.
        root: root hash at `signed`.
        note: the signed checkpoint at `signed`.
        segments: sealed segments.
        opened: bodies that were decrypted and matched their commitments.
        locked: bodies that could not be opened because their keys are not here.
    """

    origin: str
    size: int = 0
    sealed: int = 0
    signed: int = 0
    witnessed: int = 0
    witnesses: dict[str, int] = field(default_factory=dict)
    root: bytes = b""
    note: bytes = b""
    segments: int = 0
    opened: int = 0
    locked: int = 0

    @property
    def durable(self) -> int:
        """Records on disk: all that were found."""
        return self.size


@dataclass(slots=True)
class Report:
    """The outcome of a verification.

    Attributes:
        requested: what was asked to be checked, in words.
        findings: everything found, most important first.
        logs: how far each log was verified.
        files: files read.
        size_bytes: their bytes.
        records: records whose leaves were checked one by one (0 for a quick verification).
        quick: whether only files, seals and signatures were checked.
        unproven: further things this verification did not show, beside `NOT_PROVEN`.
    """

    requested: list[str]
    findings: list[Finding] = field(default_factory=list)
    logs: list[LogSummary] = field(default_factory=list)
    files: int = 0
    size_bytes: int = 0
    records: int = 0
    quick: bool = False
    unproven: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 verified to policy, 1 tampering found, 2 could not judge."""
        severities = {finding.severity for finding in self.findings}
        if "tampering" in severities:
            return EXIT_TAMPERING
        if "cannot-judge" in severities:
            return EXIT_CANNOT_JUDGE
        return EXIT_VERIFIED

    @property
    def found(self) -> list[str]:
        """Findings as lines."""
        return [finding.line() for finding in self.findings]

    @property
    def not_proven(self) -> list[str]:
        """What a reader must not conclude from this report."""
        return [*self.unproven, *NOT_PROVEN]

    def of(self, severity: Severity) -> list[Finding]:
        """Findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    def codes(self) -> set[str]:
        """Codes of everything found."""
        return {finding.code for finding in self.findings}


def shortened(findings: list[Finding], most: int) -> list[Finding]:
    """Findings with at most so many of one kind; of the others only how many they are."""
    kept: list[Finding] = []
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.code] += 1
        if counts[finding.code] <= most:
            kept.append(finding)
    more = {code: count - most for code, count in counts.items() if count > most}
    return kept + [Finding(code, f"{count:,} more like these") for code, count in more.items()]


_ORDER: dict[Severity, int] = {"tampering": 0, "cannot-judge": 1, "note": 2}


def in_order(findings: list[Finding]) -> list[Finding]:
    """Findings without repeats, the worst first, then by record and file."""
    unique = dict.fromkeys(findings)
    return sorted(
        unique,
        key=lambda f: (
            _ORDER[f.severity], f.index is None, f.index or 0, f.code != "file-changed", f.file
        ),
    )  # fmt: skip
