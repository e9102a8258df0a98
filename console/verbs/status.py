"""`aircon status`: how many records, how far sealed and signed, where everything lies."""

from __future__ import annotations

import argparse
from pathlib import Path

from console import diagnostics, output
from console.opening import OpenStore
from logstore.storage.home import read_remote, reads_only


def run(args: argparse.Namespace) -> int:
    """Say where the log stands; needs no key."""
    with OpenStore(args, "status", needs_keys=False) as store:
        reader, places = store.reader, store.places
        checkpoint, custody = reader.checkpoint, reader.custody()
        facts: list[tuple[str, object]] = [
            ("origin", reader.origin),
            ("records", reader.size),
            ("sealed", reader.sealed),
            ("unsealed", _unsealed(store, as_json=args.json)),
            ("segments", len(reader.pins)),
            ("signed to", checkpoint.size),
            ("witnessed to", reader.cosigned.witnessed().size),
            ("root", checkpoint.root.hex()),
            ("holds in force", len(custody.in_force)),
            ("removed by retention", len(custody.gone)),
            ("store", places.name),
            *_answers(store),
            ("store bytes", _bytes_under(places.store)),
            ("keys", str(places.keys)),
            ("policy", str(places.policy)),
            ("working copy bytes", _bytes_under(places.work)),
        ]
        output.facts(facts, as_json=args.json)
    return diagnostics.OK


def _unsealed(store: OpenStore, *, as_json: bool) -> object:
    """Records that are not sealed, where that can be known: they lie with the writer alone."""
    if reads_only(store.places.store):
        return None if as_json else "not known here: on the writer's machine"
    return store.reader.size - store.reader.sealed


def _answers(store: OpenStore) -> list[tuple[str, object]]:
    """Whether a bucket can be reached now; what is said otherwise comes from this machine."""
    if read_remote(store.places.store) is None:
        return []
    return [("bucket answers", store.reader.blobs.away is None)]


def _bytes_under(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*") if path.is_file())
