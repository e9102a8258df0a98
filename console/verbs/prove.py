"""`aircon prove`: writes a proof that one record is in the log."""

from __future__ import annotations

import argparse
from pathlib import Path

from console import diagnostics, output
from console.exports import create_file
from console.opening import OpenStore
from console.verbs.show import resolve


def run(args: argparse.Namespace) -> int:
    """Write the proof to a new file; a disclosed content is an export, and recorded as one."""
    target = Path(args.output)
    with OpenStore(args, "prove", needs_keys=args.disclose) as store:
        index = resolve(store, args.record)
        if args.disclose:
            store.record_access("access.export", {"records": [index], "file": str(target)})
        data = proof(store, index, disclose=args.disclose)
    with create_file(target) as file:
        file.write(data)
    facts = [
        ("record", index),
        ("file", str(target)),
        ("bytes", len(data)),
        ("content disclosed", bool(args.disclose)),
    ]
    output.facts(facts, as_json=args.json)
    if args.disclose:
        diagnostics.note("Whoever gets this file can read the content of the record.")
    return diagnostics.OK


def proof(store: OpenStore, index: int, *, disclose: bool) -> bytes:
    """The proof of one record of an open store."""
    from logstore.verify.proving import prove

    return prove(store.reader, index, keys=store.keys, disclose=disclose)
