"""Sealing one write-ahead file: stage -> publish -> pin on the log -> publish the seal -> discard.

Every step can be repeated after a crash and ends in the same bytes: block nonces are derived, the
intent file fixes what was staged, and published names are create-only. Nothing is discarded
before the log itself, on disk and signed, names the published objects by their hashes.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from logstore.disk import Disk, read_plain
from logstore.errors import AirconError, FormatError, KeyDestroyed, TamperingFound
from logstore.formats.blocks import BlockContext
from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.formats.custody import CustodyEvent, custody_digest
from logstore.formats.group import Content
from logstore.formats.leaf import leaf_hashes
from logstore.formats.merkle import Frontier
from logstore.formats.pins import (
    KIND,
    ObjectPin,
    SegmentPin,
    SupplementPin,
    destroyed_digest,
    supplements_digest,
    to_clear,
)
from logstore.formats.policy import Policy
from logstore.formats.proof import TlogProof
from logstore.formats.record import Record
from logstore.keys.keystore import KeyStore
from logstore.storage import edge, layout
from logstore.storage.blobs import Blobs
from logstore.storage.fence import Fence
from logstore.storage.indexing import ClearPart, IndexBuilder
from logstore.storage.logfile import DAY_US, Retention
from logstore.storage.opened import Portion
from logstore.storage.seal import FORMAT, Seal, check_seal, parse_seal
from logstore.storage.segment import BlockBuilder, owned_by, pin_bytes
from logstore.storage.tally import Tally
from logstore.storage.unsealed import Following

_INTENT = "intent.json"
_MAC = "intent.mac"


class Intent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was staged for one segment; written last, so its presence means the rest is whole.

    Attributes:
        pin: the segment.
        frontier: the tree's edge at its end.
        blocks: see `Seal.blocks`.
        destroyed: see `Seal.destroyed`.
        supplements: see `Seal.supplements`.
        custody: see `Seal.custody`.
    """

    pin: SegmentPin
    frontier: bytes
    blocks: list[bytes]
    destroyed: list[str]
    supplements: list[SupplementPin]
    custody: list[CustodyEvent] | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class SealingContext:
    """What sealing needs to know of its log.

    Attributes:
        origin: the log's origin.
        retention: how long objects are kept.
        staging: a private directory on the same file system as the write-ahead files.
    """

    origin: str
    retention: Retention
    staging: Path


