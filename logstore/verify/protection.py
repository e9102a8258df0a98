"""Which objects of a log should be locked, and until when. Pure."""

from __future__ import annotations

from collections.abc import Iterator

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
        found += _of_segment(segment)
    found += [_pinned(each.body, each.first, each.last) for each in view.supplements]
    here = listing.files
    return [d for d in found if d.key in here and not 0 < d.retain_until_us <= now_us]


def _of_segment(segment: Segment) -> Iterator[Due]:
    pin = segment.pin
    yield Due(segment.key, pin.index.retain_until_us, "", pin.first, pin.last)
    yield _pinned(pin.index, pin.first, pin.last)
    if pin.body is not None:
        yield _pinned(pin.body, pin.first, pin.last)


def _pinned(pin: ObjectPin, first: int, last: int) -> Due:
    return Due(pin.key, pin.retain_until_us, pin.version, first, last)
