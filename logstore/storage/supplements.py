"""Supplements: content of earlier records again, under other keys, in a body object of its own.

Keys are destroyed whole. Records that share a key with what has to go, and must stay readable, are
put under other keys first: record, commitment and tree stay as they are, only the ciphertext is
new. A supplement is made in the order of sealing:

    keys on the log -> stage the object -> pin on the log -> publish -> discard staging

The pin is the intent, and decides after a crash: a staged supplement that the log pins is
published if it has the pinned bytes, anything else is discarded. Whoever makes, settles or seals
holds the seal lock, so what lies staged while it is held was left by a crash; and as sealing
settles first, such a pin is always among the unsealed.

A supplement is kept as long as the body object of a segment that ends with its newest record
would be: making survivors readable again does not prolong how long they are kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logstore.disk import Disk, read_plain
from logstore.errors import TamperingFound, UsageError
from logstore.formats.blocks import BlockContext
from logstore.formats.group import Content
from logstore.formats.leaf import Leaf, parse
from logstore.formats.pins import MAX_SPAN, SUPPLEMENT, SupplementPin, to_clear
from logstore.formats.record import Record, Refusal, Scope
from logstore.keys.keystore import KeyStore
from logstore.storage import layout
from logstore.storage.blobs import Blobs
from logstore.storage.bodies import Unreadable, check
from logstore.storage.clock import Clock
from logstore.storage.commits import Committer
from logstore.storage.logfile import DAY_US
from logstore.storage.segment import block_object, pin_bytes

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader
    from logstore.storage.sealing import SealingContext

_OBJECT = "body"
_PORTION = 16_384  # leaves read at a time: a row group of an index object


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose key a survivor goes under.

    Attributes:
        scope: what the key belongs to.
        identity: raw identity, as in `KeyStore.obtain`.
        month: ``YYYY-MM``, usually that of the record's event.
    """

    scope: Scope
    identity: str
    month: str


@dataclass(frozen=True, slots=True)
class Survivor:
    """One record whose content is to stay readable.

    Attributes:
        index: its position.
        body: nonce32 || content, as `LogReader.disclosures` gives them.
        owners: whose keys will all be needed to open it; at least one.
    """

    index: int
    body: bytes
    owners: tuple[Owner, ...]


