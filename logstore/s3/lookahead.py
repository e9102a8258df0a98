"""Reading many versions one after another, without waiting for the server each time.

Whoever looks for the one that holds among what others have put under its name usually finds it at
once: the first is asked for alone. Behind it several are asked for side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from logstore.s3.versions import Version

_TOGETHER = 16
_BYTES = 8 * 2**20  # that are asked for side by side, unless one alone has more

Read = Callable[[Version], bytes | None]
"""The bytes of a version; None for one that can not be had."""


def in_turn(versions: Sequence[Version], read: Read) -> Iterator[bytes]:
    """Bytes of versions in their order; what can not be had is left out.

    Args:
        versions: which.
        read: called from several threads; what it raises is raised in its turn.
    """
    for portion in _portions(versions):
        if len(portion) == 1:
            found = [read(portion[0])]
        else:
            with ThreadPoolExecutor(len(portion), "aircon-versions") as pool:
                found = list(pool.map(read, portion))
        yield from (data for data in found if data is not None)


def _portions(versions: Sequence[Version]) -> Iterator[list[Version]]:
    portion: list[Version] = []
    size = 0
    for number, version in enumerate(versions):
        if portion and (number == 1 or len(portion) == _TOGETHER or size + version.size > _BYTES):
            yield portion
            portion, size = [], 0
        portion.append(version)
        size += version.size
    if portion:
        yield portion
