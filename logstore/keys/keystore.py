"""The key store: the only mutable secret of a log.

Rules:

1. One KEK wraps everything. It lies in one of two slot files, sealed by its holder; the slot with
   the highest readable generation whose journal exists is the one in force.
2. Keys are appended to ``journal-<generation>`` in encrypted pages, each flushed before any record
   that needs its keys is acknowledged.
3. Destroying keys writes the survivors into a new journal under a new KEK, puts that KEK into the
   *other* slot (this rename is the moment it happens), then overwrites the old slot and journal.
   Backups and old pages of the former generation are ciphertext under a key that is gone.
4. A destroyed identity leaves a keyed tombstone and is never given a fresh key silently.
5. The caller holds the log's writer lock while it calls anything that writes here. Readers hold
   none: opening and catching up only read, so they can not undo what a writer is doing, and look
   again when a new KEK came into force meanwhile.
6. A page that could not be flushed is cut off again (`journal`) and its keys are forgotten: a key
   is used only while it is on disk.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from logstore.disk import Disk
from logstore.errors import KeyDestroyed, KeyUnavailable, NotFound, TamperingFound, UsageError
from logstore.formats.note import Signer
from logstore.keys.entries import (
    KeyEntry,
    Tombstone,
    check_identity,
    identity_tag,
)
from logstore.keys.heads import RememberedHead
from logstore.keys.holders import KekHolder
from logstore.keys.journal import Journal, write_journal
from logstore.keys.ring import LOCAL, KeyRing
from logstore.keys.slots import Slots, holder_name, journal_path
from logstore.keys.walkeys import WalKeys

_NAME = re.compile(r"journal-(\d{8})")
_LOOKS = 10  # at a key store that changes under our eyes


class KeyStore:
    """Keys, identities and the signing key of one log; see the module text for its rules.

    Threads may share it: one that writes and any number that read.

    Attributes:
        path: its directory, mode 0700.
        holder: who seals the KEK.
        generation: generation of the KEK in force.
        head: the newest checkpoint this key store has seen the log sign.
        wal_keys: short-lived keys of the write-ahead log.
    """

    def __init__(self, path: Path, holder: KekHolder, disk: Disk) -> None:
        self.path = path
        self.holder = holder
        self.generation = 0
        self.head = RememberedHead(path / "head", disk)
        self._disk = disk
        self._slots = Slots(path, disk)
        self._seen = self._slots.signature()
        self._opened = (b"", b"")  # a sealed KEK and the KEK: opening one takes a tenth of a second
        self._journal: Journal | None = None
        self._pending: list[KeyEntry] = []
        self._ring = KeyRing()
        self._lock = threading.RLock()  # guards everything but look-ups in the ring
        self.wal_keys = WalKeys(path, disk, b"", 0)

    # -- life ---------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: Path, holder: KekHolder, *, origin: str, disk: Disk | None = None
    ) -> KeyStore:
        """Make a new key store with a fresh signing key for the log `origin`.

        Raises:
            UsageError: there is one already; it is never replaced.
        """
        store = cls(path, holder, disk or Disk())
        if store._slots.exist():
            raise UsageError(
                f"there is a key store at {path} already",
                kept="It was not touched.",
                todo="Open it, or choose another place with --keys.",
            )
        store._make(origin)
        return store

    @classmethod
    def open_or_create(
        cls, path: Path, holder: KekHolder, *, origin: str, disk: Disk | None = None
    ) -> KeyStore:
        """`create`, or continue a creation that crashed half-way.

        Raises:
            UsageError: there is a key store of another log.
        """
        store = cls(path, holder, disk or Disk())
        if not store._slots.exist():
            return cls.create(path, holder, origin=origin, disk=disk)
        store._load()
        if not store._ring.by_id:
            store._make_secrets(origin)
        if store.signer().verifier().name != origin:
            raise UsageError(f"the key store at {path} belongs to another log")
        return store

    def _make(self, origin: str) -> None:
        self._disk.make_directory(self.path, 0o700)
        kek = secrets.token_bytes(32)
        self._write_journal(1, kek, [])
        self._bring_into_force(1, kek)
        self._make_secrets(origin)

    def _make_secrets(self, origin: str) -> None:
        for name in (f"signer {origin}", "root"):
            self._issue(LOCAL, name, "")
        self.flush()

    @classmethod
    def open(cls, path: Path, holder: KekHolder, *, disk: Disk | None = None) -> KeyStore:
        """Open a key store; changes nothing on disk.

        Raises:
            NotFound: there is none.
            PassphraseWrong: the holder can not open it.
        """
        store = cls(path, holder, disk or Disk())
        store._load()
        return store

    def close(self) -> None:
        """Close files; keys already handed out stay usable by their callers."""
        with self._lock:
            self.head.close()
            self._close_journal()

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def catch_up(self) -> None:
        """Read what another process of this machine has added or destroyed since."""
        with self._lock:
            if self._journal is None or self._slots.signature() != self._seen:
                self._load()
            elif self._journal.grown:
                self._journal.read(self._ring.add)

    def tidy(self) -> None:
        """Finish a rotation that a crash interrupted: overwrite what is not in force.

        Only with the writer lock held: to anybody else a rotation under way looks the same.
        """
        with self._lock:
            journals = [self.path / name for name in self._other_journals()]
            if not (journals or self._slots.others(self.generation) or self.wal_keys.others()):
                return
            self._disk.sys_fsync_dir(self.path)  # the slot in force, before the other one is gone
            self._slots.shred_others(self.generation)
            for path in journals:
                self._disk.remove(path, shred=True)
            self.wal_keys.shred_others()
            self._seen = self._slots.signature()

    def _other_journals(self) -> list[str]:
        found = (_NAME.fullmatch(path.name) for path in sorted(self.path.glob("journal-*")))
        return [name[0] for name in found if name and int(name[1]) != self.generation]

    # -- keys ---------------------------------------------------------------------------------

    def obtain(self, scope: str, identity: str, month: str) -> KeyEntry:
        """The key of (scope, identity, month), made if it is new; new ones need `flush`.

        Raises:
            KeyDestroyed: this identity's keys were destroyed; it gets no fresh one.
            UsageError: the identity is not text.
        """
        ring = self._ring
        entry = ring.by_owner.get((scope, identity, month))
        if entry is not None:
            return entry
        check_identity(identity)
        if ring.mourns and ring.knows_tag(identity_tag(ring.root, scope, identity)):
            raise KeyDestroyed(
                "this record concerns a person whose keys were destroyed; it was not stored",
                kept="Everything stored before is unchanged.",
                todo="If the person is a new customer again, lift the erasure first.",
            )
        return self._issue(scope, identity, month)

    def key(self, key_id: str) -> KeyEntry:
        """A key by its id.

        Raises:
            KeyDestroyed: it was destroyed.
            KeyUnavailable: it was never here.
        """
        ring = self._ring
        entry = ring.by_id.get(key_id)
        if entry is not None:
            return entry
        if ring.was_destroyed(key_id):
            raise KeyDestroyed(f"key {key_id} was destroyed; its content is gone for good")
        raise KeyUnavailable(f"key {key_id} is not in this key store")

    def keys_of(self, identity: str) -> list[KeyEntry]:
        """Every key of a person, over all months."""
        return [e for e in self._ring.all() if e.scope == "subject" and e.identity == identity]

    def entries(self) -> Iterable[KeyEntry]:
        """Every key that belongs to a person, conversation or source."""
        return (entry for entry in self._ring.all() if entry.scope != LOCAL)

    def flush(self, at: int = 0) -> None:
        """Make new keys durable, for the group commit that will stand at index `at`.

        Raises:
            NotDurable: the disk refused; the keys are forgotten again.
        """
        with self._lock:
            if self._pending:
                self._store([msgspec.structs.replace(entry, at=at) for entry in self._pending])
                self._pending = []

    def unannounced(self, size: int) -> list[KeyEntry]:
        """Durable keys whose ``key.created`` record a log of `size` records does not hold.

        The next group commit must announce them. Those of a group that was lost together with
        the one before it were flushed for a later place; they are flushed again for this one.

        Raises:
            NotDurable: the disk refused.
        """
        with self._lock:
            late = [entry for entry in self._ring.unannounced(size) if entry.at > size]
            if late:
                self._store([msgspec.structs.replace(entry, at=size) for entry in late])
            return self._ring.unannounced(size)

    def _store(self, page: list[KeyEntry]) -> None:
        if self._journal is None:
            self.drop_pending()
            raise KeyUnavailable("the key store is closed")
        try:
            self._journal.append(page)
        except BaseException:
            self.drop_pending()
            self._close_journal()  # never flushed again through this descriptor
            raise
        for entry in page:
            self._ring.add(entry)

    def drop_pending(self) -> None:
        """Forget keys that were obtained but not flushed."""
        with self._lock:
            for entry in self._pending:
                self._ring.drop(entry)
            self._pending = []

    def destroy(self, key_ids: Iterable[str]) -> list[str]:
        """Destroy keys for good; returns the ids that were still here (rule 3)."""
        with self._lock:
            wanted = set(key_ids)
            if not wanted:
                return []
            self.flush()
            self.catch_up()
            ring = self._ring
            doomed = [ring.by_id[key_id] for key_id in wanted if key_id in ring.by_id]
            if not doomed:
                return []
            stones = [
                Tombstone(e.id, identity_tag(ring.root, e.scope, e.identity), e.month)
                for e in doomed
            ]
            living = [entry for entry in ring.all() if entry.id not in wanted]
            self._rotate([*living, *ring.tombstones, *stones])
            return [entry.id for entry in doomed]

    # -- the store's own secrets --------------------------------------------------------------

    def signer(self) -> Signer:
        """The log's signing key."""
        for entry in self._ring.all():
            if entry.scope == LOCAL and entry.identity.startswith("signer "):
                return Signer(entry.identity.removeprefix("signer "), entry.key)
        raise KeyUnavailable("the key store holds no signing key")

    def purpose_key(self, purpose: str) -> bytes:
        """A 32-byte key for one local purpose, e.g. ``workingcopy``; stable over KEK changes."""
        info = b"aircon/purpose/v1\0" + purpose.encode()
        return HKDFExpand(hashes.SHA256(), 32, info).derive(self._ring.root)

    # -- files --------------------------------------------------------------------------------

    def _issue(self, scope: str, identity: str, month: str) -> KeyEntry:
        entry = KeyEntry(secrets.token_hex(16), scope, identity, month, 0, secrets.token_bytes(32))
        self._ring.issue(entry)
        self._pending.append(entry)
        return entry

    def _load(self) -> None:
        with self._lock:
            for look in range(_LOOKS):
                seen = self._slots.signature()
                try:
                    self._read_journal()
                except (NotFound, FileNotFoundError, TamperingFound):
                    # A rotation overwrites and removes what was in force a moment ago.
                    if self._slots.signature() == seen or look == _LOOKS - 1:
                        raise
                    continue
                if self._slots.signature() == seen:
                    break
            self._seen = seen

    def _read_journal(self) -> None:
        generation, sealed = self._slots.in_force()
        if sealed != self._opened[0]:
            self._opened = (sealed, self.holder.open(sealed, generation))
        kek = self._opened[1]
        journal = Journal(journal_path(self.path, generation), generation, kek, self._disk)
        ring = KeyRing()
        try:
            journal.read(ring.add)
        except BaseException:
            journal.close()
            raise
        self._close_journal()
        self._journal, self.generation = journal, generation
        self._pending = []
        self._ring = ring
        self.wal_keys = WalKeys(self.path, self._disk, kek, generation)

    def _write_journal(
        self, generation: int, kek: bytes, items: list[KeyEntry | Tombstone]
    ) -> None:
        write_journal(journal_path(self.path, generation), generation, kek, items, self._disk)

    def _rotate(self, items: list[KeyEntry | Tombstone]) -> None:
        generation, kek = self.generation + 1, secrets.token_bytes(32)
        self.wal_keys.rewrap(kek, generation)
        self._write_journal(generation, kek, items)
        try:
            self._bring_into_force(generation, kek)
        except BaseException:
            self._close_journal()  # nobody knows which is in force: `catch_up` looks
            raise
        self.tidy()

    def _bring_into_force(self, generation: int, kek: bytes) -> None:
        sealed = self.holder.seal(kek, generation)
        self._opened = (sealed, kek)
        self._slots.write(generation, sealed, self.holder.name)
        self._load()


__all__ = ["KeyStore", "holder_name"]
