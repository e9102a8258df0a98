"""A write-ahead file on its way into a segment: read, decrypted, one portion ahead of its taker.

Only the plaintext of a segment's content is ever in memory as a whole: of the ciphertext, no more
than two group commits.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from logstore.formats.group import Content, Sealer
from logstore.storage.wal import groups_of

_LEAST = 1024  # records of a portion: lone appends make small groups, and each portion has its cost


@dataclass(slots=True)
class Portion:
    """Consecutive records.

    Attributes:
        leaves: leaf bytes in order.
        bodies: nonce32 || content of each, or None.
    """

    leaves: list[bytes] = field(default_factory=list)
    bodies: list[Content | None] = field(default_factory=list)


def opened(path: Path, sealer: Sealer) -> Generator[Portion]:
    """The records of a write-ahead file; the next portion is read while one is worked on.

    Args:
        path: the file.
        sealer: opens its groups.

    Raises:
        TamperingFound: see `logstore.storage.wal.read_wal`.
        KeyUnavailable: it was written under another key.
    """
    portions = _portions(path, sealer)
    with ThreadPoolExecutor(1, "aircon-seal-read") as pool:
        coming = pool.submit(next, portions, None)
        while (portion := coming.result()) is not None:
            coming = pool.submit(next, portions, None)
            yield portion


def _portions(path: Path, sealer: Sealer) -> Iterator[Portion]:
    portion = Portion()
    for group in groups_of(path, sealer.origin):
        portion.leaves += group.leaves
        portion.bodies += sealer.views(group)
        if len(portion.leaves) >= _LEAST:
            yield portion
            portion = Portion()
    if portion.leaves:
        yield portion
