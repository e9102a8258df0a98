"""Make a sample: any number of interactions, in order of time, in constant memory.

Sessions of everyday traffic and of the stories are merged by their start; their turns wait in a
heap until nothing earlier can follow. One seed gives the same bytes, except that another build of
zlib may pack the compressed files differently.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from drills.sample.call import Turn
from drills.sample.dice import Dice
from drills.sample.labels import Truth
from drills.sample.people import People
from drills.sample.readme import readme
from drills.sample.stories import plan_all
from drills.sample.stories.plot import Session, Story, in_order
from drills.sample.traffic import sessions
from drills.sample.writers import open_writers
from drills.sample.writers.files import FileEntry, Files, Writer

RECORDS = 5000
"""How many interactions the sample in the repository has."""

SEED = 20261102
"""The seed of the sample in the repository."""

_SMALL = 50_000  # up to here files are packed tightly, because somebody will keep them
_REPORT_EVERY = 1000


class Manifest(msgspec.Struct):
    """What was made.

    Attributes:
        records: interactions asked for and made.
        seed: the seed.
        entries: pieces of evidence in all files, which an importer should find.
        copies: interactions that stand in a second file as well.
        bad: planted lines that no importer can read.
        labelled: labels in the truth file.
        stories: names of the stories told.
        files: every file, in order of name.
    """

    records: int
    seed: int
    entries: int
    copies: int
    bad: int
    labelled: int
    stories: list[str]
    files: list[FileEntry]


def generate(
    records: int,
    seed: int,
    out: Path,
    progress: Callable[[int], None] | None = None,
    labels: Path | None = None,
) -> Manifest:
    """Fill the folder `out` with the logs of a fortnight.

    Args:
        records: how many interactions, at least 1. Below about 1,000 the stories are left out
            when they would be more than half of it.
        seed: chooses the fortnight; same seed, same bytes.
        out: folder for the logs and their README; made when missing, must be empty.
        progress: called now and then with the number of interactions made so far.
        labels: file for the truth, never inside `out`; None to leave it unwritten.

    Returns:
        What was made, file by file.

    Raises:
        ValueError: `records` below 1, or `labels` inside `out`.
        FileExistsError: `out` holds something already.
    """
    _check(records, out, labels)
    people = People(seed, max(200, records // 9))
    stories = plan_all(seed, people, records)
    everyday = records - sum(story.total for story in stories)
    streams = [sessions(Dice(seed, "everyday"), people, everyday)]
    streams += [story.sessions for story in stories]
    files = Files(out, 6 if records <= _SMALL else 1)
    truth = Truth(labels, stories)
    try:
        counts = _tell(in_order(*streams), open_writers(files), truth, progress)
    finally:
        files.close()
        truth.close()
    manifest = _manifest((records, seed), files, stories, counts)
    (out / "README.md").write_text(readme(manifest.files, records, seed), encoding="utf-8")
    return manifest


def _check(records: int, out: Path, labels: Path | None) -> None:
    if records < 1:
        raise ValueError("a sample needs at least one record")
    if labels is not None and labels.resolve().is_relative_to(out.resolve()):
        raise ValueError("the truth must not lie among the logs")
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty")


def _tell(
    told: Iterator[Session],
    writers: dict[str, Writer],
    truth: Truth,
    progress: Callable[[int], None] | None,
) -> tuple[int, int]:
    """Write every turn when its time has come; returns how many copies and labels there are."""
    made = copies = labelled = 0
    reported = 0
    for turn in _by_end(told):
        paths = [writers[source].write(turn) for source in (turn.app.source, *turn.also)]
        copies += _copied(turn)
        labelled += truth.note(turn, paths)
        made += len(turn.calls)
        if progress is not None and made - reported >= _REPORT_EVERY:
            reported = made
            progress(made)
    for writer in writers.values():
        writer.close()
    if progress is not None:
        progress(made)
    return copies, labelled


def _copied(turn: Turn) -> int:
    """How many calls of the turn a second source saw; a provider's log has model calls only."""
    if not turn.also:
        return 0
    if "bedrock" in turn.also:
        return sum(call.operation == "chat" for call in turn.calls)
    return len(turn.calls)


def _by_end(told: Iterator[Session]) -> Iterator[Turn]:
    waiting: list[tuple[int, int, Turn]] = []
    number = 0
    for start, turns in told:
        while waiting and waiting[0][0] <= start:
            yield heapq.heappop(waiting)[2]
        for turn in turns:
            number += 1
            heapq.heappush(waiting, (turn.end_us, number, turn))
    while waiting:
        yield heapq.heappop(waiting)[2]


def _manifest(
    asked: tuple[int, int], files: Files, stories: list[Story], counts: tuple[int, int]
) -> Manifest:
    found = sorted(files.entries, key=lambda entry: entry.path)
    return Manifest(
        records=asked[0],
        seed=asked[1],
        entries=sum(entry.entries for entry in found),
        copies=counts[0],
        bad=sum(entry.bad for entry in found),
        labelled=counts[1],
        stories=[story.id for story in stories],
        files=found,
    )
