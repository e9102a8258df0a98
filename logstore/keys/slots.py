"""The slot files: which KEK is in force, sealed by its holder.

Two names are written in turn, so that the rename of a new slot is the moment a new KEK comes into
force; the slot with the highest readable generation whose journal exists is the one.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

from logstore.disk import Disk
from logstore.errors import NotFound

NAMES = ("slot-a", "slot-b")
_FORMAT = "aircon-kek/1"

Signature = tuple[tuple[int, ...] | None, ...]
"""Changes whenever a slot file was replaced or removed."""


class Slots:
    """The two slot files of a key store."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def exist(self) -> bool:
        """Whether there is any slot file, readable or not."""
        return any((self._path / name).exists() for name in NAMES)

    def signature(self) -> Signature:
        """What to compare, to learn whether another process brought a new KEK into force."""
        return tuple(_identity(self._path / name) for name in NAMES)

    def in_force(self) -> tuple[int, bytes]:
        """(generation, sealed KEK) in force.

        Raises:
            NotFound: there is none.
        """
        slots = []
        for name in NAMES:
            slot = _read(self._path / name)
            if slot is not None and journal_path(self._path, slot[0]).exists():
                slots.append(slot)
        if not slots:
            raise NotFound(
                f"there is no key store at {self._path}",
                todo="Give its place with --keys, or create a store with `aircon init`.",
            )
        return max(slots)

    def write(self, generation: int, sealed: bytes, holder: str) -> None:
        """Bring a KEK into force."""
        fields = {
            "format": _FORMAT,
            "holder": holder,
            "generation": generation,
            "sealed": b64encode(sealed).decode(),
        }
        slot = self._path / NAMES[generation % 2]
        self._disk.replace(slot, json.dumps(fields, indent=1).encode() + b"\n")

    def others(self, generation: int) -> list[Path]:
        """Slots of other generations than the one in force."""
        found = ((self._path / name, _read(self._path / name)) for name in NAMES)
        return [path for path, slot in found if slot is not None and slot[0] != generation]

    def shred_others(self, generation: int) -> None:
        """Overwrite and remove slots of other generations than the one in force."""
        for path in self.others(generation):
            self._disk.remove(path, shred=True)


def journal_path(path: Path, generation: int) -> Path:
    """The journal of a generation."""
    return path / f"journal-{generation:08d}"


def holder_name(path: Path) -> str | None:
    """Which kind of holder seals the KEK of a key store (``passphrase``, ``none``), or None."""
    for name in NAMES:
        try:
            fields = json.loads((path / name).read_bytes())
            return str(fields["holder"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _read(path: Path) -> tuple[int, bytes] | None:
    try:
        fields = json.loads(path.read_bytes())
        if fields["format"] != _FORMAT:
            return None
        return int(fields["generation"]), b64decode(fields["sealed"], validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
