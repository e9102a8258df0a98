"""Listing a bucket for a verification: in one go, or in parts when far too much lies there.

Rules:

1. What the log needs is found whatever else lies there. When more lies there than may be kept,
   seals are listed first: they say which objects are pinned, and of the rest only so much is kept.
2. What is not kept is counted, and the first of it named: it is a finding, not an obstacle.
3. Only what can not be told from the log's own by its name (seals, claims) may be too much.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from logstore.errors import StoreRefused
from logstore.s3.address import is_plain
from logstore.s3.bucket import BucketReader
from logstore.s3.capabilities import PROBES
from logstore.s3.versions import Entry
from logstore.storage.layout import STORE_FILE
from logstore.verify.findings import Finding
from logstore.verify.gathering import MOST_KEPT, Gathering, Held
from logstore.verify.surroundings import TEMPORARY

MOST_APART = 1_000_000
"""Entries that are kept of seals, claims and the like, and of the rest, when they are many."""

MOST_SEEN = 10_000_000
"""Entries after which nobody looks any further for what does not belong there."""

_APART = ("seal/", "claim/", "cosigned/", "log/", STORE_FILE)
_UNSEALED = 10_000  # names that no seal pins and that are kept all the same: they may be on the way
_THREADS = 16

Pinned = Callable[[Iterable[str]], Collection[str]]
"""Names of objects that the seals with certain names pin, by their own word."""


@dataclass(slots=True)
class Listed:
    """A bucket's listing.

    Attributes:
        held: what may be evidence, by name.
        partial: whether there may be more under names that are not held.
        seen: entries that were listed.
        named: the first names that nothing accounts for.
        unnamed: entries of further such names.
        cut: whether there are more entries than were looked at.
    """

    held: dict[str, Held]
    partial: bool = False
    seen: int = 0
    named: list[str] = field(default_factory=list)
    unnamed: int = 0
    cut: bool = False

    def findings(self) -> Iterator[Finding]:
        """What lies there and can not be evidence."""
        for name in self.named:
            what = "nothing that aircon writes into a bucket has such a name"
            if may_be_evidence(name):
                what = "no record of the log accounts for it"
            yield Finding("extra-file", what, name)
        if self.unnamed:
            counted = f"{'more than ' if self.cut else ''}{self.unnamed:,}"
            what = f"{counted} versions or delete markers lie under more names that nothing"
            what += f" accounts for; {self.seen:,} in all were listed"
            yield Finding("extra-file", what)


def may_be_evidence(name: str) -> bool:
    """Whether aircon could have given something in a bucket a name."""
    last = name.rpartition("/")[2]
    return is_plain(name) and not name.startswith("wal/") and not TEMPORARY.fullmatch(last)


def list_bucket(bucket: BucketReader, told: Callable[[Listed], object], pinned: Pinned) -> Listed:
    """List a bucket.

    Args:
        bucket: which.
        told: given what was listed so far before `pinned` is called.
        pinned: see `Pinned`.

    Raises:
        StoreAway: the server can not be asked now.
        StoreRefused: it does not let us, its answers make no sense, or more lies there under names
            of seals and claims than can be kept.
    """
    whole = Gathering(may_be_evidence)
    for entry in _evidence(bucket.versions()):
        whole.take(entry)
        if whole.full or whole.seen > 5 * MOST_KEPT:
            return _in_parts(bucket, told, pinned)
    return _listed(whole)


def _in_parts(bucket: BucketReader, told: Callable[[Listed], object], pinned: Pinned) -> Listed:
    small = Gathering(may_be_evidence, MOST_APART)
    for beginning in _APART:
        for entry in bucket.versions(beginning):
            small.take(entry)
            if small.full:
                raise _too_much(beginning)
    told(_listed(small, partial=True))
    due = set(pinned(name for name in small.held if name.startswith("seal/")))
    rest = Gathering(_Expected(due), MOST_APART)
    cut = False
    for entry in _evidence(bucket.versions()):
        if entry.name.startswith(_APART):
            continue  # as it was when it was listed by itself
        rest.take(entry)
        cut = rest.seen >= MOST_SEEN
        if rest.full:
            raise _too_much("index/ and body/")
        if cut:
            break
    made = _listed(rest, small, partial=True)
    made.cut = cut
    if cut:
        made.held |= _one_by_one(bucket, due - made.held.keys())
    return made


class _Expected:
    """Whether a name is kept: it is pinned, or of the first that could be on their way."""

    def __init__(self, due: set[str]) -> None:
        self._due = due
        self._left = _UNSEALED

    def __call__(self, name: str) -> bool:
        if name in self._due:
            return True
        if self._left and name.startswith(("index/", "body/")) and may_be_evidence(name):
            self._left -= 1
            return True
        return False


def _one_by_one(bucket: BucketReader, names: Iterable[str]) -> dict[str, Held]:
    def one(name: str) -> tuple[str, Held]:
        held = Held()
        for entry in bucket.versions(name):
            if entry.name != name:
                break
            held.take(entry)
        return name, held

    with ThreadPoolExecutor(_THREADS, "aircon-verify-list") as pool:
        return {name: held for name, held in pool.map(one, names) if held.count or held.hidden}


def _evidence(entries: Iterable[Entry]) -> Iterator[Entry]:
    """What was not attacked on purpose."""
    return (entry for entry in entries if not entry.name.startswith(PROBES))


def _listed(*gathered: Gathering, partial: bool = False) -> Listed:
    made = Listed({}, partial)
    for each in gathered:
        made.held |= each.held
        made.seen += each.seen
        made.named += each.named
        made.unnamed += each.unnamed
    return made


def _too_much(beginning: str) -> StoreRefused:
    return StoreRefused(
        f"more than {MOST_APART:,} versions lie below {beginning} in the bucket",
        kept="Nothing was judged; what the log sealed is there, if nobody could remove it.",
        todo="Find out who puts them there and take that right away; then remove what is not the"
        " log's.",
    )
