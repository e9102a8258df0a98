"""The keys of a key store in memory: looked up by id, by owner, and by who was destroyed."""

from __future__ import annotations

from logstore.keys.entries import KeyEntry, Tombstone

LOCAL = "local"
"""Scope of the store's own secrets."""

Owner = tuple[str, str, str]
"""Scope, identity, month."""


class KeyRing:
    """What the pages of one journal say.

    A ring is filled before it is shared and only grows afterwards, so that other threads may look
    things up meanwhile.

    Attributes:
        by_id: living keys.
        by_owner: the same, by (scope, identity, month).
        tombstones: what is left of destroyed ones.
        root: the secret that local keys are derived from.
    """

    __slots__ = ("_destroyed", "_tags", "by_id", "by_owner", "root", "tombstones")

    def __init__(self) -> None:
        self.by_id: dict[str, KeyEntry] = {}
        self.by_owner: dict[Owner, KeyEntry] = {}
        self.tombstones: list[Tombstone] = []
        self.root = b""
        self._destroyed: set[str] = set()
        self._tags: set[bytes] = set()

    @property
    def mourns(self) -> bool:
        """Whether anybody's keys were destroyed."""
        return bool(self._tags)

    def add(self, item: KeyEntry | Tombstone) -> None:
        """Take in an item of a page."""
        if isinstance(item, Tombstone):
            self.tombstones.append(item)
            self._destroyed.add(item.id)
            self._tags.add(item.tag)
            return
        self.by_id[item.id] = item
        self.by_owner[item.scope, item.identity, item.month] = item
        if item.scope == LOCAL and item.identity == "root":
            self.root = item.key

    def drop(self, entry: KeyEntry) -> None:
        """Forget a key that never became durable."""
        self.by_id.pop(entry.id, None)
        self.by_owner.pop((entry.scope, entry.identity, entry.month), None)

    def was_destroyed(self, key_id: str) -> bool:
        """Whether a key of this id was destroyed."""
        return key_id in self._destroyed

    def knows_tag(self, tag: bytes) -> bool:
        """Whether the identity of this tag had keys destroyed."""
        return tag in self._tags

    def all(self) -> list[KeyEntry]:
        """Every living key at this moment."""
        return list(self.by_id.values())
