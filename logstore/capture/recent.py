"""Values remembered within bounds: so many entries and so many bytes, oldest key forgotten first.

What is remembered of captured data is the sender's choice, and so is its length. A bound on the
number alone lets whoever sends long names fill the memory; here both are bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof
from typing import Generic, TypeVar

import msgspec

Value = TypeVar("Value")

_KEY = 250  # bytes of an entry beside its key and value: measured


class _Held(msgspec.Struct, Generic[Value], gc=False):
    value: Value
    count: int = 0
    size: int = 0


class Recent(Generic[Value]):
    """Values by key; the one that was touched longest ago is forgotten first.

    The newest key always stays, so its owner bounds what stands under one key.

    Args:
        most: most entries, as their owner counts them.
        most_bytes: most bytes of memory, as their owner weighs them, keys included.

    Attributes:
        count: entries now.
        size: bytes now.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self.count = 0
        self.size = 0
        self._most = most
        self._most_bytes = most_bytes
        self._held: OrderedDict[str, _Held[Value]] = OrderedDict()

    def get(self, key: str) -> Value | None:
        """What is remembered under a key."""
        held = self._held.get(key)
        return None if held is None else held.value

    def size_of(self, key: str) -> int:
        """Bytes that stand under a key."""
        held = self._held.get(key)
        return 0 if held is None else held.size

    def put(self, key: str, value: Value, *, count: int = 1, size: int) -> None:
        """Remember a value under a key in place of another one, and touch the key.

        Args:
            key: its name.
            value: what is remembered.
            count: entries that it is.
            size: bytes that it takes.
        """
        self.forget(key)
        self._held[key] = _Held(value)
        self.grow(key, count=count, size=size + _KEY + getsizeof(key))

    def grow(self, key: str, *, count: int, size: int) -> None:
        """What stands under a key became so much more, or less; touches the key."""
        held = self._held[key]
        held.count += count
        held.size += size
        self.count += count
        self.size += size
        self._held.move_to_end(key)
        while (self.count > self._most or self.size > self._most_bytes) and len(self._held) > 1:
            self._less(self._held.popitem(last=False)[1])

    def forget(self, key: str) -> None:
        """Remember a key no longer, if it is."""
        held = self._held.pop(key, None)
        if held is not None:
            self._less(held)

    def _less(self, held: _Held[Value]) -> None:
        self.count -= held.count
        self.size -= held.size
