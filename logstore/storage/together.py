"""Whether a log and the key store that writes it are of one history and one time.

Rules:

1. A log must hold the very tree that its key store saw it sign last. A shorter one was cut or put
   back; one with another root was written to elsewhere, under the same key, beside this copy.
2. A key store must hold every key that the log announced since, living or destroyed, and the key of
   every unsealed file. One that does not is an older copy. It is not written with: it can not know
   who was erased since, so it would give those people fresh keys, and what it can not open it could
   never seal.
3. Judged before anything is cut, removed or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from logstore.errors import KeyDestroyed, KeyUnavailable, TamperingFound
from logstore.formats.checkpoint import Checkpoint, open_checkpoint
from logstore.formats.leaf import Leaf, parse
from logstore.keys.keystore import KeyStore
from logstore.storage.reader import LogReader
from logstore.storage.treeproofs import root_at

_KIND = "key.created"
_MARK = f'"kind":"{_KIND}"'.encode()


def remembered(keys: KeyStore, note: bytes) -> Checkpoint:
    """A checkpoint that the key store remembers.

    Raises:
        TamperingFound: it is not signed by the key store's own key.
        CannotJudge: likewise.
    """
    return open_checkpoint(note, [keys.signer().verifier()])


def check_size(head: Checkpoint, size: int) -> None:
    """Refuse a log that is shorter than its key store remembers.

    Raises:
        TamperingFound: it is.
    """
    if head.size > size:
        raise TamperingFound(
            f"the log ends at record {size}, but this key store saw it sign"
            f" a checkpoint of {head.size}: it was cut, or an older copy was put in its place",
            kept="Nothing was written.",
            todo="Keep a copy of the store, then run `aircon verify`; look for the true one.",
        )


def check_root(head: Checkpoint, root: bytes) -> None:
    """Refuse a log that is not the one its key store remembers.

    Raises:
        TamperingFound: `root`, of its first `head.size` records, is another.
    """
    if root != head.root:
        raise TamperingFound(
            f"this key store saw the log sign other records than these {head.size}: two copies of"
            " one log were written to, or this one was rewritten",
            kept="Nothing was written.",
            todo="Keep both copies, run `aircon verify` on each, and go on with one only.",
        )


def check_wal_keys(keys: KeyStore, firsts: Iterable[int]) -> None:
    """Refuse a key store that lacks the key of an unsealed file.

    Raises:
        KeyUnavailable: it does, naming the first such file.
    """
    for first in firsts:
        try:
            keys.wal_keys.read(first)
        except KeyUnavailable:
            raise _older(f"the key of the write-ahead file from record {first}") from None


def check_lag(keys: KeyStore, reader: LogReader, head: Checkpoint | None) -> None:
    """Hold log and key store to each other where the log is ahead of what the key store remembers.

    That is so after a power cut, when nothing is missing, and with an older copy of the key store.

    Args:
        keys: the key store.
        reader: the whole log, read with the key store's own key.
        head: what it remembers; None for nothing.

    Raises:
        TamperingFound: the log is not the one that is remembered.
        KeyUnavailable: the key store is older than the log.
    """
    since = 0 if head is None else head.size
    if head is not None:
        check_root(head, root_at(reader, head.size))
    missing = [key_id for key_id in _announced(reader, since) if not _known(keys, key_id)]
    if missing:
        raise _older(f"{len(missing)} keys that the log announced from record {since} on")


def _announced(reader: LogReader, since: int) -> Iterator[str]:
    for leaf in _created(reader, since):
        listed = leaf.clear.get("keys")
        for each in cast("list[dict[str, object]]", listed if isinstance(listed, list) else []):
            yield str(each.get("id"))


def _created(reader: LogReader, since: int) -> Iterator[Leaf]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    raw: list[bytes] = []
    for pin in reader.pins_in(since, reader.size):
        with reader.index(pin) as path:
            found = pq.read_table(path, columns=["leaf"], filters=pc.field("kind") == _KIND)
        raw += cast("list[bytes]", found.column("leaf").to_pylist())
    raw += [leaf for leaf in reader.tail.leaves if _MARK in leaf]
    for leaf in map(parse, raw):
        if leaf.kind == _KIND and leaf.index >= since:
            yield leaf


def _known(keys: KeyStore, key_id: str) -> bool:
    try:
        keys.key(key_id)
    except KeyDestroyed:
        return True
    except KeyUnavailable:
        return False
    return True


def _older(what: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"this key store is older than the log: it lacks {what}",
        kept="Nothing was written. What its keys open can be read as before.",
        todo="Open the log with the key store that wrote it last. If that one is lost for good,"
        " keep this store for reading and begin a new log: `aircon init`, in another place.",
    )
