"""A witness's folder: its key, and the newest checkpoint it cosigned of every log.

    witness.json   name, public key, sealed secret; written once
    memory.json    origin -> the checkpoint as it was cosigned; replaced before any answer is given
    lock           held from the look into the memory until it is replaced

Rules:

1. Nothing is answered before it is remembered on disk (C2SP tlog-witness: check and persist are
   one step). A crash in between costs a request, never a promise.
2. A witness without its memory is no witness: a missing or changed memory is refused, never begun
   anew. An older copy of the whole folder can not be told from the truth; keep it away from
   whoever keeps the log, and do not restore it from a backup.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from logstore.disk import AlreadyThere, Disk, lock_file, read_plain
from logstore.errors import AirconError, NotFound, TamperingFound, UsageError
from logstore.formats.addcheckpoint import parse_add_checkpoint
from logstore.formats.checkpoint import Checkpoint, peek_checkpoint
from logstore.formats.cosignature import Ed25519Cosigner
from logstore.formats.note import Verifier, add_signature, open_note, parse_note, parse_vkey
from logstore.formats.policy import Policy
from logstore.keys.holders import KekHolder
from logstore.witness.decision import decide

_FORMAT = "aircon-witness/1"
_MEMORY_FORMAT = "aircon-witness-memory/1"
_MOST = 2**26
_PLACE = 0  # generation that the holder binds in; those of KEKs start at 1


class _Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    vkey: str
    holder: str
    sealed: bytes


class _Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    logs: dict[str, str]


_T = TypeVar("_T", _Identity, _Memory)


class WitnessBook:
    """A witness's folder.

    Attributes:
        path: the folder.
        holder: name of the kind of holder that seals the key (``passphrase``, ``none``).
        verifier: the public key.
    """

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        """Open the folder without its key.

        Raises:
            NotFound: there is no witness.
            TamperingFound: its file is not one.
        """
        self.path = path
        self._disk = disk or Disk()
        try:
            data = read_plain(path / "witness.json", _MOST)
        except FileNotFoundError:
            raise NotFound(
                f"there is no witness at {path}", todo="Make one with `aircon witness init`."
            ) from None
        self._identity = _decoded(data, _Identity, _FORMAT, "witness.json")
        self.holder = self._identity.holder
        self.verifier: Verifier = parse_vkey(self._identity.vkey)

    @classmethod
    def create(
        cls, path: Path, name: str, holder: KekHolder, *, disk: Disk | None = None
    ) -> WitnessBook:
        """Make a witness with a fresh Ed25519 key.

        Args:
            path: its new folder, mode 0700.
            name: key name, a URL without its scheme.
            holder: seals the key.
            disk: how files are written.

        Raises:
            UsageError: there is one already; it is never replaced.
            FormatError: not a key name.
        """
        disk = disk or Disk()
        seed = secrets.token_bytes(32)
        vkey = Ed25519Cosigner(name, seed).verifier().vkey()
        disk.make_directory(path, 0o700)
        identity = _Identity(_FORMAT, vkey, holder.name, holder.seal(seed, _PLACE))
        try:
            with contextlib.suppress(AlreadyThere):  # a crash came between the two files
                disk.create(path / "memory.json", _BLANK, mode=0o600)
            disk.create(path / "witness.json", _encoded(identity), mode=0o600)
        except AlreadyThere:
            raise UsageError(
                f"there is a witness at {path} already",
                kept="It was not touched.",
                todo="Use it, or choose another folder.",
            ) from None
        return cls(path, disk)

    def newest(self, origin: str) -> Checkpoint | None:
        """The newest checkpoint of a log that this witness cosigned.

        Raises:
            TamperingFound: the memory is gone or was changed.
        """
        note = self._memory().logs.get(origin)
        if note is None:
            return None
        try:
            open_note(note.encode(), [self.verifier])
            checkpoint = peek_checkpoint(note.encode())
        except AirconError as error:
            raise _changed(error.what) from None
        if checkpoint.origin != origin:
            raise _changed(f"it holds {checkpoint.origin} in the place of {origin}")
        return checkpoint

    def cosign(self, request: bytes, policy: Policy, holder: KekHolder, now_s: int) -> bytes:
        """Cosign what a log asks, if it extends what was cosigned before.

        Args:
            request: C2SP tlog-witness request.
            policy: which logs to believe.
            holder: opens the key.
            now_s: seconds since 1970 UTC.

        Returns:
            The checkpoint with the log's lines and this witness's.

        Raises:
            NotDurable: it could not be remembered, so nothing was signed for anybody.
            AirconError: as `decide` says; nothing was signed.
        """
        asked = parse_add_checkpoint(request)
        origin = peek_checkpoint(asked.checkpoint).origin
        cosigner = Ed25519Cosigner(self.verifier.name, holder.open(self._identity.sealed, _PLACE))
        if cosigner.verifier() != self.verifier:
            raise _changed("the key in witness.json is not the one it names")
        with self._alone():
            fresh = decide(asked, self.newest(origin), policy)
            line = cosigner.cosign(fresh.text(), now_s)
            note = add_signature(_without(asked.checkpoint, self.verifier), line)
            logs = {**self._memory().logs, origin: note.decode()}
            memory = _encoded(_Memory(_MEMORY_FORMAT, dict(sorted(logs.items()))))
            self._disk.replace(self.path / "memory.json", memory)
        return note

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = lock_file(self.path / "lock", wait=True)
        assert lock is not None
        try:
            yield
        finally:
            os.close(lock)

    def _memory(self) -> _Memory:
        try:
            data = read_plain(self.path / "memory.json", _MOST)
        except FileNotFoundError:
            raise _changed("it is gone") from None
        return _decoded(data, _Memory, _MEMORY_FORMAT, "memory.json")


def _without(note: bytes, verifier: Verifier) -> bytes:
    """The note without lines that an earlier request may have brought under this name."""
    parsed = parse_note(note)
    lines = tuple(
        line
        for line in parsed.signatures
        if (line.name, line.key_id) != (verifier.name, verifier.key_id)
    )
    return replace(parsed, signatures=lines).encode()


def _encoded(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


_BLANK = _encoded(_Memory(_MEMORY_FORMAT, {}))


def _decoded(data: bytes, kind: type[_T], form: str, name: str) -> _T:
    try:
        value = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _changed(f"{name} can not be read: {error}") from None
    if value.format != form:
        raise _changed(f"{name} has another format")
    return value


def _changed(what: str) -> TamperingFound:
    return TamperingFound(
        f"the witness can not trust its own memory: {what}",
        kept="Nothing was signed.",
        todo="A witness that forgot what it vouched for is worth nothing: make a new one under a"
        " new name, and tell whoever lists the old one in a policy.",
    )
