"""`aircon prove`: writes a proof that one record is in the log."""

from __future__ import annotations

import argparse
from pathlib import Path

from console import diagnostics, output
from console.exports import create_file
from console.opening import OpenStore
from console.verbs.show import resolve


def run(args: argparse.Namespace) -> int:
    """Write the proof to a new file; disclosed content is an export, and recorded as one."""
    from logstore.verify.proving import disclose, prove

    target = Path(args.output)
    facts: list[tuple[str, object]] = []
    with OpenStore(args, "prove", needs_keys=bool(args.disclose)) as store:
        index = resolve(store, args.record)
        data = prove(store.reader, index)
        with create_file(target) as file:
            file.write(data)
        _say_unwitnessed(store, index)
        facts = [("record", index), ("proof", str(target)), ("bytes", len(data))]
        if args.disclose:
            content = disclose(store.reader, index)
            said = {"records": [index], "file": args.disclose}
            store.record_access("access.export", said)
            with create_file(Path(args.disclose)) as file:
                file.write(content)
            facts.append(("content", args.disclose))
            diagnostics.note(f"Whoever gets {args.disclose} can read the content of the record.")
    output.facts(facts, as_json=args.json)
    return diagnostics.OK


def _say_unwitnessed(store: OpenStore, index: int) -> None:
    from logstore.formats.policy import NO_QUORUM

    quorum = store.policy.quorum
    if quorum != NO_QUORUM and index >= store.reader.cosigned.witnessed().size:
        diagnostics.warn(
            f"record {index} is signed, not witnessed: whoever asks for the quorum {quorum!r} can"
            " not judge this proof. Make another when `aircon witness take` has come so far."
        )
