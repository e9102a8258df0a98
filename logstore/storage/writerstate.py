"""What a writer knows of its log: loaded from disk, kept up to date with other writers.

Rules:

1. Everything here is called with the writer lease held.
2. A log that should have records is never started anew: if its seals or write-ahead files are
   gone, or it is not the log that the key store remembers, or the key store is older than it
   (`together`), opening fails and says so.
3. Only the very end of the newest write-ahead file may be torn; it is cut at the last whole frame
   and the cut itself is recorded.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from logstore.disk import AlreadyThere, Disk
from logstore.errors import Fenced, TamperingFound
from logstore.formats.checkpoint import open_checkpoint
from logstore.formats.group import Group, Sealer
from logstore.formats.leaf import leaf_hashes, parse
from logstore.formats.merkle import Frontier
from logstore.formats.pins import SegmentPin
from logstore.formats.policy import Policy
from logstore.keys.keystore import KeyStore
from logstore.storage import layout, together
from logstore.storage.blobs import Blobs
from logstore.storage.encoding import ChainState
from logstore.storage.proven import ProvenSeals
from logstore.storage.reader import LogReader, leaves_in
from logstore.storage.seal import Seal
from logstore.storage.treeproofs import root_at
from logstore.storage.verifiedfiles import VerifiedFiles
from logstore.storage.wal import WalContent, WalWriter, groups_from, read_wal, wal_files

_DESTROYED = b'"kind":"key.destroyed"'


@dataclass(frozen=True, slots=True)
class OldWal:
    """A write-ahead file that waits to be sealed.

    Attributes:
        path: the file.
        first: index of its first record.
        before: the chain at its start.
    """

    path: Path
    first: int
    before: ChainState


class WriterState:
    """Chain, open write-ahead file and unsealed older ones of one log.

    Attributes:
        chain: where the chain stands, including groups encoded but not yet flushed.
        wal: the open write-ahead file.
        sealer: encrypts bodies for it.
        waiting: older write-ahead files, oldest first.
        cut: bytes of torn tail cut on loading and not yet recorded.
        seals: those of the log; may be asked without the lease.
    """

    wal: WalWriter
    sealer: Sealer

    def __init__(self, origin: str, store: Path, keys: KeyStore, blobs: Blobs, disk: Disk) -> None:
        self.origin = origin
        self.chain = ChainState.empty()
        self.waiting: list[OldWal] = []
        self.cut = 0
        self._store = store
        self._directory = store / layout.wal_directory(origin)
        self._keys = keys
        self._blobs = blobs
        self._disk = disk
        self._wal_start = self.chain
        self._open = False
        self.seals = ProvenSeals(blobs, origin, Policy((keys.signer().verifier(),)))

    # -- loading ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Catch up with whatever other writers did since the lease was last held."""
        generation = self._keys.generation
        self._keys.catch_up()
        if self._keys.generation != generation:
            self._keys.tidy()
        files = wal_files(self._directory)
        if not self._open or not files or files[-1] != self.wal.path:
            self.load()
            return
        if self.waiting:  # others seal too
            self.waiting = [old for old in self.waiting if old.path in files]
        if self.wal.size_on_disk() != self.wal.offset:
            self._take_new_groups()
        self._check_head(self.chain)

    def load(self) -> None:
        """Read the log's state from disk.

        Raises:
            TamperingFound: records that should be there are not, or contradict their signatures.
        """
        self.close()
        self._keys.tidy()
        proven = self.seals.all()
        seals = [seal for seal, _ in proven]
        chain = self._sealed_state(seals)
        # The keys that a seal lists are destroyed on its word: it is proven.
        self._keys_destroyed(key for seal in seals for key in seal.destroyed)
        files = self._unsealed_files(proven)
        self.waiting = []
        content = None
        for path in files:
            if content is not None and content.torn:
                raise TamperingFound(f"{content.first:012d}.wal is torn but not the newest file")
            content = read_wal(path, self.origin)
            if content.first != chain.size:
                raise TamperingFound(
                    f"write-ahead file starts at record {content.first}, {chain.size} is due"
                )
            self.waiting.append(OldWal(path, content.first, chain))
            chain = self._replay(chain, content.groups)
        if content is None:
            raise TamperingFound(
                f"log {self.origin} has no write-ahead file; records after {chain.size} are gone",
                todo="Keep a copy of the store, then run `aircon verify`.",
            )
        if chain.size and not chain.prev:
            raise TamperingFound(f"the records behind the sealed {chain.size} are gone")
        self._hold_together(chain, files)
        # From here on nothing is missing: only now may anything be cut or removed.
        self._adopt(content, chain)
        self._keys.wal_keys.keep_only({int(path.stem) for path in files})
        for folder in (self._directory, self._keys.path):
            self._disk.sweep(folder)

    def _adopt(self, content: WalContent, chain: ChainState) -> None:
        newest = self.waiting.pop()
        self._wal_start = newest.before
        self.wal = WalWriter(newest.path, newest.first, content.end, self._disk)
        self.sealer = self._sealer(newest.first)
        self._open = True
        self.chain = chain
        if content.torn:
            self.wal.cut(content.end)
            self.cut += content.torn

    def _sealed_state(self, seals: Sequence[Seal]) -> ChainState:
        if not seals:
            return ChainState.empty()
        newest = seals[-1]
        head = open_checkpoint(newest.checkpoint.encode(), [self._keys.signer().verifier()])
        frontier = newest.edge()
        if (head.origin, head.size, head.root) != (self.origin, newest.end, frontier.root()):
            raise TamperingFound(f"the seal of segment {newest.first} contradicts its checkpoint")
        return ChainState(newest.end, b"", frontier)

    def _unsealed_files(self, seals: Sequence[tuple[Seal, SegmentPin]]) -> list[Path]:
        """Write-ahead files behind the sealed part; older ones are leftovers of a crash.

        Raises:
            Fenced: an older one holds other records than were sealed in their place.
        """
        sealed = seals[-1][0].end if seals else 0
        files = wal_files(self._directory)
        older = [path for path in files if int(path.stem) < sealed]
        for path in older:
            self._check_sealed(path, seals)
        for path in older:
            self._keys.wal_keys.drop(int(path.stem))
            self._disk.remove(path)
        return files[len(older) :]

    def _check_sealed(self, path: Path, seals: Sequence[tuple[Seal, SegmentPin]]) -> None:
        """What is about to be removed must be in a segment, leaf by leaf."""
        first = int(path.stem)
        place = bisect.bisect_right([seal.first for seal, _ in seals], first) - 1
        edge = seals[place - 1][0].edge() if place else Frontier()
        leaves = [leaf for group in read_wal(path, self.origin).groups for leaf in group.leaves]
        if edge.size == first:
            edge.extend(leaf_hashes(leaves))
        seal, pin = seals[place]
        if edge.to_bytes() == seal.frontier:
            return
        if first == pin.first and len(leaves) < pin.count:  # the segment has all that is in it
            with VerifiedFiles(self._blobs).opened(pin.index) as index:
                same = leaves_in(index, 0, len(leaves)) == leaves
        else:
            same = False
        if not same:
            raise Fenced(
                f"another writer has sealed other records from {first} on under this log's key",
                kept=f"The {len(leaves)} records that were taken here from there on are still in"
                f" {path}, and nothing was written over the others.",
                todo="Stop one of the two, and find out who copied the key store or put back an"
                " older copy of this folder; then `aircon verify`.",
            )

    def _replay(self, chain: ChainState, groups: Sequence[Group]) -> ChainState:
        """The chain after more groups, checked against the newest group's signed checkpoint."""
        if not groups:
            return chain
        leaves = [leaf for group in groups for leaf in group.leaves]
        grown = chain.grown(leaf_hashes(leaves))
        head = open_checkpoint(groups[-1].note, [self._keys.signer().verifier()])
        if (head.size, head.root) != (grown.size, grown.frontier.root()):
            raise TamperingFound(
                f"the write-ahead log up to record {grown.size} contradicts its signed checkpoint"
            )
        self._keys_destroyed(_destroyed(leaf for leaf in leaves if _DESTROYED in leaf))
        return grown

    def _keys_destroyed(self, ids: Iterable[str]) -> None:
        """A restored key store can not bring a person back: destroy again what the log says."""
        self._keys.destroy(ids)

    def _take_new_groups(self) -> None:
        groups, end = groups_from(self.wal.path, self.wal.offset, self.chain.size, whole=True)
        self.chain = self._replay(self.chain, groups)
        torn = self.wal.size_on_disk() - end
        if torn:
            self._check_head(self.chain)
            self.wal.cut(end)
            self.cut += torn
        self.wal.offset = end

    def _hold_together(self, chain: ChainState, files: Iterable[Path]) -> None:
        """Log and key store must be of one history and one time; see `together`."""
        together.check_wal_keys(self._keys, (int(path.stem) for path in files))
        newest = self._keys.head.read()
        head = None if newest is None else together.remembered(self._keys, newest[1])
        if head is not None:
            together.check_size(head, chain.size)
        if head is not None and head.size == chain.size:
            together.check_root(head, chain.frontier.root())
        elif chain.size:
            together.check_lag(self._keys, self._reader(), head)
        self._keys.head.accept(newest)

    def _check_head(self, chain: ChainState) -> None:
        """What another writer made the key store remember must be of this very log."""
        newest = self._keys.head.moved()
        if newest is None:
            return
        head = together.remembered(self._keys, newest[1])
        together.check_size(head, chain.size)
        if head.size == chain.size:
            together.check_root(head, chain.frontier.root())
        else:
            together.check_root(head, root_at(self._reader(), head.size))
        self._keys.head.accept(newest)

    def _reader(self) -> LogReader:
        trust = Policy((self._keys.signer().verifier(),))
        return LogReader(self._store, self.origin, trust, None, self._blobs)

    # -- changing -----------------------------------------------------------------------------

    def _sealer(self, first: int) -> Sealer:
        return Sealer(self.origin, AESGCM(self._keys.wal_keys.read(first)))

    def start(self) -> None:
        """Make the first write-ahead file of a new log."""
        self._start_wal(self.chain)

    def rotate(self) -> bool:
        """Close the open write-ahead file for sealing and start the next; False if it is empty."""
        if self.wal.first == self.chain.size:
            return False
        self.waiting.append(OldWal(self.wal.path, self.wal.first, self._wal_start))
        self.wal.close()
        self._start_wal(self.chain)
        return True

    def discard(self, old: OldWal) -> None:
        """Remove a sealed and published write-ahead file and its key."""
        self._keys.wal_keys.drop(old.first)
        self._disk.remove(old.path)
        self.waiting = [each for each in self.waiting if each.first != old.first]

    def opener(self, old: OldWal) -> Sealer:
        """What decrypts the bodies of a write-ahead file that waits."""
        return self._sealer(old.first)

    def close(self) -> None:
        """Close files."""
        if self._open:
            self.wal.close()
            self._open = False

    def _start_wal(self, chain: ChainState) -> None:
        self._open = False
        self._keys.wal_keys.create(chain.size)
        with contextlib.suppress(AlreadyThere):
            WalWriter.create(self._directory, self.origin, chain.size, self._disk).close()
        path = self._directory / layout.wal_name(chain.size)
        content = read_wal(path, self.origin)
        self.wal = WalWriter(path, chain.size, content.end, self._disk)
        self.sealer = self._sealer(chain.size)
        self._wal_start = chain
        self._open = True


def _destroyed(leaves: Iterable[bytes]) -> Iterator[str]:
    """Ids in ``key.destroyed`` records among leaves that mention the word."""
    for leaf in map(parse, leaves):
        if leaf.kind == "key.destroyed":
            yield str(leaf.clear.get("key"))
