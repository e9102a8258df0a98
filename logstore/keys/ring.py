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

    __slots__ = ("_destroyed", "_fresh", "_tags", "by_id", "by_owner", "root", "tombstones")

    def __init__(self) -> None:
        self.by_id: dict[str, KeyEntry] = {}
        self.by_owner: dict[Owner, KeyEntry] = {}
        self.tombstones: list[Tombstone] = []
        self.root = b""
        self._fresh: dict[int, list[KeyEntry]] = {}  # by the size of the log at their flush
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
        known = self.by_id.get(item.id)
        if known is not None and known in self._fresh.get(known.at, ()):
            self._fresh[known.at].remove(known)  # flushed again, for another place
        self.by_id[item.id] = item
        self.by_owner[item.scope, item.identity, item.month] = item
        if item.scope != LOCAL:
            self._fresh.setdefault(item.at, []).append(item)
        elif item.identity == "root":
            self.root = item.key

    def unannounced(self, size: int) -> list[KeyEntry]:
        """Keys that no group commit of a log of `size` records can have announced.

        A group announces what was flushed for it, so keys flushed at an earlier size stand on the
        log; those at this size or later were flushed by a writer that died before its commit.
        """
        for at in [at for at in self._fresh if at < size]:
            del self._fresh[at]
        waiting = [entry for at in sorted(self._fresh) for entry in self._fresh[at]]
        return [entry for entry in waiting if entry.id in self.by_id]

    def drop(self, entry: KeyEntry) -> None:
        """Forget a key that never became durable."""
        self.by_id.pop(entry.id, None)
        self.by_owner.pop((entry.scope, entry.identity, entry.month), None)

    def issue(self, entry: KeyEntry) -> None:
        """Take in a new key that is not on disk yet; `add` it again once it is."""
        self.by_id[entry.id] = entry
        self.by_owner[entry.scope, entry.identity, entry.month] = entry

    def was_destroyed(self, key_id: str) -> bool:
        """Whether a key of this id was destroyed."""
        return key_id in self._destroyed

    def knows_tag(self, tag: bytes) -> bool:
        """Whether the identity of this tag had keys destroyed."""
        return tag in self._tags

    def all(self) -> list[KeyEntry]:
        """Every living key at this moment."""
        return list(self.by_id.values())
