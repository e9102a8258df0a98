"""What a bucket was found to do, on the log: a ``store.probed`` record."""

from __future__ import annotations

import msgspec

from logstore.errors import StoreRefused
from logstore.formats import body
from logstore.formats.record import Record
from logstore.s3.capabilities import Capabilities, judge

KIND = "store.probed"
"""Kind of the record."""


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
    return Record(KIND, "aircon", operator, clear=clear, content=body.encode(body.Body(note=said)))


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
