"""A bucket's home on this machine: what a machine needs locally to use a store on S3.

    remote.json  which bucket, and how it is reached (`logstore.s3.remote`)
    writer.json  on the writer's machine only: who it is, and how it locks what it writes
    wal/         unsealed records and staged segments, likewise
    copies/      small objects as they were read or written: seals, descriptions, checkpoints
    cache/       sealed objects by digest (`cache`)

A home takes the place of a store's directory in every call. Where there is no ``remote.json``, the
directory is the store itself.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec

from logstore.disk import Disk, read_plain
from logstore.errors import FormatError, UsageError
from logstore.s3.address import Address
from logstore.s3.remote import MAX_FILE, REMOTE_FILE, Remote, encode, parse
from logstore.storage.places import Places

WRITER_FILE = "writer.json"

Mode = Literal["COMPLIANCE", "GOVERNANCE"]
"""Object Lock modes, as S3 spells them."""


class WriterFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``writer.json`` says.

    Attributes:
        id: 16 hexadecimal digits: tells this writer from every other of the same store.
        host: the machine that it was made on.
        mode: how its objects are locked.
    """

    id: str
    host: str
    mode: Mode

    def __str__(self) -> str:
        return f"{self.host} ({self.id})"


def read_remote(folder: Path) -> Remote | None:
    """The bucket whose home a directory is; None when it is no home, so the store itself.

    Raises:
        FormatError: the file can not be read.
    """
    try:
        return parse(read_plain(folder / REMOTE_FILE, MAX_FILE))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_writer(folder: Path) -> WriterFile | None:
    """Who writes from a home; None when this machine only reads.

    Raises:
        FormatError: the file can not be read.
    """
    try:
        data = read_plain(folder / WRITER_FILE, MAX_FILE)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data, type=WriterFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(
            f"{folder / WRITER_FILE} can not be read: {error}",
            kept="The bucket is not affected.",
            todo="Put the file back from a copy.",
        ) from None


def remote_here(address: Address) -> Remote:
    """A bucket as this machine's environment says how to reach it: boto3's own variables.

    What is found once is kept in the home, so that evidence does not go to another server of the
    same bucket name where a variable is missing the next time.

    Raises:
        UsageError: a variable can not be what it is meant for.
    """
    said = os.environ.get
    return Remote(
        address,
        said("AWS_ENDPOINT_URL_S3") or said("AWS_ENDPOINT_URL") or None,
        said("AWS_REGION") or said("AWS_DEFAULT_REGION") or None,
        said("AWS_CA_BUNDLE") or None,
    )


def settle_home(
    folder: Path, address: Address, disk: Disk, *, kms_key: str | None = None
) -> Remote:
    """The home of a bucket, made where there is none; returns how the bucket is reached.

    Args:
        folder: the home.
        address: the bucket.
        disk: how files are written.
        kms_key: see `Remote.kms_key`; None for what the home says already.

    Raises:
        UsageError: it is the home of another bucket, or of the same on another server than the
            environment names now.
        FormatError: its files can not be read.
    """
    there, here = read_remote(folder), remote_here(address)
    if there is None:
        made = replace(here, kms_key=kms_key)
        make_home(folder, made, disk)
        return made
    if there.address != address:
        raise UsageError(f"{folder} is the home of {there.address}, not of {address}")
    if here.endpoint_url not in {None, there.endpoint_url}:
        raise UsageError(
            f"{address} was used at {there.endpoint_url or 'Amazon'} so far, and the environment"
            f" says {here.endpoint_url}",
            kept="Nothing was read or written.",
            todo=f"Unset AWS_ENDPOINT_URL; if the server has moved, edit {folder / REMOTE_FILE}.",
        )
    if kms_key not in {None, there.kms_key}:
        there = replace(there, kms_key=kms_key)
        make_home(folder, there, disk)
    return there


def reads_only(folder: Path) -> bool:
    """Whether a directory is a bucket's home on a machine that only reads.

    Raises:
        FormatError: its files can not be read.
    """
    return read_remote(folder) is not None and read_writer(folder) is None


def drop_unused(folder: Path) -> None:
    """Remove a home that says where a bucket is and holds nothing else, nor has neighbours.

    Otherwise an attempt at the wrong server would be remembered as the server.
    """
    beside = Places.of(folder)
    neighbours = (beside.keys, beside.policy, beside.work, beside.seen, beside.tokens)
    if not folder.is_dir() or any(each.exists() for each in neighbours):
        return
    if {each.name for each in folder.iterdir()} <= {REMOTE_FILE}:
        (folder / REMOTE_FILE).unlink(missing_ok=True)
        folder.rmdir()


def check_may_write(folder: Path) -> None:
    """See that a log may be written from a directory.

    Raises:
        UsageError: it is a bucket's home on a machine that only reads.
    """
    remote = read_remote(folder)
    if remote is not None and read_writer(folder) is None:
        raise UsageError(
            f"this machine only reads {remote.address}",
            kept="Nothing was written.",
            todo="Write, and open content, on the machine where the log was made.",
        )


def make_home(folder: Path, remote: Remote, disk: Disk) -> None:
    """Make a directory the home of a bucket."""
    disk.make_directory(folder, 0o700)
    disk.replace(folder / REMOTE_FILE, encode(remote), mode=0o600)


def make_writer(folder: Path, identity: str, mode: Mode, disk: Disk) -> None:
    """Let a home write; `identity` is `WriterFile.id`."""
    writer = WriterFile(identity, socket.gethostname(), mode)
    data = msgspec.json.format(msgspec.json.encode(writer), indent=1) + b"\n"
    disk.create(folder / WRITER_FILE, data, mode=0o600)
