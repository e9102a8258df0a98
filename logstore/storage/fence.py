"""The fence: of two writers of one log, only the one that came first publishes.

Rules:

1. Before a segment's objects are published, its first record is claimed: a create-only object,
   signed by the log. Conditional writes alone are not trusted to tell who was first, because some
   servers let every racing writer win: after the put the versions of the name are listed, and the
   oldest claim that is signed decides.
2. Whoever is not first stops before anything of his is published. What he acknowledged stays in
   his write-ahead files.
3. What is not signed by the log is no claim, wherever it stands: it is read and passed over. Of a
   name with more versions than can be read (`reading.MOST_OF_ONE`) nobody knows who was first;
   then nothing is published until somebody removes what does not belong there.
"""

from __future__ import annotations

from typing import Protocol

from logstore.errors import Fenced, FormatError, TamperingFound
from logstore.formats.claim import MAX_CLAIM, Claim, open_claim
from logstore.formats.note import Signer
from logstore.formats.pins import SegmentPin
from logstore.storage import layout
from logstore.storage.blobs import Blobs
from logstore.storage.bucketblobs import BucketBlobs
from logstore.storage.home import WriterFile


class Fence(Protocol):
    """Decides who publishes."""

    def claim(self, pin: SegmentPin) -> None:
        """Make sure that the segment that starts at a record is this writer's to publish.

        Raises:
            Fenced: another writer came first; nothing was published.
            StoreAway: the bucket can not be reached, so it is not known.
        """
        ...


class LockedDirectory:
    """A store on this machine: the lock file has decided already."""

    def claim(self, pin: SegmentPin) -> None:
        """See `Fence.claim`."""


class ClaimFence:
    """Claims in the bucket.

    Args:
        origin: the log.
        signer: its key.
        blobs: the bucket.
        writer: this writer.
    """

    def __init__(self, origin: str, signer: Signer, blobs: BucketBlobs, writer: WriterFile) -> None:
        self._origin = origin
        self._signer = signer
        self._blobs = blobs
        self._writer = writer

    def claim(self, pin: SegmentPin) -> None:
        """See `Fence.claim`."""
        writer = f"{self._writer.id} {self._writer.host}"
        mine = Claim(pin.first, pin.count, pin.index.sha256, writer)
        key = layout.claim_object(self._origin, pin.first)
        held = self._first(key, pin.first)
        if held is None:
            self._put(key, mine.sign(self._signer), pin)
            held = self._first(key, pin.first)
        if held is None or held.index_sha256 != mine.index_sha256:
            raise self._fenced(pin, held)

    def _put(self, key: str, data: bytes, pin: SegmentPin) -> None:
        until = pin.index.retain_until_us
        try:
            self._blobs.publish_first(key, data, until)
        except TamperingFound:  # taken: by a rival a moment ago, or by what claims nothing here
            if self._first(key, pin.first) is None:
                self._blobs.publish_over(key, data, until)

    def _first(self, key: str, first: int) -> Claim | None:
        """The claim on a record that was put first, of those that the log signed."""
        for data in self._blobs.readings(key, MAX_CLAIM):
            try:
                claim = open_claim(data, [self._signer.verifier()])
            except FormatError:
                continue
            if claim.first == first:
                return claim
        return None

    def _fenced(self, pin: SegmentPin, held: Claim | None) -> Fenced:
        who = "somebody" if held is None else held.writer.partition(" ")[2]
        return Fenced(
            f"another writer ({who}) publishes records from {pin.first} on under this log's key",
            kept="Nothing was published over it; what was acknowledged here stays in the"
            " write-ahead files.",
            todo="Stop one of the two and find out who copied the key store; records that only"
            " exist here can be read here, and belong into a log of their own.",
        )


def open_fence(origin: str, signer: Signer, blobs: Blobs, writer: WriterFile | None) -> Fence:
    """The fence of a store."""
    if isinstance(blobs, BucketBlobs) and writer is not None:
        return ClaimFence(origin, signer, blobs, writer)
    return LockedDirectory()
