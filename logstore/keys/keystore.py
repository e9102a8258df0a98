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
5. The caller holds the log's writer lock while it calls anything that writes here.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from logstore.disk import Disk, durable
from logstore.errors import KeyDestroyed, KeyUnavailable, NotFound, TamperingFound, UsageError
from logstore.formats import frame
from logstore.formats.note import Signer
from logstore.keys.entries import KeyEntry, Tombstone, identity_tag, open_page, seal_page
from logstore.keys.heads import RememberedHead
from logstore.keys.holders import KekHolder
from logstore.keys.walkeys import WalKeys

_SLOTS = ("slot-a", "slot-b")
_FORMAT = "aircon-kek/1"
_LOCAL = "local"
_NAME = re.compile(r"journal-(\d{8})")


class KeyStore:
    """Keys, identities and the signing key of one log; see the module text for its rules.

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
        self._kek = b""
        self._journal: int | None = None
        self._offset = 0
        self._pending: list[KeyEntry | Tombstone] = []
        self._forget()
        self.wal_keys = WalKeys(path, disk, self._kek, 0)

    # -- life ---------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: Path, holder: KekHolder, *, origin: str, disk: Disk | None = None
    ) -> KeyStore:
        """Make a new key store with a fresh signing key for the log `origin`.

        Raises:
            UsageError: there is one already; it is never replaced.
        """
        if any((path / slot).exists() for slot in _SLOTS):
            raise UsageError(
                f"there is a key store at {path} already",
                kept="It was not touched.",
                todo="Open it, or choose another place with --keys.",
            )
        store = cls(path, holder, disk or Disk())
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
        if not any((path / slot).exists() for slot in _SLOTS):
            return cls.create(path, holder, origin=origin, disk=disk)
        store = cls(path, holder, disk or Disk())
        store._load()
        if not store._by_id:
            store._make_secrets(origin)
        if store.signer().verifier().name != origin:
            raise UsageError(f"the key store at {path} belongs to another log")
        return store

    def _make(self, origin: str) -> None:
        self._disk.make_directory(self.path, 0o700)
        self._kek = secrets.token_bytes(32)
        self._write_journal(1, [])
        self._write_slot(1, self._kek)
        self._load()
        self._make_secrets(origin)

    def _make_secrets(self, origin: str) -> None:
        for name in (f"signer {origin}", "root"):
            self._issue(_LOCAL, name, "")
        self.flush()

    @classmethod
    def open(cls, path: Path, holder: KekHolder, *, disk: Disk | None = None) -> KeyStore:
        """Open a key store.

        Raises:
            NotFound: there is none.
            PassphraseWrong: the holder can not open it.
        """
        store = cls(path, holder, disk or Disk())
        store._load()
        return store

    def close(self) -> None:
        """Close files; keys already handed out stay usable by their callers."""
        self.head.close()
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def catch_up(self) -> None:
        """Read what another process of this machine has added or destroyed since."""
        if self._journal is None or os.fstat(self._journal).st_nlink == 0:
            self._load()
        elif os.fstat(self._journal).st_size != self._offset:
            self._read_pages()

    # -- keys ---------------------------------------------------------------------------------

    def obtain(self, scope: str, identity: str, month: str) -> KeyEntry:
        """The key of (scope, identity, month), made if it is new; new ones need `flush`.

        Raises:
            KeyDestroyed: this identity's keys were destroyed; it gets no fresh one.
        """
        entry = self._by_owner.get((scope, identity, month))
        if entry is not None:
            return entry
        if self._tags and identity_tag(self._root, scope, identity) in self._tags:
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
        entry = self._by_id.get(key_id)
        if entry is not None:
            return entry
        if key_id in self._destroyed:
            raise KeyDestroyed(f"key {key_id} was destroyed; its content is gone for good")
        raise KeyUnavailable(f"key {key_id} is not in this key store")

    def keys_of(self, identity: str) -> list[KeyEntry]:
        """Every key of a person, over all months."""
        return [e for e in self._by_id.values() if e.scope == "subject" and e.identity == identity]

    def entries(self) -> Iterable[KeyEntry]:
        """Every key that belongs to a person, conversation or source."""
        return (entry for entry in self._by_id.values() if entry.scope != _LOCAL)

    def flush(self) -> list[KeyEntry]:
        """Make new keys durable; returns them, oldest first.

        Raises:
            NotDurable: the disk refused; the keys must not be used.
        """
        if not self._pending:
            return []
        page, self._pending = self._pending, []
        if self._journal is None:
            raise KeyUnavailable("the key store is closed")
        sealed = seal_page(self._kek, page, os.urandom(12), self._place(self._offset))
        with durable("store new keys"):
            if os.fstat(self._journal).st_size > self._offset:  # a torn page of a crash
                self._disk.sys_truncate(self._journal, self._offset)
            data = frame.encode(frame.KEY_PAGE, sealed)
            end = self._disk.write_all(self._journal, data, self._offset)
            self._disk.sys_fdatasync(self._journal)
        self._offset = end
        return [item for item in page if isinstance(item, KeyEntry)]

    def drop_pending(self) -> None:
        """Forget keys that were obtained but not flushed."""
        for item in self._pending:
            if isinstance(item, KeyEntry):
                self._by_id.pop(item.id, None)
                self._by_owner.pop((item.scope, item.identity, item.month), None)
        self._pending = []

    def destroy(self, key_ids: Iterable[str]) -> list[str]:
        """Destroy keys for good; returns the ids that were still here (rule 3)."""
        doomed = [self._by_id[key_id] for key_id in set(key_ids) if key_id in self._by_id]
        if not doomed:
            return []
        self.flush()
        for entry in doomed:
            tag = identity_tag(self._root, entry.scope, entry.identity)
            self._tombstones.append(Tombstone(entry.id, tag, entry.month))
            del self._by_id[entry.id]
        self._rotate([*self._by_id.values(), *self._tombstones])
        return [entry.id for entry in doomed]

    # -- the store's own secrets --------------------------------------------------------------

    def signer(self) -> Signer:
        """The log's signing key."""
        for entry in self._by_id.values():
            if entry.scope == _LOCAL and entry.identity.startswith("signer "):
                return Signer(entry.identity.removeprefix("signer "), entry.key)
        raise KeyUnavailable("the key store holds no signing key")

    def purpose_key(self, purpose: str) -> bytes:
        """A 32-byte key for one local purpose, e.g. ``workingcopy``; stable over KEK changes."""
        info = b"aircon/purpose/v1\0" + purpose.encode()
        return HKDFExpand(hashes.SHA256(), 32, info).derive(self._root)

    # -- files --------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._by_id: dict[str, KeyEntry] = {}
        self._by_owner: dict[tuple[str, str, str], KeyEntry] = {}
        self._tombstones: list[Tombstone] = []
        self._destroyed: set[str] = set()
        self._tags: set[bytes] = set()
        self._root = b""

    def _issue(self, scope: str, identity: str, month: str) -> KeyEntry:
        entry = KeyEntry(secrets.token_hex(16), scope, identity, month, 0, secrets.token_bytes(32))
        self._remember(entry)
        self._pending.append(entry)
        return entry

    def _remember(self, item: KeyEntry | Tombstone) -> None:
        if isinstance(item, Tombstone):
            self._tombstones.append(item)
            self._destroyed.add(item.id)
            self._tags.add(item.tag)
            return
        self._by_id[item.id] = item
        self._by_owner[(item.scope, item.identity, item.month)] = item
        if item.scope == _LOCAL and item.identity == "root":
            self._root = item.key

    def _load(self) -> None:
        generation, sealed = self._slot_in_force()
        if generation != self.generation or not self._kek:
            self._kek = self.holder.open(sealed, generation)
        self.generation = generation
        if self._journal is not None:
            os.close(self._journal)
        self._journal = os.open(self._journal_path(generation), os.O_RDWR)
        self._offset = 0
        self._pending = []
        self._forget()
        self._read_pages()
        self.wal_keys = WalKeys(self.path, self._disk, self._kek, generation)
        self._shred_leftovers()

    def _read_pages(self) -> None:
        if self._journal is None:
            return
        size = os.fstat(self._journal).st_size
        data = os.pread(self._journal, size - self._offset, self._offset)
        base = self._offset
        for page in frame.scan(data):
            place = self._place(base + page.start)
            for item in open_page(self._kek, bytes(page.payload), place):
                self._remember(item)
            self._offset = base + page.end
        damage = frame.resumes_after(data, self._offset - base)
        if damage is not None:
            raise TamperingFound(
                f"the key journal is damaged at byte {self._offset}, with whole pages behind it",
                todo="Restore the key store from a backup; the log itself is not affected.",
            )

    def _place(self, offset: int) -> bytes:
        return b"aircon/keys/v1\0" + self.generation.to_bytes(8, "big") + offset.to_bytes(8, "big")

    def _journal_path(self, generation: int) -> Path:
        return self.path / f"journal-{generation:08d}"

    def _slot_in_force(self) -> tuple[int, bytes]:
        slots = []
        for name in _SLOTS:
            slot = _read_slot(self.path / name)
            if slot is not None and self._journal_path(slot[0]).exists():
                slots.append(slot)
        if not slots:
            raise NotFound(
                f"there is no key store at {self.path}",
                todo="Give its place with --keys, or create a store with `aircon init`.",
            )
        return max(slots)

    def _write_slot(self, generation: int, kek: bytes) -> None:
        fields = {
            "format": _FORMAT,
            "holder": self.holder.name,
            "generation": generation,
            "sealed": b64encode(self.holder.seal(kek, generation)).decode(),
        }
        slot = self.path / _SLOTS[generation % 2]
        self._disk.replace(slot, json.dumps(fields, indent=1).encode() + b"\n")

    def _write_journal(self, generation: int, items: list[KeyEntry | Tombstone]) -> None:
        self.generation = generation
        data = b""
        for start in range(0, len(items), 4096):
            page = items[start : start + 4096]
            sealed = seal_page(self._kek, page, os.urandom(12), self._place(len(data)))
            data += frame.encode(frame.KEY_PAGE, sealed)
        self._disk.replace(self._journal_path(generation), data)

    def _rotate(self, items: list[KeyEntry | Tombstone]) -> None:
        generation, old_kek = self.generation, self._kek
        self._kek = secrets.token_bytes(32)
        try:
            self.wal_keys.rewrap(self._kek, generation + 1)
            self._write_journal(generation + 1, items)
            self._write_slot(generation + 1, self._kek)
        except BaseException:
            self.generation, self._kek = generation, old_kek
            raise
        self._load()

    def _shred_leftovers(self) -> None:
        """Finish a rotation: overwrite slots, journals and WAL keys of other generations."""
        for name in _SLOTS:
            slot = _read_slot(self.path / name)
            if slot is not None and slot[0] != self.generation:
                self._disk.remove(self.path / name, shred=True)
        for path in sorted(self.path.glob("journal-*")):
            found = _NAME.fullmatch(path.name)
            if found and int(found[1]) != self.generation:
                self._disk.remove(path, shred=True)
        self.wal_keys.shred_other_generations()


def _read_slot(path: Path) -> tuple[int, bytes] | None:
    try:
        fields = json.loads(path.read_bytes())
        if fields["format"] != _FORMAT:
            return None
        return int(fields["generation"]), b64decode(fields["sealed"], validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def holder_name(path: Path) -> str | None:
    """Which kind of holder seals the KEK of a key store (``passphrase``, ``none``), or None."""
    for name in _SLOTS:
        try:
            fields = json.loads((path / name).read_bytes())
            return str(fields["holder"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
