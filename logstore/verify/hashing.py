"""Whole-file hashes of every pinned object, one thread per core: the floor of any verification."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType

from logstore.formats.pins import ObjectPin, SegmentPin
from logstore.verify.evidence import Data, Evidence
from logstore.verify.findings import Finding
from logstore.verify.keeping import Keepings, absence

_Item = tuple[
    SegmentPin, ObjectPin, bool
]  # the segment, one object of it, whether that is its body


@dataclass(slots=True)
class Hashed:
    """Outcome of hashing.

    Attributes:
        files: files whose hash is right.
        size_bytes: their bytes.
        findings: what is wrong with the others.
    """

    files: int = 0
    size_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


def hash_objects(
    evidence: Evidence,
    pins: Sequence[SegmentPin],
    *,
    workers: int,
    keepings: Keepings,
    progress: Callable[[int], None],
    looks: Mapping[str, Callable[[Data], None]] = MappingProxyType({}),
) -> Hashed:
    """Check the whole-file hash of the objects of segments.

    Args:
        evidence: the store.
        pins: the segments.
        workers: threads; hashing releases the interpreter.
        keepings: what their log says of keeping them.
        progress: called with the bytes done so far.
        looks: by the names of objects, what is shown their bytes once they were found right.

    Raises:
        FormatError: from one of the looks.
    """
    work: list[_Item] = []
    for pin in pins:
        work.append((pin, pin.index, False))
        if pin.body is not None:
            work.append((pin, pin.body, True))

    # The largest first: otherwise one thread is left with a large object when the others are done.
    work.sort(key=lambda item: item[1].size, reverse=True)

    def one(item: _Item) -> Finding | int:
        segment, pin, is_body = item
        look = looks.get(pin.key)
        found = evidence.mismatch(pin, segment) if look is None else _shown(evidence, item, look)
        if found is None:
            return pin.size
        return absence(found, keepings.of(pin, segment.first, segment.end)) if is_body else found

    outcome = Hashed()
    for result in _each(one, work, workers):
        if isinstance(result, Finding):
            outcome.findings.append(result)
        else:
            outcome.files += 1
            outcome.size_bytes += result
            progress(outcome.size_bytes)
    return outcome


def _shown(evidence: Evidence, item: _Item, look: Callable[[Data], None]) -> Finding | None:
    data = evidence.open(item[1], item[0])
    if isinstance(data, Finding):
        return data
    look(data)
    return None


def _each(
    one: Callable[[_Item], Finding | int], work: Sequence[_Item], workers: int
) -> Iterator[Finding | int]:
    if workers < 2 or len(work) < 2:
        yield from map(one, work)
        return
    with ThreadPoolExecutor(workers, "aircon-verify") as pool:
        yield from pool.map(one, work)
