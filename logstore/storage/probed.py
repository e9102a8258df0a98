"""What a bucket was found to do, on the log: a ``store.probed`` record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from logstore.errors import StoreRefused
from logstore.formats import body
from logstore.formats.record import Record
from logstore.s3.capabilities import Capabilities, judge
from logstore.storage.lookback import newest_first

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader

KIND = "store.probed"
"""Kind of the record."""

SOURCE = "aircon"
"""`source` of it."""


def probed_record(found: Capabilities, operator: str = "") -> Record:
    """The record of a probing.

    What held is clear; what the server said, word by word, is content, as it is anybody's text.
    """
    verdict = judge(found)
    clear: dict[str, object] = {
        "store": found.store,
        "probed_us": found.probed_us,
        "fit": verdict.fit,
        "missing": list(verdict.missing),
        "probes": {each.name: each.held for each in found.probes},
    }
    said: dict[str, object] = msgspec.to_builtins(found)
    return Record(KIND, SOURCE, operator, clear=clear, content=body.encode(body.Body(note=said)))


def keeps_event_holds(reader: LogReader) -> bool:
    """Whether the newest probing on the log found that the bucket keeps event holds.

    Raises:
        TamperingFound: an index object is missing or not the pinned bytes.
    """
    for leaf in newest_first(reader, SOURCE):
        if leaf.kind == KIND:
            probes = leaf.clear.get("probes")
            return isinstance(probes, dict) and probes.get("event-hold") is True
    return False


def check_fit(found: Capabilities) -> Capabilities:
    """See that evidence may be put into a bucket.

    Raises:
        StoreRefused: it would not be protected there; nothing was written but the probes.
    """
    verdict = judge(found)
    if not verdict.fit:
        lacking = [each for each in found.probes if each.name in verdict.missing]
        seen = "; ".join(
            f"{each.name} ({each.detail or 'no'})" if each.held is not None else f"{each.name}: ?"
            for each in lacking
        )
        raise StoreRefused(
            f"{found.store} would not protect evidence. It failed: {seen}",
            kept="Nothing was made.",
            todo="Make the bucket with Object Lock switched on, at a server that enforces it; see"
            " docs/s3.md.",
        )
    return found
