"""`aircon seal`: moves unsealed records into immutable segments now."""

from __future__ import annotations

import argparse

from console import diagnostics, output, sealing
from console.opening import OpenStore


def run(args: argparse.Namespace) -> int:
    """Seal, and say what was made."""
    with OpenStore(args, "seal") as store:
        pins = sealing.seal(store.log(seals=True))
        records = sum(pin.count for pin in pins)
        facts = [
            ("segments", len(pins)),
            ("records", records),
            ("sealed", pins[-1].end if pins else store.reader.sealed),
        ]
        output.facts(facts, as_json=args.json)
        if not pins:
            diagnostics.note("There was nothing to seal.")
    return diagnostics.OK
