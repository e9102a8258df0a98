"""What a log says of keeping one object, and what it means when that object is not there."""

from __future__ import annotations

from dataclasses import dataclass

from logstore.errors import FormatError
from logstore.formats.custody import Custody
from logstore.formats.pins import ObjectPin
from logstore.storage.layout import log_file
from logstore.storage.logfile import MAX_LOG_FILE, Retention, parse_log_file
from logstore.verify.evidence import Evidence
from logstore.verify.findings import Finding
from logstore.verify.surroundings import Listing


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is said of one body object.

    Attributes:
        hold: the legal hold that keeps it, or kept it when it was removed; None for none.
        until_us: until when it has to be kept, microseconds since 1970 UTC.
        removed_at: the record that says that it was removed; None for none.
        rule: the log's retention rule, in words.
        now_us: now, microseconds since 1970 UTC.
    """

    hold: int | None
    until_us: int
    removed_at: int | None
    rule: str
    now_us: int


@dataclass(frozen=True, slots=True)
class Keepings:
    """What one log says of all its objects.

    Attributes:
        custody: its holds and removals.
        retention: what it promised when it was made; None when that can not be read.
        now_us: now, microseconds since 1970 UTC.
    """

    custody: Custody
    retention: Retention | None
    now_us: int

    def of(self, pin: ObjectPin, first: int, end: int) -> Keeping:
        """What is said of an object that holds content of records [first, end)."""
        removal = self.custody.removed_by.get(pin.key)
        removed_at = None if removal is None else removal.at
        hold = self.custody.holding(first, end, removed_at)
        until = max(pin.retain_until_us, self.custody.keep_until(first, end))
        kept = self.retention
        rule = "not known" if kept is None else f"content is kept {kept.body_days:,} days"
        number = None if hold is None else hold.number
        return Keeping(number, until, removed_at, rule, self.now_us)


def promised(evidence: Evidence, origin: str) -> Retention | None:
    """A log's retention as its description has it, which is held to record 0 later."""
    data = evidence.small(log_file(origin), MAX_LOG_FILE)
    try:
        return parse_log_file(data or b"").retention
    except FormatError:
        return None


def removals(custody: Custody, listing: Listing) -> list[Finding]:
    """What was removed and is here, or was about to be and nobody said what became of it."""
    found = []
    for each in custody.unfinished:
        what = f"of {len(each.fields.objects)} objects; nothing says what became of them"
        found.append(Finding("removal-unfinished", what, "", each.at))
    for key, each in custody.removed_by.items():
        if key in listing.files and each.finished is not None:
            what = f"record {each.finished} says that it was removed"
            found.append(Finding("removed-still-here", what, key, each.at))
    return found


def absence(finding: Finding, keeping: Keeping) -> Finding:
    """What it means that a body object can not be opened, if it is absent: its time may be up."""
    if finding.code != "file-missing":
        return finding
    code, what = _judge(keeping)
    return Finding(code, what, finding.file, finding.index, finding.last)


def _judge(keeping: Keeping) -> tuple[str, str]:
    if keeping.hold is not None:
        return "body-missing", f"body object absent, though hold {keeping.hold} keeps it"
    if keeping.now_us < keeping.until_us:
        return "body-missing", "body object absent, though its retention has not passed"
    said = f"body object absent, retention rule: {keeping.rule}"
    if keeping.removed_at is None:
        return "body-expired", f"{said}; no record says who removed it"
    return "body-expired", f"{said}; removed as record {keeping.removed_at} says"
