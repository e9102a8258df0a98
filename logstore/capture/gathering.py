"""Rows of one call collected from a table log that splits long messages over rows.

Azure's ApiManagementGatewayLlmLog writes one call as rows of one CorrelationId. A call is given
out when the source ends, or when too many others are open; rows that come later than that become
an item of their own, which its decoder marks as ``truncated``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from logstore.capture.items import Bad, Item

MAX_OPEN = 4096
"""Most calls held open at a time."""

MAX_HELD = 64 * 2**20
"""Most bytes held at a time."""


class _Key(msgspec.Struct):
    CorrelationId: str


_key = msgspec.json.Decoder(_Key).decode


class RowGatherer:
    """Collects the rows of calls, in the order in which the calls began."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, list[bytes]]] = {}
        self._held = 0

    def add(self, row: bytes, where: str) -> Iterator[Item | Bad]:
        """Take one row; give out the oldest calls when too much is held."""
        try:
            key = _key(row).CorrelationId
        except (msgspec.MsgspecError, ValueError, RecursionError):
            yield Bad(row, where, "no-correlation-id")
            return
        self._open.setdefault(key, (where, []))[1].append(row)
        self._held += len(row)
        while self._held > MAX_HELD or len(self._open) > MAX_OPEN:
            yield self._give(next(iter(self._open)))

    def rest(self) -> Iterator[Item]:
        """Every call still held."""
        while self._open:
            yield self._give(next(iter(self._open)))

    def _give(self, key: str) -> Item:
        where, rows = self._open.pop(key)
        self._held -= sum(map(len, rows))
        return Item(b'{"rows":[%b]}' % b",".join(rows), "apim.llm", where)