class SupplementMaker:
    """Makes the supplements of one log; its owner holds the seal lock around every call."""

    def __init__(
        self, context: SealingContext, keys: KeyStore, blobs: Blobs, disk: Disk, clock: Clock
    ) -> None:
        self._context = context
        self._keys = keys
        self._blobs = blobs
        self._disk = disk
        self._clock = clock

    def make(
        self, survivors: Iterable[Survivor], reader: LogReader, committer: Committer
    ) -> SupplementPin:
        """See `Log.supplement`."""
        chosen = sorted(survivors, key=lambda survivor: survivor.index)
        newest_us = self._checked(chosen, reader)
        ids = self._announced(chosen, committer)
        pin = self._stage(chosen, ids, newest_us)
        outcome = committer.commit([Record(SUPPLEMENT, "aircon", clear=to_clear(pin))])[0]
        if isinstance(outcome, Refusal):
            raise outcome.error
        if not self._publish(pin):
            raise TamperingFound(
                "somebody changed a supplement while it was being made",
                kept="The content can still be read with the keys it had before.",
                todo="Find out who else writes into the store, then try again.",
            )
        self._discard(self._folder(pin))
        return pin

    def settle(self, pinned: Sequence[SupplementPin]) -> None:
        """Finish or undo what a crash left.

        Args:
            pinned: supplements that unsealed records pin.
        """
        known = {self._folder(pin): pin for pin in pinned}
        for folder in sorted(self._context.staging.glob("sup-*")):
            if folder.is_symlink() or not folder.is_dir():
                self._disk.remove(folder)
                continue
            pin = known.get(folder)
            if pin is not None:
                self._publish(pin)
            self._discard(folder)

    def left(self) -> bool:
        """Whether anything lies staged."""
        return any(self._context.staging.glob("sup-*"))

    # -- steps --------------------------------------------------------------------------------

    def _checked(self, chosen: Sequence[Survivor], reader: LogReader) -> int:
        """When the newest of the records was taken, once each is what its record commits to."""
        if not chosen:
            raise UsageError("a supplement of no record at all")
        first, last = chosen[0].index, chosen[-1].index
        if first < 0 or last >= reader.size or last - first >= MAX_SPAN:
            raise UsageError(f"records {first}-{last} can not stand in one supplement of this log")
        newest = before = -1
        leaves = _leaves(chosen, reader)
        for survivor in chosen:
            leaf = leaves[survivor.index]
            if survivor.index == before or not survivor.owners:
                raise UsageError(f"record {survivor.index} is named twice, or without an owner")
            if isinstance(check(leaf, survivor.body), Unreadable):
                raise UsageError(
                    f"what was given for record {survivor.index} is not its content",
                    kept="Nothing was written.",
                )
            before, newest = survivor.index, max(newest, leaf.recorded_us)
        return newest

    def _announced(
        self, chosen: Sequence[Survivor], committer: Committer
    ) -> dict[tuple[Owner, ...], tuple[str, ...]]:
        """Key ids of every set of owners; new keys are durable and on the log afterwards."""
        found: dict[tuple[Owner, ...], tuple[str, ...]] = {}
        with committer:
            try:
                for survivor in chosen:
                    if survivor.owners not in found:
                        found[survivor.owners] = self._ids(survivor.owners)
            except BaseException:
                self._keys.drop_pending()
                raise
            job, _ = committer.encode([])
            committer.flush(job)
        job.outcomes()
        return found

    def _ids(self, owners: tuple[Owner, ...]) -> tuple[str, ...]:
        entries = (self._keys.obtain(each.scope, each.identity, each.month) for each in owners)
        return tuple(sorted({entry.id for entry in entries}))

    def _stage(
        self,
        chosen: Sequence[Survivor],
        ids: Mapping[tuple[Owner, ...], tuple[str, ...]],
        newest_us: int,
    ) -> SupplementPin:
        origin, first = self._context.origin, chosen[0].index
        count = chosen[-1].index - first + 1
        owned: dict[tuple[str, ...], list[tuple[int, Content]]] = {}
        for survivor in chosen:
            owned.setdefault(ids[survivor.owners], []).append(
                (survivor.index - first, survivor.body)
            )
        data = block_object(owned, self._keys, BlockContext(origin, first, count))
        key = layout.supplement_object(origin, first, secrets.token_hex(8), self._clock.wall_us())
        until = newest_us + self._context.retention.body_days * DAY_US
        pin = SupplementPin(first, count, len(chosen), pin_bytes(key, data, until))
        folder = self._folder(pin)
        self._disk.make_directory(folder, 0o700)
        self._disk.replace(folder / _OBJECT, data)
        return pin

    def _publish(self, pin: SupplementPin) -> bool:
        """Give a staged object its name; False when what was staged is not there any more."""
        staged = self._folder(pin) / _OBJECT
        try:
            data = read_plain(staged, pin.body.size)
        except (FileNotFoundError, TamperingFound):
            return False  # after a crash: published already
        # Other bytes than the pinned ones never get the name. Nothing is lost with them: as no
        # call for this supplement has returned, the keys before it were not destroyed.
        if pin_bytes(pin.body.key, data, pin.body.retain_until_us) != pin.body:
            return False
        self._blobs.publish(pin.body.key, staged, pin.body.retain_until_us)
        return True

    def _discard(self, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            self._disk.remove(path)
        folder.rmdir()

    def _folder(self, pin: SupplementPin) -> Path:
        return self._context.staging / layout.supplement_staging(pin.body.key)


def _leaves(chosen: Sequence[Survivor], reader: LogReader) -> dict[int, Leaf]:
    """The leaves of survivors, read row group by row group."""
    found: dict[int, Leaf] = {}
    wanted: dict[int, list[int]] = {}
    for survivor in chosen:
        wanted.setdefault(survivor.index // _PORTION, []).append(survivor.index)
    for indexes in wanted.values():
        raw = reader.leaves(indexes[0], indexes[-1] - indexes[0] + 1)
        found.update((index, parse(raw[index - indexes[0]])) for index in indexes)
    return found
