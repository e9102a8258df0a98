"""Rebuild the sample of the repository: ``python -m drills.sample LOGS TRUTH``.

TRUTH receives ``labels.jsonl`` and ``manifest.json``; it must not lie in LOGS.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from drills.sample.generate import RECORDS, SEED, generate


def main(logs: Path, truth: Path) -> None:
    """Write the logs and, apart from them, the truth."""
    manifest = generate(RECORDS, SEED, logs, labels=truth / "labels.jsonl")
    shown = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (truth / "manifest.json").write_bytes(shown + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