class SegmentSealer:
    """Builds, stages and publishes the objects of segments."""

    def __init__(
        self, context: SealingContext, keys: KeyStore, blobs: Blobs, fence: Fence, disk: Disk
    ) -> None:
        self._context = context
        self._keys = keys
        self._blobs = blobs
        self._fence = fence
        self._disk = disk

    def staged(self, first: int) -> Intent | None:
        """The whole staged segment that starts at `first`, if a crash left one.

        What lies staged will be signed, and whoever may write into the store could have put it
        there: only what this key store vouches for is taken up, anything else is built anew.
        """
        folder = self._folder(first)
        try:
            data = read_plain(folder / _INTENT)
            mac = read_plain(folder / _MAC)
            if not hmac.compare_digest(mac, self._mac(data)):
                return None
            intent = msgspec.json.decode(data, type=Intent)
            for name, pin in _objects(intent):
                if (folder / name).exists() and pin != _repinned(pin, read_plain(folder / name)):
                    return None
        except (FileNotFoundError, TamperingFound, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return intent if intent.pin.first == first else None

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._keys.purpose_key("staging"), data, "sha256")

    def stage(self, portions: Iterable[Portion], before: Frontier, tally: Tally) -> Intent:
        """Build both objects on local disk, flushed.

        Args:
            portions: the records of the segment.
            before: the tree's edge at the segment's start.
            tally: told of the records read and packed.
        """
        hashes: list[bytes] = []
        bodies: list[Content | None] = []
        with IndexBuilder() as index:
            for portion in portions:
                index.take(portion.leaves)
                hashes += leaf_hashes(portion.leaves)
                bodies += portion.bodies
                tally.read(len(portion.leaves))
            part = index.end()
            if before.size != part.first:
                raise FormatError(
                    f"segment starts at {part.first}, the tree's edge is at {before.size}"
                )
            self._clear(part.first)
            pin = self._pin(index, bodies, tally)
        return self._intend(pin, part, hashes, before)

    def _clear(self, first: int) -> None:
        """An empty staging folder for a segment."""
        folder = self._folder(first)
        self._disk.make_directory(folder, 0o700)
        for left in folder.iterdir():
            self._disk.remove(left)

    def _intend(
        self, pin: SegmentPin, part: ClearPart, hashes: Sequence[bytes], before: Frontier
    ) -> Intent:
        destroyed = list(dict.fromkeys(part.destroyed))
        after = before.copy()
        after.extend(hashes)
        intent = Intent(
            msgspec.structs.replace(
                pin,
                root=after.root(),
                destroyed=destroyed_digest(destroyed),
                supplements=supplements_digest(part.supplements),
                custody=custody_digest(part.custody) or msgspec.UNSET,
            ),
            after.to_bytes(),
            edge.block_roots(before, hashes),
            destroyed,
            part.supplements,
            part.custody or msgspec.UNSET,
        )
        data = msgspec.json.encode(intent)
        folder = self._folder(pin.first)
        self._disk.create(folder / _MAC, self._mac(data), mode=0o600)
        self._disk.create(folder / _INTENT, data, mode=0o600)
        return intent

    def publish(self, intent: Intent) -> Intent:
        """Give both staged objects their final names; returns the intent with their versions.

        Raises:
            Fenced: another writer publishes this segment; nothing was published.
            StoreAway: the store can not be reached; nothing is lost.
        """
        self._fence.claim(intent.pin)
        folder, named = self._folder(intent.pin.first), _objects(intent)
        staged = [(pin, path) for name, pin in named if (path := folder / name).exists()]
        versions = dict(zip((pin.key for pin, _ in staged), self._publish(staged), strict=True))
        final = {
            # What is not staged any more was published before a crash.
            name: msgspec.structs.replace(
                pin, version=versions.get(pin.key) or self._blobs.version(pin)
            )
            for name, pin in named
        }
        return msgspec.structs.replace(intent, pin=msgspec.structs.replace(intent.pin, **final))

    def _publish(self, staged: Sequence[tuple[ObjectPin, Path]]) -> list[str]:
        return self._blobs.publish_all(staged) if staged else []

    def publish_seal(self, intent: Intent, following: Following) -> Seal:
        """Publish the seal and return it.

        Args:
            intent: the segment.
            following: its ``segment.sealed`` record, and what ties that to a signed checkpoint.
        """
        pin = intent.pin
        key = layout.seal_object(self._context.origin, pin.first, pin.count)
        frontier = Frontier.from_bytes(intent.frontier)
        path = edge.inclusion(frontier, following.hashes, following.index)
        proof = TlogProof(following.index, tuple(path), following.note, following.leaf)
        head = Checkpoint(self._context.origin, pin.end, pin.root)
        seal = Seal(
            FORMAT,
            pin.first,
            pin.count,
            proof.encode().decode(),
            sign_checkpoint(head, self._keys.signer()).decode(),
            intent.frontier,
            intent.blocks,
            intent.destroyed,
            intent.supplements,
            intent.custody,
        )
        data = self._published(key, pin) or seal.encode()
        folder = self._folder(pin.first)
        self._disk.make_directory(folder, 0o700)
        until = pin.index.retain_until_us
        self._blobs.publish(key, self._disk.stage(folder / "seal", data), until)
        return parse_seal(data)

    def _published(self, key: str, pin: SegmentPin) -> bytes | None:
        """The seal as published before a crash; its checkpoint may be an earlier, as good one."""
        trust = Policy((self._keys.signer().verifier(),))
        for data in self._blobs.readings(key):
            with contextlib.suppress(AirconError):
                if check_seal(parse_seal(data), trust, self._context.origin) == pin:
                    return data
        return None

    def discard(self, first: int) -> None:
        """Remove the staging folder of a segment."""
        folder = self._folder(first)
        if not folder.is_dir():
            return
        # The intent goes first: without it the rest is not taken for a whole segment.
        for path in (folder / _INTENT, *sorted(folder.iterdir())):
            self._disk.remove(path)
        folder.rmdir()

    def discard_except(self, firsts: set[int]) -> None:
        """Remove staging folders that a crash left, but for segments that still wait."""
        for folder in sorted(self._context.staging.glob("[0-9]*")):
            if int(folder.name) not in firsts:
                self.discard(int(folder.name))

    def _folder(self, first: int) -> Path:
        return self._context.staging / f"{first:012d}"

    def _pin(
        self, index: IndexBuilder, bodies: Sequence[Content | None], tally: Tally
    ) -> SegmentPin:
        part, kept = index.part, self._context.retention
        first, count, origin = part.first, part.count, self._context.origin
        taken, last = part.moments
        owned = owned_by(self._readable(part.keys), bodies)
        with BlockBuilder(owned, self._keys, BlockContext(origin, first, count)) as builder:
            data = index.finish()
            key = layout.index_object(origin, first, count, taken)
            index_pin = pin_bytes(key, data, last + kept.index_days * DAY_US)
            self._put(self._folder(first) / "index", data)
            body = builder.finish(tally.packed)
        body_pin = None
        if body is not None:
            key = layout.body_object(origin, first, count, taken)
            body_pin = pin_bytes(key, body, last + kept.body_days * DAY_US)
            self._put(self._folder(first) / "body", body)
        return SegmentPin(first, count, bytes(32), index_pin, body_pin)

    def _put(self, path: Path, data: memoryview) -> None:
        staged = self._disk.stage(path, data)
        self._disk.sys_rename(staged, path)

    def _readable(
        self, owners: Sequence[tuple[str, ...] | None]
    ) -> Sequence[tuple[str, ...] | None]:
        """Owners without those whose key was destroyed before their content was sealed."""
        sets = {ids for ids in owners if ids is not None}
        dead = {ids for ids in sets if not all(map(self._alive, ids))}
        return [None if ids in dead else ids for ids in owners] if dead else owners

    def _alive(self, key_id: str) -> bool:
        try:
            self._keys.key(key_id)
        except KeyDestroyed:
            return False
        return True


def _objects(intent: Intent) -> list[tuple[str, ObjectPin]]:
    """File names in a staging folder and the pins of what they hold."""
    pairs = (("index", intent.pin.index), ("body", intent.pin.body))
    return [(name, pin) for name, pin in pairs if pin is not None]


def _repinned(pin: ObjectPin, data: bytes) -> ObjectPin:
    return pin_bytes(pin.key, data, pin.retain_until_us)


def sealed_record(pin: SegmentPin) -> Record:
    """The record that pins a segment."""
    return Record(KIND, "aircon", clear=to_clear(pin))
