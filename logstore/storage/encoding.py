"""From records to one group commit: keys, commitments, leaves, tree, signature, ciphertext.

Rules:

1. Either the whole group becomes one payload and one new `ChainState`, or nothing changed.
2. A record that can not be encoded is refused alone; it takes no position in the chain.
3. Keys made for the group are durable in the key store before the payload exists, and their
   ``key.created`` record stands in the group before any record that uses them; so does that of
   keys whose own group died between the two.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256

from logstore.errors import AirconError, FormatError, UsageError
from logstore.formats import group as wal_group
from logstore.formats.body import NONCE, padded
from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.formats.frame import HEADER
from logstore.formats.leaf import GENESIS, VERSION, BodyRef, Leaf, encode
from logstore.formats.merkle import Frontier
from logstore.formats.note import Signer
from logstore.formats.record import Receipt, Record, Refusal
from logstore.formats.uuid7 import uuid7s
from logstore.keys.entries import KeyEntry, commitment
from logstore.keys.keystore import KeyStore
from logstore.storage.admission import check
from logstore.storage.clock import Clock

_KEYS_PER_RECORD = 250  # a key takes about 230 bytes of a leaf's 65,535
_DAY_US = 86_400_000_000
_MAX_TOKENS = 65_536  # sessions whose pseudonym is kept at hand


@dataclass(frozen=True, slots=True)
class ChainState:
    """Where the chain stands.

    Attributes:
        size: records so far; the next index.
        prev: leaf hash of the last record.
        frontier: the tree's edge; never changed in place once it is in a state.
    """

    size: int
    prev: bytes
    frontier: Frontier

    @classmethod
    def empty(cls) -> ChainState:
        """Before record 0."""
        return cls(0, GENESIS, Frontier())

    def grown(self, hashes: Sequence[bytes]) -> ChainState:
        """The state after more leaf hashes."""
        frontier = self.frontier.copy()
        frontier.extend(hashes)
        return ChainState(frontier.size, hashes[-1] if hashes else self.prev, frontier)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One group commit, ready to be written.

    Attributes:
        payload: WAL payload behind room for a frame's header; empty when all were refused.
        outcomes: a receipt or refusal for each record given, in order.
        state: the chain after the group.
        note: the signed checkpoint of that state.
    """

    payload: bytearray
    outcomes: list[Receipt | Refusal]
    state: ChainState
    note: bytes


