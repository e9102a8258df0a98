"""`aircon status`: how many records, how far sealed and signed, where everything lies."""

from __future__ import annotations

import argparse
from pathlib import Path

from console import diagnostics, output
from console.opening import OpenStore


def run(args: argparse.Namespace) -> int:
    """Say where the log stands; needs no key."""
    with OpenStore(args, "status", needs_keys=False) as store:
        reader, places = store.reader, store.places
        checkpoint = reader.checkpoint
        facts: list[tuple[str, object]] = [
            ("origin", reader.origin),
            ("records", reader.size),
            ("sealed", reader.sealed),
            ("unsealed", reader.size - reader.sealed),
            ("segments", len(reader.pins)),
            ("signed to", checkpoint.size),
            ("witnessed to", reader.cosigned.witnessed().size),
            ("root", checkpoint.root.hex()),
            ("store", places.name),
            ("store bytes", _bytes_under(places.store)),
            ("keys", str(places.keys)),
            ("policy", str(places.policy)),
            ("working copy bytes", _bytes_under(places.work)),
        ]
        output.facts(facts, as_json=args.json)
    return diagnostics.OK


def _bytes_under(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*") if path.is_file())
