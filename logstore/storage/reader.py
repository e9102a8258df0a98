"""Reading evidence with distrust: what is handed out was checked up to a signed checkpoint.

Rules:

1. Trust comes from the policy the caller brings, never from the store.
2. Sealed objects are named by pins in ``segment.sealed`` records that a tlog-proof ties to a
   signed checkpoint; a file is used only after its whole-file hash fits its pin, and through the
   descriptor that was hashed.
3. An explicit list of files, never a pattern: what no record names is not evidence.
4. Content is handed out only if it fits the leaf's commitment.
5. The log's own signature decides what is readable; how much of it the quorum of witnesses has
   cosigned is said beside (`LogReader.cosigned`), and asked for by `logstore.verify`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from logstore.disk import Disk
from logstore.errors import CannotJudge, NotFound, TamperingFound
from logstore.formats.body import Body
from logstore.formats.checkpoint import Checkpoint
from logstore.formats.columns import schema, table
from logstore.formats.custody import Custody, fold
from logstore.formats.leaf import Leaf, parse
from logstore.formats.merkle import EMPTY_ROOT
from logstore.formats.pins import ObjectSpan, SegmentPin, SupplementPin
from logstore.formats.policy import Policy
from logstore.keys.keystore import KeyStore
from logstore.storage import layout
from logstore.storage.blobs import Blobs
from logstore.storage.bodies import Opened, Unreadable, parsed
from logstore.storage.content import Content
from logstore.storage.cosigned import CosignedShelf
from logstore.storage.logfile import DAY_US, parse_log_file
from logstore.storage.loglist import log_files
from logstore.storage.rangedreads import RangedReads
from logstore.storage.sealedpart import SealedPart
from logstore.storage.stores import open_blobs
from logstore.storage.tail import Tail
from logstore.storage.verifiedfiles import VerifiedFiles
from logstore.storage.wal import wal_files

if TYPE_CHECKING:
    import pyarrow as pa

_PATIENCE_S = 2.0  # how old the listing of a bucket may be, unless something is missing
_LOOKS = 20
_PAUSE_S = 0.02  # longer than a writer takes to seal one file and begin the next


class LogReader:
    """A consistent, verified view of one log; `refresh` moves it forward.

    Attributes:
        origin: the log's name.
        policy: whom the caller trusts.
        keys: the key store, or None when only clear fields are wanted.
        pins: sealed segments, oldest first.
        seals: their seals, in the same order.
        tail: unsealed records.
        blobs: where its objects are.
        files: sealed objects, verified before use.
        ranged: parts of those that are not here.
        cosigned: what witnesses said of this log.
    """

    def __init__(
        self,
        store: Path,
        origin: str,
        policy: Policy,
        keys: KeyStore | None,
        blobs: Blobs | None = None,
    ) -> None:
        self.store = store
        self.origin = origin
        self.policy = policy
        self.keys = keys
        self._trust = Policy(tuple(key for key in policy.logs if key.name == origin))
        self.blobs = blobs or open_blobs(store, Disk(immutable=False))
        self.files = VerifiedFiles(self.blobs)
        self._part = SealedPart(origin, self._trust, self.blobs)
        self.pins, self.seals = self._part.pins, self._part.seals
        self.ranged = RangedReads(self._part, self.blobs)
        self.cosigned = CosignedShelf(self)
        self.tail = self._new_tail()
        self.refresh()

    @classmethod
    def open(
        cls,
        store: Path,
        *,
        policy: Policy,
        keys: KeyStore | None = None,
        origin: str | None = None,
    ) -> LogReader:
        """Open a log for reading.

        Args:
            store: the store directory.
            policy: trusted log keys (and witnesses).
            keys: opens content; without it clear fields only.
            origin: which log, where the policy trusts several that are here.

        Raises:
            NotFound: no such log in the store.
            CannotJudge: the store's logs are not in the policy.
            TamperingFound: seals or the unsealed tail contradict their signatures.
        """
        blobs = open_blobs(store, Disk(immutable=False))
        found = log_files(blobs)
        if not found:
            raise NotFound(
                f"there is no store at {store}", todo="Check --store; `aircon init` makes one."
            )
        trusted = {verifier.name for verifier in policy.logs}
        known = [log.origin for log in found if log.origin in trusted]
        if origin is not None:
            known = [each for each in known if each == origin]
        if len(known) != 1:
            names = ", ".join(log.origin for log in found)
            raise CannotJudge(
                f"the policy does not single out one log of this store ({names})",
                todo="Use the store's policy file, and name one log if it holds several.",
            )
        return cls(store, known[0], policy, keys, blobs)

    # -- where it stands ----------------------------------------------------------------------

    @property
    def sealed(self) -> int:
        """Records in sealed segments."""
        return self._part.end

    @property
    def size(self) -> int:
        """Records readable: sealed and unsealed."""
        return self.tail.end

    @property
    def retained_until_us(self) -> int:
        """Until when its newest index object is kept, or would be; microseconds since 1970 UTC."""
        if self.pins:
            return self.pins[-1].index.retain_until_us
        made = parse_log_file(self.blobs.read(layout.log_file(self.origin)))
        return made.created_us + made.retention.index_days * DAY_US

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest signed checkpoint that what is readable was checked against."""
        if self.tail.checkpoint is not None:
            return self.tail.checkpoint
        if self.seals:
            return self._judge(self.seals[-1].checkpoint.encode())
        return Checkpoint(self.origin, 0, EMPTY_ROOT)

    @property
    def note(self) -> bytes:
        """That checkpoint as the log signed it."""
        if self.tail.note:
            return self.tail.note
        return self.seals[-1].checkpoint.encode() if self.seals else b""

    def refresh(self) -> None:
        """Take in what the writer added, sealed or not.

        Raises:
            TamperingFound: seals or unsealed records contradict their signatures, or the
                write-ahead files are gone.
            CannotJudge: writers moved the unsealed records away under every look, so they can
                not be shown; what is sealed was not shown alone instead.
        """
        for look in range(_LOOKS):
            if look:
                time.sleep(_PAUSE_S)
            if self._part.take(_PATIENCE_S if not look else 0):
                self.tail = self._new_tail()
            if self.tail.refresh():
                break
            self.tail = self._new_tail()  # sealed under our eyes: look again
        else:
            raise self._unsettled()
        if self.keys is not None:
            self.keys.catch_up()

    def settle(self) -> bool:
        """Make sure that what is shown is on disk: before others are asked to remember it."""
        return self.tail.settle(Disk())

    def _unsettled(self) -> CannotJudge | TamperingFound:
        if not wal_files(self.tail.directory):
            return TamperingFound(
                f"log {self.origin} has no write-ahead file; records after {self.sealed} are gone",
                kept=f"The {self.sealed} sealed records are not affected.",
                todo="Keep a copy of the store, then run `aircon verify`.",
            )
        return CannotJudge(
            f"the unsealed records behind {self.sealed} were moved away {_LOOKS} times while they"
            " were read",
            kept="Nothing is wrong with the log; nothing is shown rather than too little.",
            todo="Try again when less is being sealed.",
        )

    def _new_tail(self) -> Tail:
        directory = self.store / layout.wal_directory(self.origin)
        return Tail(directory, self.origin, self._part.edge(), self._judge)

    def _judge(self, note: bytes) -> Checkpoint:
        return self._trust.check(note)

    # -- clear part ---------------------------------------------------------------------------

    def index(self, pin: SegmentPin) -> AbstractContextManager[Path]:
        """A path to a segment's index object, good within the block; see `VerifiedFiles.opened`.

        Raises:
            TamperingFound: it is missing or not the pinned bytes.
        """
        return self.files.opened(pin.index)

    def table(self, first: int, count: int) -> pa.Table:
        """Clear columns and leaves of a range, schema of `logstore.formats.columns`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        end = min(first + count, self.size)
        parts = []
        for pin in self.pins_in(first, end):
            low, high = max(first, pin.first) - pin.first, min(end, pin.end) - pin.first
            some = self.ranged.leaves(pin, low, high)
            if some is not None:  # columns follow from leaves
                parts.append(table([parse(leaf) for leaf in some], some))
                continue
            with self.index(pin) as path:
                whole = pq.read_table(path, schema=schema())
            parts.append(whole.slice(low, high - low))
        raw = self.tail.leaves[max(first - self.tail.first, 0) : max(end - self.tail.first, 0)]
        if raw:
            parts.append(table([parse(leaf) for leaf in raw], raw))
        return pa.concat_tables(parts) if parts else schema().empty_table()

    def leaves(self, first: int, count: int) -> list[bytes]:
        """Leaf bytes of a range, reading only the row groups that hold them."""
        end = min(first + count, self.size)
        found: list[bytes] = []
        for pin in self.pins_in(first, end):
            low, high = max(first, pin.first) - pin.first, min(end, pin.end) - pin.first
            part = self.ranged.leaves(pin, low, high)
            if part is None:
                with self.index(pin) as path:
                    part = leaves_in(path, low, high)
            found += part
        tail = self.tail
        return found + tail.leaves[max(first - tail.first, 0) : max(end - tail.first, 0)]

    def find(self, identifier: str) -> int:
        """Index of the record with a UUID.

        Raises:
            NotFound: no record has it.
        """
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        for offset, leaf in enumerate(self.tail.leaves):
            if identifier.encode() in leaf and parse(leaf).id == identifier:
                return self.tail.first + offset
        for pin in reversed(self.pins):
            index = self.ranged.find(pin, identifier)
            if index is not None:
                return index
        for pin in reversed(self.pins):  # only the whole column says that a record is not there
            with self.index(pin) as path:
                found = pq.read_table(path, columns=["index"], filters=pc.field("id") == identifier)
            hit = found.column("index")
            if len(hit):
                return int(hit[0].as_py())
        raise NotFound(f"no record has the id {identifier}")

    def pins_in(self, first: int, end: int) -> list[SegmentPin]:
        """Sealed segments that hold records of [first, end)."""
        return self._part.within(first, end)

    def supplements(self) -> list[SupplementPin]:
        """Supplements that sealed and unsealed records pin, oldest first."""
        return self._part.supplements + self.tail.supplements()

    def bodies(self) -> list[ObjectSpan]:
        """Body objects and supplements, removed or not."""
        sealed = [ObjectSpan(p.body, p.first, p.end) for p in self.pins if p.body is not None]
        return sealed + [ObjectSpan(p.body, p.first, p.end) for p in self.supplements()]

    def custody(self) -> Custody:
        """What is under legal hold, and what retention removed."""
        return fold(self._part.custody + self.tail.custody())

    def custody_of_objects(self) -> Custody:
        """The same as the objects in the store follow it: a release counts once it is sealed."""
        return self.custody().as_seen(fold(self._part.custody))

    def removed(self) -> dict[str, tuple[int, int]]:
        """Body objects that retention removed, with (first, end) of the records concerned."""
        gone = self.custody().gone
        bodies = self.bodies() if gone else []
        return {pin.key: (first, end) for pin, first, end in bodies if pin.key in gone}

    # -- content ------------------------------------------------------------------------------

    def contents(self, first: int, count: int) -> Iterator[tuple[int, Leaf, Body | Unreadable]]:
        """(index, leaf, body or why not) of a range, in order."""
        for index, leaf, _, opened in self.disclosures(first, count):
            yield index, leaf, parsed(opened)

    def disclosures(self, first: int, count: int) -> Iterator[tuple[int, Leaf, bytes, Opened]]:
        """(index, leaf, leaf bytes, nonce and content or why not) of a range, in order.

        Raises:
            CannotJudge: the reader was opened without a key store.
        """
        end = min(first + count, self.size)
        for low, high, opened in self._content().parts(first, end):
            for index, raw in enumerate(self.leaves(low, high - low), low):
                leaf = parse(raw)
                yield index, leaf, raw, opened(leaf)

    def contents_of(self, leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, Body | Unreadable]]:
        """Bodies of chosen records, or why not.

        Of other records only that is decrypted which shares a block or a group commit with them.

        Args:
            leaves: of the records, in the order of the log.

        Raises:
            CannotJudge: the reader was opened without a key store.
        """
        if not leaves:
            return
        chosen = deque(leaves)
        only = frozenset(leaf.index for leaf in leaves)
        for _, high, opened in self._content().parts(leaves[0].index, leaves[-1].index + 1, only):
            while chosen and chosen[0].index < high:
                leaf = chosen.popleft()
                yield leaf, parsed(opened(leaf))

    def _content(self) -> Content:
        """What opens content.

        Raises:
            CannotJudge: the reader was opened without a key store.
        """
        if self.keys is None:
            raise CannotJudge(
                "content needs the key store", todo="Give the passphrase; see `aircon --help`."
            )
        return Content(self, self.keys)


def leaves_in(path: Path, low: int, high: int) -> list[bytes]:
    """Leaves of rows [low, high) of an index object, reading only the row groups that hold them."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    found: list[bytes] = []
    at = 0
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if at < high and at + rows > low:
            column = file.read_row_group(group, columns=["leaf"]).column("leaf")
            start = max(low - at, 0)
            piece = column.slice(start, min(high - at, rows) - start)
            found += cast("list[bytes]", piece.to_pylist())
        at += rows
    return found
