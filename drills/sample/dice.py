"""The one source of chance: a seeded stream that gives the same draws on every Python.

Only `random()` and `getrandbits()` of the standard generator are used, because their output is
promised to stay the same between Python versions, unlike `choice` or `shuffle`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A named stream of draws.

    Args:
        *name: what the stream is for; streams of different names are independent.
    """

    __slots__ = ("bits", "random")

    def __init__(self, *name: object) -> None:
        source = Random("/".join(str(part) for part in name))
        self.random = source.random
        self.bits = source.getrandbits

    def pick(self, choices: Sequence[T]) -> T:
        """One of `choices`, each as likely as the others."""
        return choices[int(self.random() * len(choices))]

    def chance(self, share: float) -> bool:
        """True in `share` (0 to 1) of all draws."""
        return self.random() < share

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def spread(self, median: float, width: float) -> float:
        """A positive number around `median` with a long right tail; `width` near 0.5 is usual."""
        bell = self.random() + self.random() + self.random() - 1.5
        return median * math.exp(2.0 * width * bell)

    def hex(self, digits: int) -> str:
        """A string of `digits` lower-case hexadecimal digits."""
        return f"{self.bits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        """A random UUID (version 4) in its usual text form."""
        h = self.hex(32)
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def skewed(self, size: int, steepness: float = 2.5) -> int:
        """An index below `size` where low indexes come far more often (like Zipf's law)."""
        return int(size * self.random() ** steepness)
