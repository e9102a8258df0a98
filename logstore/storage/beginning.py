"""Where a log is about to begin: whether it may, and what an earlier attempt left there.

Rules:

1. A log that is there is never started anew. It is there once its description is; that is put last.
2. What an attempt made that stopped before that, is used by the next: key store, policy, writer.
   Nothing of it is removed, least of all keys.
3. Keys that signed records which are not here begin nothing: their store is elsewhere, or lost.
"""

from __future__ import annotations

from pathlib import Path

from logstore.disk import AlreadyThere, Disk, read_plain
from logstore.errors import UsageError
from logstore.keys.heads import RememberedHead
from logstore.keys.keystore import holder_name
from logstore.storage import layout
from logstore.storage.home import WRITER_FILE
from logstore.storage.places import Places
from logstore.storage.stores import open_blobs
from logstore.storage.wal import wal_files

_KEPT = "Nothing was changed; a log is never started anew over another."
_CHOOSE = "Choose another place, or use what is there."
_MAX_POLICY = 2**20


def check_place(places: Places, origin: str) -> None:
    """See that a log can begin there, or that the same one has begun there and is not yet.

    Args:
        places: of the store; the home of a bucket is made.
        origin: the log.

    Raises:
        UsageError: it is there already, or something else is.
        StoreAway: the bucket can not be asked, or refuses.
    """
    if places.store.exists() and not places.store.is_dir():
        raise _taken(places.store)
    if open_blobs(places.store, Disk()).keys(layout.log_file(origin)):
        raise UsageError(
            f"{places.name} holds a log {origin} already", kept=_KEPT,
            todo="Open it where its keys are, or give the new one another name with --origin.",
        )  # fmt: skip
    wal = places.store / layout.wal_directory(origin)
    if holder_name(places.keys) is None:
        files = (places.store / layout.STORE_FILE, places.store / WRITER_FILE, places.policy)
        for path in (*files, places.keys):
            if path.exists():
                raise _taken(path)
    elif not wal.is_dir() and any(wal.parent.glob("log=*")):
        raise _taken(places.keys)
    elif RememberedHead(places.keys / "head", Disk()).read() is not None and not wal_files(wal):
        raise UsageError(
            f"the keys in {places.keys} have signed records that are not in {places.name}",
            kept=_KEPT,
            todo="Put the store back where it was, or choose another place with --keys.",
        )


def put_policy(path: Path, text: str) -> None:
    """Make the policy file, or find it made by an attempt before.

    Raises:
        UsageError: another one is there.
    """
    data = text.encode()
    try:
        Disk().create(path, data, mode=0o644)
    except AlreadyThere:
        if read_plain(path, _MAX_POLICY) != data:
            raise _taken(path) from None


def _taken(path: Path) -> UsageError:
    return UsageError(f"{path} exists already", kept=_KEPT, todo=_CHOOSE)
