"""The unsealed tail as a reader sees it: write-ahead files read without the writer lease.

A reader may meet a write in flight; it takes whole groups only, and believes them only up to a
checkpoint that is signed by the log and fits the leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from logstore.disk import Disk, settled
from logstore.errors import CannotJudge, KeyUnavailable, TamperingFound
from logstore.formats.checkpoint import Checkpoint
from logstore.formats.custody import CustodyEvent, events_among, mentions
from logstore.formats.group import Group, Sealer
from logstore.formats.leaf import leaf_hashes, parse
from logstore.formats.merkle import Frontier
from logstore.formats.pins import SUPPLEMENT, SupplementPin, supplements_among
from logstore.keys.keystore import KeyStore
from logstore.storage.wal import groups_from, read_wal, wal_files

_SUPPLEMENT_MARK = f'"kind":"{SUPPLEMENT}"'.encode()


class Tail:
    """Records behind the sealed part.

    Attributes:
        first: index of the first of them.
        leaves: their leaves.
        checkpoint: the newest signed checkpoint among them, or None when there are none.
        directory: folder of the write-ahead files.
    """

    def __init__(
        self, directory: Path, origin: str, sealed: Frontier, judge: Callable[[bytes], Checkpoint]
    ) -> None:
        self.first = sealed.size
        self.leaves: list[bytes] = []
        self.note = b""
        self.checkpoint: Checkpoint | None = None
        self.directory = directory
        self._origin = origin
        self._judge = judge
        self._frontier = sealed.copy()
        self._groups: list[tuple[int, Group]] = []  # (first index of the file, group)
        self._path: Path | None = None
        self._offset = 0
        self._supplements: list[SupplementPin] = []
        self._custody: list[CustodyEvent] = []
        self._searched = 0

    @property
    def end(self) -> int:
        """Index behind the last record."""
        return self.first + len(self.leaves)

    def refresh(self) -> bool:
        """Take what was appended; False when files went away, so the sealed part has grown.

        Raises:
            TamperingFound: leaves that their signed checkpoint does not cover.
        """
        files = [path for path in wal_files(self.directory) if int(path.stem) >= self.first]
        if self._path is not None and self._path not in files:
            return False
        try:
            for path in files:
                if self._path is None or path > self._path:
                    self._start(path)
                elif path == self._path:
                    self._more(path)
        except FileNotFoundError:
            return False
        return bool(files) or not self.directory.is_dir()

    def _start(self, path: Path) -> None:
        content = read_wal(path, self._origin)
        if content.first != self.end:
            raise TamperingFound(
                f"write-ahead file starts at record {content.first}, {self.end} is due"
            )
        self._path, self._offset = path, content.end
        self._take(content.groups, content.first)

    def _more(self, path: Path) -> None:
        groups, self._offset = groups_from(path, self._offset, self.end)
        self._take(groups, int(path.stem))

    def _take(self, groups: list[Group], wal_first: int) -> None:
        if not groups:
            return
        leaves = [leaf for group in groups for leaf in group.leaves]
        self._frontier.extend(leaf_hashes(leaves))
        head = self._judge(groups[-1].note)
        if (head.size, head.root) != (self._frontier.size, self._frontier.root()):
            raise TamperingFound(
                f"unsealed records up to {self._frontier.size} contradict their signed checkpoint"
            )
        self.leaves += leaves
        self._groups += [(wal_first, group) for group in groups]
        self.checkpoint, self.note = head, groups[-1].note

    def settle(self, disk: Disk) -> bool:
        """Make sure that these records are on disk, before anybody remembers them; says if so."""
        return self._path is None or settled(self._path, self._offset, disk)

    def supplements(self) -> list[SupplementPin]:
        """Supplements that these records pin, oldest first."""
        self._search()
        return self._supplements

    def custody(self) -> list[CustodyEvent]:
        """Holds and retention among these records, oldest first."""
        self._search()
        return self._custody

    def _search(self) -> None:
        for raw in self.leaves[self._searched :]:
            if _SUPPLEMENT_MARK in raw or mentions(raw):
                leaves = [parse(raw)]
                self._supplements += supplements_among(leaves)
                self._custody += events_among(leaves)
        self._searched = len(self.leaves)

    def bodies(
        self, first: int, end: int, keys: KeyStore, only: frozenset[int] | None = None
    ) -> dict[int, bytes]:
        """nonce32 || content of the records in a range that have bodies.

        Args:
            first: of the range.
            end: behind its last record.
            keys: opens them.
            only: open no group commit that holds none of these.
        """
        found: dict[int, bytes] = {}
        sealers: dict[int, Sealer] = {}
        for wal_first, group in self._groups:
            if group.first >= end or group.end <= first:
                continue
            if only is not None and only.isdisjoint(range(group.first, group.end)):
                continue
            if wal_first not in sealers:
                try:
                    key = _wal_key(keys, wal_first)
                except KeyUnavailable:
                    return found  # sealed and discarded meanwhile; the caller refreshes
                sealers[wal_first] = Sealer(self._origin, AESGCM(key))
            for offset, body in enumerate(sealers[wal_first].open(group)):
                if body is not None:
                    found[group.first + offset] = body
        return found


def _wal_key(keys: KeyStore, first: int) -> bytes:
    try:
        return keys.wal_keys.read(first)
    except KeyUnavailable:
        keys.catch_up()  # wrapped anew by whoever destroyed a key meanwhile
        return keys.wal_keys.read(first)


__all__ = ["CannotJudge", "Tail"]
