"""Cosigned checkpoints in the store: create-only objects beside what they cosign.

Rules:

1. An object is the signed checkpoint as it came back, with the log's line and the cosignatures of
   witnesses that the policy lists; its name says its size and the digest of its bytes.
2. Readers believe the log's own signature; what a quorum of witnesses has cosigned is a further
   state of the same records, said beside the answer and never mistaken for it.
3. A cosigned checkpoint counts only if it is of this very tree. One that is not, or that bears a
   false signature, is not counted here; `logstore.verify` names it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from logstore.disk import Disk
from logstore.errors import AirconError, CannotJudge, TamperingFound
from logstore.formats.cosigned import Cosigned, open_cosigned
from logstore.formats.policy import NO_QUORUM, Policy
from logstore.storage import layout
from logstore.storage.blobs import Blobs
from logstore.storage.lease import Lease
from logstore.storage.stores import open_blobs
from logstore.storage.treeproofs import TreeSource, root_at


@dataclass(frozen=True, slots=True)
class Witnessed:
    """How much of a log the policy's quorum of witnesses has cosigned.

    Attributes:
        size: records; 0 for none, and where the policy asks for no witness.
        note: the checkpoint with every cosignature at hand.
        times: when each witness cosigned it, seconds since 1970 UTC, by name in the policy.
    """

    size: int = 0
    note: bytes = b""
    times: dict[str, int] = field(default_factory=dict)


class CosignedLog(TreeSource, Protocol):
    """The log that cosigned checkpoints are checked against."""

    @property
    def store(self) -> Path:
        """The store's directory."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Where its objects are."""
        ...

    @property
    def origin(self) -> str:
        """The log's name."""
        ...

    @property
    def policy(self) -> Policy:
        """Whom the caller trusts."""
        ...

    @property
    def size(self) -> int:
        """Records readable."""
        ...

    @property
    def retained_until_us(self) -> int:
        """Until when its newest index object is kept, microseconds since 1970 UTC."""
        ...


class CosignedShelf:
    """The cosigned checkpoints of the log that a reader reads; remembers what it checked."""

    def __init__(self, reader: CosignedLog) -> None:
        self._reader = reader
        self._blobs = reader.blobs
        self._known: dict[str, Cosigned | None] = {}
        self._ours: set[str] = set()
        self._state: tuple[object, Witnessed] = (None, Witnessed())

    def witnessed(self) -> Witnessed:
        """The newest checkpoint of this tree that the quorum has cosigned."""
        policy = self._reader.policy
        if policy.quorum == NO_QUORUM:
            return Witnessed()
        keys = self._keys()
        state = (tuple(keys), self._reader.size)
        if self._state[0] != state:
            self._state = (state, self._newest(keys))
        return self._state[1]

    def newest_by(self, name: str) -> int:
        """Size of the newest checkpoint here that a witness, by its name in the policy, cosigned.

        What that witness saw last may be newer: it says so when it is asked.
        """
        sizes = (
            one.checkpoint.size
            for key in self._keys()
            if (one := self._open(key)) is not None and name in one.witnesses
        )
        return max(sizes, default=0)

    def add(self, note: bytes, *, protect: bool = True) -> tuple[str, Cosigned]:
        """Store a checkpoint that came back from witnesses, once it is checked.

        Returns:
            The object's name, and what it says; lines of witnesses the policy does not list are
            left out.

        Raises:
            FormatError: not a signed checkpoint.
            TamperingFound: a signature is false, or this log is not the one that was cosigned.
            CannotJudge: it is another log's, or no witness of the policy cosigned it.
        """
        one = open_cosigned(note, self._reader.policy)
        self._check(one)
        data = one.encode()
        key = layout.cosigned_object(self._reader.origin, one.checkpoint.size, data)
        store = self._reader.store
        disk = Disk(immutable=protect)
        # Temporary files of a store are swept by whoever opens it for writing, under this lock.
        lock = store / layout.wal_directory(self._reader.origin) / "writer.lock"
        lease = Lease(lock, lambda: None)
        lease.enter()
        try:
            staged = disk.stage(store / "cosigned", data)
            until = self._reader.retained_until_us
            open_blobs(store, disk, protect=protect).publish(key, staged, until)
        finally:
            lease.leave()
        return key, one

    def _check(self, one: Cosigned) -> None:
        reader, head = self._reader, one.checkpoint
        if one.wrong:
            raise TamperingFound(
                f"the cosignature that bears the name of {', '.join(one.wrong)} is not theirs",
                kept="Nothing was stored.",
                todo="Ask the witness itself for its answer.",
            )
        if head.origin != reader.origin:
            raise CannotJudge(f"this is a checkpoint of {head.origin}, not of {reader.origin}")
        if head.size > reader.size or root_at(reader, head.size) != head.root:
            raise TamperingFound(
                f"the witnesses cosigned another history: {head.size} records with another root"
                if head.size <= reader.size
                else f"the witnesses cosigned {head.size} records; this store holds {reader.size}",
                kept="Nothing was stored.",
                todo="Keep that file and a copy of this store as evidence, then run"
                " `aircon verify`.",
            )
        if not one.witnesses:
            raise CannotJudge(
                "no witness that the policy lists has cosigned this checkpoint",
                kept="Nothing was stored.",
                todo="Add the witness's key to the policy, after checking where it came from.",
            )

    def _keys(self) -> list[str]:
        """Names of all cosigned checkpoints, the largest tree first."""
        found = self._blobs.keys(layout.cosigned_prefix(self._reader.origin))
        sized = [(size, key) for key in found if (size := layout.cosigned_size(key)) is not None]
        return [key for _, key in sorted(sized, reverse=True)]

    def _newest(self, keys: list[str]) -> Witnessed:
        gathered: dict[str, Cosigned] = {}
        for key in keys:
            one = self._open(key)
            if one is None or one.checkpoint.size > self._reader.size:
                continue
            text = one.checkpoint.text()
            whole = gathered[text] = gathered[text].joined(one) if text in gathered else one
            if self._reader.policy.reached(whole.witnesses) and self._is_ours(whole):
                return self._complete(whole, keys)
        return Witnessed()

    def _complete(self, whole: Cosigned, keys: list[str]) -> Witnessed:
        size = whole.checkpoint.size
        for key in keys:
            if layout.cosigned_size(key) == size and (one := self._open(key)) is not None:
                whole = whole.joined(one) if one.checkpoint == whole.checkpoint else whole
        return Witnessed(size, whole.encode(), whole.times)

    def _is_ours(self, one: Cosigned) -> bool:
        """Whether it is of this tree, which only grows: what was found so once stays so."""
        text = one.checkpoint.text()
        if text not in self._ours and root_at(self._reader, one.checkpoint.size) == (
            one.checkpoint.root
        ):
            self._ours.add(text)
        return text in self._ours

    def _open(self, key: str) -> Cosigned | None:
        if key not in self._known:
            self._known[key] = None
            with contextlib.suppress(AirconError, OSError):
                self._known[key] = next(self._readings(key), None)
        return self._known[key]

    def _readings(self, key: str) -> Iterator[Cosigned]:
        """What bears a name and holds: others may have put something there before."""
        for data in itertools.chain([self._blobs.read(key)], self._blobs.readings(key)):
            with contextlib.suppress(AirconError):
                one = open_cosigned(data, self._reader.policy)
                head, origin = one.checkpoint, self._reader.origin
                if head.origin == origin and key == layout.cosigned_object(origin, head.size, data):
                    yield one