class _Group:
    """Leaves and bodies of one group while it is being built."""

    def __init__(
        self, state: ChainState, clock: Clock, count: int, tokens: dict[tuple[str, str], str]
    ) -> None:
        self.first = self.index = state.size
        self.prev = state.prev
        self.wall = clock.wall_us()
        self.mono = clock.mono_us()
        self.boot = clock.boot
        self.leaves: list[bytes] = []
        self.hashes: list[bytes] = []
        self.bodies: list[bytes | None] = []
        self._tokens = tokens
        self._nonces = os.urandom(NONCE * count)
        entropy = os.urandom(10 * count).hex()
        self._identifiers = uuid7s(self.wall // 1000, entropy)

    def add(self, record: Record, keys: list[KeyEntry], place: int) -> Receipt:
        """Append one record; raises `FormatError` and changes nothing when it does not fit."""
        identifier = self._identifiers[len(self.leaves)]
        body = reference = None
        clear = record.clear if isinstance(record.clear, dict) else dict(record.clear)
        content = record.content
        if content is not None:
            body = self._nonces[place * NONCE : (place + 1) * NONCE] + content
            ids = [keys[0].id] if len(keys) == 1 else [key.id for key in keys]
            reference = BodyRef(ids, padded(len(content)), sha256(body).digest())
            if record.session is not None:
                clear = {**clear, "aircon.session": self._token(keys[0], record.session)}
        time_us = self.wall if record.time_us is None else record.time_us
        leaf = encode(
            Leaf(
                VERSION, self.index, self.prev, identifier, record.kind, time_us, self.wall,
                self.mono, self.boot, record.source, record.by, clear, record.seq, reference,
            )
        )  # fmt: skip
        digest = sha256(b"\x00" + leaf).digest()
        self.leaves.append(leaf)
        self.hashes.append(digest)
        self.bodies.append(body)
        self.prev = digest
        self.index += 1
        return Receipt(self.index - 1, identifier, digest)

    def _token(self, key: KeyEntry, session: str) -> str:
        token = self._tokens.get((key.id, session))
        if token is None:
            if len(self._tokens) >= _MAX_TOKENS:
                self._tokens.clear()
            token = self._tokens[key.id, session] = session_token(key.key, session)
        return token


class GroupEncoder:
    """Turns records into group commits for one log; not thread-safe, its owner serialises."""

    def __init__(self, origin: str, keys: KeyStore, clock: Clock) -> None:
        self._origin = origin
        self._keys = keys
        self._clock = clock
        self._signer: Signer = keys.signer()
        self._months: dict[int, str] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    def encode(
        self, records: Sequence[Record], state: ChainState, sealer: wal_group.Sealer, segment: int
    ) -> Encoded:
        """One group commit.

        Args:
            records: what to store, at least one.
            state: where the chain stands.
            sealer: encrypts bodies under the key of the current WAL file.
            segment: first index of the open segment; names the key of records without any person.

        Raises:
            NotDurable: new keys could not be stored.
        """
        wall = self._clock.wall_us()
        keys = [self._keys_or_error(record, wall, segment) for record in records]
        self._keys.flush(state.size)
        created = [key_created(batch) for batch in _batches(self._keys.unannounced(state.size))]
        build = _Group(state, self._clock, len(records) + len(created), self._tokens)
        for record in created:
            build.add(record, [], 0)
        outcomes: list[Receipt | Refusal] = []
        for place, (record, found) in enumerate(zip(records, keys, strict=True)):
            if isinstance(found, AirconError):
                outcomes.append(Refusal(record, found))
                continue
            try:
                outcomes.append(build.add(record, found, place))
            except (FormatError, TypeError, UnicodeEncodeError, OverflowError) as error:
                outcomes.append(Refusal(record, _refused(error)))
        if not build.leaves:
            return Encoded(bytearray(), outcomes, state, b"")
        grown = state.grown(build.hashes)
        head = Checkpoint(self._origin, grown.size, grown.frontier.root())
        note = sign_checkpoint(head, self._signer)
        plain = wal_group.Plain(build.first, build.leaves, build.bodies, note)
        payload = sealer.payload(plain, os.urandom(12), room=HEADER.size)
        return Encoded(payload, outcomes, grown, note)

    def _keys_or_error(
        self, record: Record, wall: int, segment: int
    ) -> list[KeyEntry] | AirconError:
        try:
            return self._keys_for(record, wall, segment)
        except AirconError as error:
            return error

    def _keys_for(self, record: Record, wall: int, segment: int) -> list[KeyEntry]:
        check(record)
        if record.content is None:
            return []
        month = self._month(wall if record.time_us is None else record.time_us)
        if record.subjects:
            if len(record.subjects) == 1:
                return [self._keys.obtain("subject", record.subjects[0], month)]
            found = {self._keys.obtain("subject", each, month) for each in record.subjects}
            return sorted(found, key=lambda entry: entry.id)
        if record.conversation is not None:
            return [self._keys.obtain("conversation", record.conversation, month)]
        return [self._keys.obtain("source", f"{record.source}\0{segment}", month)]

    def _month(self, time_us: int) -> str:
        day = time_us // _DAY_US
        month = self._months.get(day)
        if month is None:
            month = self._months[day] = _month_of(day)
        return month


def session_token(key: bytes, session: str) -> str:
    """Pseudonym of a session (keyed BLAKE2b); says nothing once the person's key is gone."""
    return blake2b(session.encode(), key=key, digest_size=16, person=b"aircon-session").hexdigest()


def key_created(entries: Sequence[KeyEntry]) -> Record:
    """The record that commits to new keys."""
    keys = [
        {
            "id": entry.id,
            "scope": entry.scope,
            "month": entry.month,
            "generation": entry.generation,
            "commitment": commitment(entry),
        }
        for entry in entries
    ]
    return Record("key.created", "aircon", clear={"keys": keys})


def _batches(entries: list[KeyEntry]) -> list[list[KeyEntry]]:
    return [entries[at : at + _KEYS_PER_RECORD] for at in range(0, len(entries), _KEYS_PER_RECORD)]


def _month_of(day: int) -> str:
    # Civil-from-days, after Howard Hinnant; datetime refuses years a hostile source may state.
    z = day + 719_468
    era = z // 146_097
    doe = z - era * 146_097
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}"


def _refused(error: Exception) -> AirconError:
    if isinstance(error, AirconError):
        return error
    return UsageError(f"the record cannot be written as a leaf: {error}")
