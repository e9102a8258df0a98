"""Keys of the write-ahead log: one per file, wrapped by the KEK, destroyed after sealing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from logstore.disk import AlreadyThere, Disk
from logstore.errors import KeyUnavailable

_NAME = re.compile(r"wal-(\d{12})\.(\d{8})\.key")


class WalKeys:
    """The wrapped WAL keys beside a key store's journal."""

    def __init__(self, path: Path, disk: Disk, kek: bytes, generation: int) -> None:
        self._path = path
        self._disk = disk
        self._kek = kek
        self._generation = generation

    def create(self, first: int) -> bytes:
        """A fresh key for the WAL file that starts at record `first`; an existing one is kept."""
        key = os.urandom(32)
        try:
            self._disk.create(
                self._file(first, self._generation), self._wrap(key, first), mode=0o600
            )
        except AlreadyThere:
            return self.read(first)
        return key

    def read(self, first: int) -> bytes:
        """The key of a WAL file.

        Raises:
            KeyUnavailable: it is not here, or not wrapped by this key store.
        """
        try:
            sealed = self._file(first, self._generation).read_bytes()
            return AESGCM(self._kek).decrypt(sealed[:12], sealed[12:], _bind(first))
        except (FileNotFoundError, InvalidTag):
            raise KeyUnavailable(
                f"the key of the write-ahead log from record {first} is not in this key store",
                todo="Open the log with the key store that wrote it.",
            ) from None

    def drop(self, first: int) -> None:
        """Destroy the key of a sealed WAL file; a missing one is fine."""
        self._disk.remove(self._file(first, self._generation), shred=True)

    def keep_only(self, firsts: set[int]) -> None:
        """Destroy the keys of WAL files that do not exist (a crash between the two)."""
        for first in set(self._firsts()) - firsts:
            self.drop(first)

    def rewrap(self, kek: bytes, generation: int) -> None:
        """Write every key again under the next KEK; the old files stay until it is in force."""
        for first in self._firsts():
            key = self.read(first)
            twin = WalKeys(self._path, self._disk, kek, generation)
            self._disk.replace(self._file(first, generation), twin._wrap(key, first))

    def others(self) -> list[Path]:
        """Wrapped keys that belong to another KEK."""
        found = (
            (path, _NAME.fullmatch(path.name)) for path in sorted(self._path.glob("wal-*.key"))
        )
        return [path for path, name in found if name and int(name[2]) != self._generation]

    def shred_others(self) -> None:
        """Destroy wrapped keys that belong to another KEK."""
        for path in self.others():
            self._disk.remove(path, shred=True)

    def _firsts(self) -> list[int]:
        found = (_NAME.fullmatch(path.name) for path in sorted(self._path.glob("wal-*.key")))
        return [int(f[1]) for f in found if f and int(f[2]) == self._generation]

    def _file(self, first: int, generation: int) -> Path:
        return self._path / f"wal-{first:012d}.{generation:08d}.key"

    def _wrap(self, key: bytes, first: int) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCM(self._kek).encrypt(nonce, key, _bind(first))


def _bind(first: int) -> bytes:
    return b"aircon/wal-key/v1\0" + first.to_bytes(8, "big")
