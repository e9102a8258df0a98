"""Which objects of a log should be locked, and until when. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from logstore.formats.custody import Custody
from logstore.formats.pins import ObjectPin
from logstore.storage import layout
from logstore.storage.logfile import DAY_US, LogFile
from logstore.verify.evidence import Due
from logstore.verify.surroundings import Listing
from logstore.verify.view import LogView, Segment


def due_of(view: LogView, log: LogFile, listing: Listing, now_us: int) -> list[Due]:
    """What should be locked now.

    Args:
        view: the log.
        log: what record 0 says of it.
        listing: what lies in the store.
        now_us: microseconds since 1970 UTC; what had to be kept until before then is left out.
    """
    always = log.created_us + log.retention.index_days * DAY_US
    found = [Due(layout.STORE_FILE, always), Due(layout.log_file(view.origin), always)]
    found += [Due(key, 0) for key in listing.below(layout.cosigned_prefix(view.origin))]
    kept = {each.pin.first: each.pin.index.retain_until_us for each in view.segments}
    for key in listing.below(layout.claim_prefix(view.origin)):
        if key in view.claimed:  # of the others nothing is asked: they are named as strangers
            found.append(Due(key, kept.get(layout.claim_first(key) or 0, 0)))
    for segment in view.segments:
        found += _of_segment(view.custody, segment)
    found += [_pinned(view.custody, each.body, each.first, each.last) for each in view.supplements]
    here, gone = listing.files, view.custody.gone
    return [
        each for each in found
        if each.key in here and each.key not in gone
        and (each.hold is not None or not 0 < each.retain_until_us <= now_us)
    ]  # fmt: skip


def _of_segment(custody: Custody, segment: Segment) -> Iterator[Due]:
    pin = segment.pin
    seal = ObjectPin(segment.key, 0, "", "", pin.index.retain_until_us)
    for each in (seal, pin.index, pin.body):
        if each is not None:
            yield _pinned(custody, each, pin.first, pin.last)


def _pinned(custody: Custody, pin: ObjectPin, first: int, last: int) -> Due:
    until = max(pin.retain_until_us, custody.keep_until(first, last + 1))
    hold = custody.holding(first, last + 1)
    return Due(pin.key, until, pin.version, first, last, hold=hold)
