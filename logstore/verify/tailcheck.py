"""Checking unsealed records: leaves, the signed checkpoint of every group commit, and bodies."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from logstore.errors import AirconError, FormatError, KeyUnavailable
from logstore.formats.checkpoint import Checkpoint
from logstore.formats.group import Group, Sealer
from logstore.formats.leaf import Leaf, leaf_hash
from logstore.keys.keystore import KeyStore
from logstore.verify.bodyobject import fits
from logstore.verify.findings import Finding
from logstore.verify.runs import LeafRun
from logstore.verify.view import LogView
from logstore.verify.walscan import WalScan


class TailCheck:
    """Walks the write-ahead files of a view.

    Args:
        view: the log.
        sizes: tree sizes whose roots are wanted.
        keys: opens bodies; None when content is not to be opened.
        quick: only roots and signatures, no leaf is parsed.

    Attributes:
        run: what the leaves say.
        checkpoint: the newest signed checkpoint that holds, or None.
        note: that checkpoint as it was signed.
        opened: bodies decrypted and found to match.
        locked: bodies whose key is not at hand.
        findings: what is wrong.
    """

    def __init__(
        self, view: LogView, sizes: Iterable[int], keys: KeyStore | None, *, quick: bool
    ) -> None:
        self._view = view
        self._keys = keys
        self._quick = quick
        self.run = LeafRun(view.due, view.edge, "", sizes)
        self.checkpoint: Checkpoint | None = None
        self.note = b""
        self.opened = 0
        self.locked = 0
        self.findings: list[Finding] = []

    def check(self) -> None:
        """Check all there is, up to the first file that does not follow on."""
        for wal in self._view.wals:
            if wal.first != self.run.facts.end:
                break
            self.run.file = wal.key
            sealer = self._sealer(wal.first)
            for group in wal.groups:
                self._check_group(wal, group, sealer)
        for wal in self._view.leftovers:
            self._check_leftover(wal)
        self.findings += self.run.facts.findings

    def _check_group(self, wal: WalScan, group: Group, sealer: Sealer | None) -> None:
        if self._quick:
            self.run.hash_only(group.leaves)
        else:
            leaves = self.run.take(group.leaves)
            if leaves is not None and self._keys is not None:
                self._check_bodies(wal, group, leaves, sealer)
        self._check_note(wal, group)

    def _check_note(self, wal: WalScan, group: Group) -> None:
        try:
            head = self._view.trust.check(group.note)
        except AirconError as error:
            self._report("signature-wrong", error.what, wal, group)
            return
        edge = self.run.edge
        if edge is None:
            return
        if (head.origin, head.size, head.root) != (self._view.origin, edge.size, edge.root()):
            what = f"records up to {group.end} do not hash to the root signed with them"
            self._report("root-wrong", what, wal, group)
            return
        self.checkpoint, self.note = head, group.note

    def _sealer(self, first: int) -> Sealer | None:
        if self._keys is None or self._quick:
            return None
        try:
            return Sealer(self._view.origin, AESGCM(self._keys.wal_keys.read(first)))
        except (KeyUnavailable, OSError):
            return None  # sealed meanwhile, or another machine's key store

    def _check_bodies(
        self, wal: WalScan, group: Group, leaves: list[Leaf], sealer: Sealer | None
    ) -> None:
        due = sum(leaf.body is not None for leaf in leaves)
        if sealer is None:
            self.locked += due
            return
        try:
            bodies = sealer.open(group)
        except (KeyUnavailable, FormatError) as error:
            self._report("body-wrong", error.what, wal, group)
            return
        for leaf, body in zip(leaves, bodies, strict=True):
            if leaf.body is None and body is None:
                continue
            if leaf.body is None or body is None or not fits(body, leaf.body.commit, leaf.body.len):
                what = "content is not what its record commits to"
                self.findings.append(Finding("body-wrong", what, wal.key, leaf.index))
            else:
                self.opened += 1

    def _check_leftover(self, wal: WalScan) -> None:
        """A sealed file that waits to be removed must hold what was sealed."""
        segment = next((s for s in self._view.segments if s.pin.first == wal.first), None)
        if segment is None or segment.before is None:
            return
        edge = segment.before.copy()
        edge.extend([leaf_hash(leaf) for group in wal.groups for leaf in group.leaves])
        if wal.torn or edge.to_bytes() != segment.seal.frontier:
            what = "it does not hold the records that were sealed from it"
            last = segment.pin.last
            self.findings.append(Finding("wal-damaged", what, wal.key, wal.first, last))

    def _report(self, code: str, what: str, wal: WalScan, group: Group) -> None:
        self.findings.append(Finding(code, what, wal.key, group.first, group.end - 1))
