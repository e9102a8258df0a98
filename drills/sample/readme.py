"""The README that lies among the logs: who, what, and what to ask, without the answers."""

from __future__ import annotations

from collections.abc import Sequence

from drills.sample.grammar import raw_texts
from drills.sample.writers.files import FileEntry


def readme(files: Sequence[FileEntry], records: int, seed: int) -> str:
    """The README for a sample with those files."""
    shown = [entry for entry in files if entry.format not in {"bedrock", "bedrock.body"}]
    rows = [_row(entry.path, entry) for entry in shown]
    if cloud := [entry for entry in files if entry.format == "bedrock"]:
        total = FileEntry("", "bedrock")
        for entry in cloud:
            total.interactions += entry.interactions
            total.entries += entry.entries
            total.bad += entry.bad
        rows.append(_row("bedrock/AWSLogs/... (a file a day)", total))
    text: str = raw_texts("readme")["text"]
    return text.format(records=records, seed=seed, files="\n".join(rows))


def _row(name: str, entry: FileEntry) -> str:
    return f"| {name} | {entry.format} | {entry.interactions:,} | {entry.entries:,} | {entry.bad} |"
