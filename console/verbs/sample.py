"""`aircon sample`: writes believable logs of a fictional company from a seed."""

from __future__ import annotations

import argparse
from pathlib import Path

from console import diagnostics, output
from console.progress import Progress
from logstore.errors import UsageError


def run(args: argparse.Namespace) -> int:
    """Write the logs and, apart from them, the labels."""
    from drills.sample.generate import generate

    directory = Path(args.directory)
    labels = Path(args.labels) if args.labels else directory.with_name(directory.name + _LABELS)
    if labels.exists():
        raise UsageError(f"{labels} exists already", kept="It was not touched.")
    try:
        with Progress("writing", "interactions") as progress:
            made = generate(
                args.records,
                args.seed,
                directory,
                progress=lambda done: progress(done, args.records),
                labels=labels,
            )
    except (ValueError, FileExistsError, NotADirectoryError) as error:
        raise UsageError(str(error), todo="See `aircon sample --help`.") from None
    facts: list[tuple[str, object]] = [
        ("interactions", made.records),
        ("seed", made.seed),
        ("files", len(made.files)),
        ("unreadable lines planted", made.bad),
        ("logs", str(directory)),
        ("labels", str(labels)),
    ]
    output.facts(facts, as_json=args.json)
    return diagnostics.OK


_LABELS = ".labels.jsonl"
