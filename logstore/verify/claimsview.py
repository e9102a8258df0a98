"""What the claims in a bucket say: who published which segment, and whether two wanted to."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from logstore.errors import FormatError
from logstore.formats.claim import MAX_CLAIM, Claim, open_claim
from logstore.formats.pins import SegmentPin
from logstore.formats.policy import Policy
from logstore.storage import layout
from logstore.verify.evidence import Evidence
from logstore.verify.findings import Finding
from logstore.verify.surroundings import Listing


@dataclass(frozen=True, slots=True)
class Claimed:
    """What stands under one name of a claim.

    Attributes:
        key: the name.
        first: the first record of the segment.
        claims: what the log signed, the claim that was put first in front.
        sha256: of that one's bytes.
    """

    key: str
    first: int
    claims: list[Claim]
    sha256: bytes


def claimed(origin: str, trust: Policy, evidence: Evidence, listing: Listing) -> Iterator[Claimed]:
    """Every claim; what the log has not signed is left out: nothing accounts for it."""
    for key in listing.below(layout.claim_prefix(origin)):
        first = layout.claim_first(key)
        if first is None:
            continue
        signed = [
            (claim, data)
            for data in evidence.smalls(key, MAX_CLAIM)
            if (claim := _opened(data, trust)) is not None and claim.first == first
        ]
        if signed:
            sha256 = hashlib.sha256(signed[0][1]).digest()
            yield Claimed(key, first, [claim for claim, _ in signed], sha256)


def judge(key: str, claims: list[Claim], sealed: Mapping[int, str]) -> Finding | None:
    """Whether a segment was claimed by two, or published by who had not claimed it.

    Args:
        key: the claim's name.
        claims: what it says.
        sealed: first record -> digest of the index object, of sealed segments.
    """
    due = sealed.get(claims[0].first, claims[0].index_sha256)
    others = [claim for claim in claims if claim.index_sha256 != due]
    if not others:
        return None
    who = " and ".join(sorted({claim.writer.partition(" ")[2] for claim in claims}))
    what = f"two writers ({who}) claimed these records: the log's key is in two places"
    return Finding("two-writers", what, key, claims[0].first)


def unclaimed(
    origin: str, pins: Iterable[SegmentPin], found: Collection[str], now_us: int
) -> list[Finding]:
    """Sealed segments whose claims are gone, though they should still be kept.

    Args:
        origin: the log.
        pins: its sealed segments.
        found: names of the signed claims that are there, among others.
        now_us: microseconds since 1970 UTC.
    """
    what = "the claim under which it was published is gone"
    return [
        Finding("claim-missing", what, key, pin.first, pin.last)
        for pin in pins
        if (key := layout.claim_object(origin, pin.first)) not in found
        and pin.index.retain_until_us > now_us
    ]


def _opened(data: bytes, trust: Policy) -> Claim | None:
    try:
        return open_claim(data, trust.logs)
    except FormatError:
        return None
