"""What a quick verification must know from inside index objects, taken as they pass to be hashed.

So no object is read twice: a second reading from a bucket would be a second transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from logstore.verify.evidence import Data
from logstore.verify.firstleaves import edge_at, leaves_of
from logstore.verify.view import Segment


class Glimpses:
    """Looks into some index objects.

    Args:
        segments: the log's, oldest first.
        sizes: tree sizes whose roots are wanted.

    Attributes:
        opening: the leaf of record 0; None while its object was not found right.
        roots: tree size -> root, of the sizes within segments that were found right.
    """

    def __init__(self, segments: Sequence[Segment], sizes: Iterable[int]) -> None:
        self.opening: bytes | None = None
        self.roots: dict[int, bytes] = {}
        self._wanted: dict[str, tuple[Segment, list[int]]] = {}
        sizes = sorted(set(sizes))
        for segment in segments:
            pin = segment.pin
            inside = [size for size in sizes if pin.first < size < pin.end]
            if pin.first == 0 or (inside and segment.before is not None):
                self._wanted[pin.index.key] = segment, inside

    @property
    def looks(self) -> Mapping[str, Callable[[Data], None]]:
        """By the names of the objects, what is to be shown their bytes once they were found right.

        Each raises FormatError where the object can not be read.
        """
        return {key: partial(self._look, *wanted) for key, wanted in self._wanted.items()}

    def _look(self, segment: Segment, sizes: Sequence[int], data: Data) -> None:
        if segment.pin.first == 0:
            self.opening = leaves_of(data, 1)[0]
        for size in sizes:
            if segment.before is not None:
                self.roots[size] = edge_at(data, segment.pin, segment.before, size).root()
