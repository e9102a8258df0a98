"""Every file of a store, whatever it is: nothing may lie there that no record accounts for."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from logstore.storage.layout import STORE_FILE, slug
from logstore.verify.findings import Finding

TEMPORARY = re.compile(r"\.[^/]+\.[0-9a-f]{12}\.tmp")
"""Names that `Disk.stage` gives to files it is writing."""

_KINDS = ("log", "index", "body", "seal", "claim", "cosigned", "wal")
_LOCKS = ("writer.lock", "seal.lock", "guards.due")


@dataclass(frozen=True, slots=True)
class Item:
    """One file or object.

    Attributes:
        size: bytes.
        identity: changes when something else bears its name.
        writable: whether its mode lets anybody write to it.
    """

    size: int
    identity: str
    writable: bool = False


@dataclass(slots=True)
class Listing:
    """What lies in a store.

    Attributes:
        files: plain files by path within the store, with forward slashes.
        odd: what should not be there, or not so: links, devices, versions over versions.
    """

    files: dict[str, Item] = field(default_factory=dict)
    odd: list[Finding] = field(default_factory=list)

    def size(self, key: str) -> int:
        """Bytes of a file; 0 when it is not there."""
        found = self.files.get(key)
        return 0 if found is None else found.size

    def below(self, prefix: str) -> list[str]:
        """Files whose path starts with a prefix, sorted."""
        return sorted(key for key in self.files if key.startswith(prefix))


def look_around(store: Path, only: str = "") -> Listing:
    """List a store, or only what lies below one of its folders, without following any link."""
    listing = Listing()
    for key, entry in _walk(store / only, only):
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode):
            writable = bool(found.st_mode & 0o222)
            listing.files[key] = Item(found.st_size, f"{found.st_dev}-{found.st_ino}", writable)
        elif not stat.S_ISDIR(found.st_mode):
            listing.odd.append(Finding("wrong-kind", "it is a link or a special file", key))
    return listing


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        key = prefix + entry.name
        yield key, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, key + "/")


def log_of(key: str) -> str | None:
    """Slug of the log a file belongs to, or None when its path is not that of a log's file."""
    kind, _, rest = key.partition("/")
    folder, slash, _ = rest.partition("/")
    if kind not in _KINDS or not slash or not folder.startswith("log="):
        return None
    return folder.removeprefix("log=")


def present_logs(listing: Listing) -> set[str]:
    """Slugs of the logs that have any file here."""
    return {found for key in listing.files if (found := log_of(key)) is not None}


def unaccounted(listing: Listing, claimed: set[str], origins: list[str]) -> list[Finding]:
    """Files that nothing accounts for.

    Args:
        listing: the store.
        claimed: files that are pinned by records or checked otherwise.
        origins: logs that were verified; files of other logs are not judged here.
    """
    slugs = {slug(origin) for origin in origins}
    findings = []
    for key in listing.files:
        if key in claimed or key == STORE_FILE:
            continue
        log = log_of(key)
        if log is not None and log not in slugs:
            continue
        findings += _judge(key, listing.size(key), log)
    return findings


def _judge(key: str, size: int, log: str | None) -> list[Finding]:
    name = key.rpartition("/")[2]
    wal = f"wal/log={log}/"
    if log is not None and key.startswith(wal):
        if key.removeprefix(wal) in _LOCKS and size == 0:
            return []
        if key.startswith(wal + "staging/"):
            return [Finding("sealing-under-way", "a staged part of a segment or supplement", key)]
    here = key.removesuffix(name)
    if TEMPORARY.fullmatch(name) and here in ("", wal, f"log/log={log}/"):
        return [Finding("temporary-file", "left by a crash, or being written", key)]
    return [Finding("extra-file", "no record of the log accounts for it", key)]


def writable(listing: Listing) -> list[Finding]:
    """A note when sealed files are not read-only."""
    kinds = ("index/", "body/", "seal/", "cosigned/", "log/")
    loose = [k for k, item in listing.files.items() if k.startswith(kinds) and item.writable]
    if not loose:
        return []
    return [Finding("writable", f"{len(loose)} sealed files are not read-only", min(loose))]
