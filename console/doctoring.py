"""What `aircon doctor` looks at: protections as they are in force, not as they are meant."""

from __future__ import annotations

import os
import resource
import stat
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from console import bucketdoctor, opening
from console.doctorcheck import Check, State
from logstore.errors import AirconError, NotFound

if TYPE_CHECKING:
    from logstore.storage.places import Places
    from logstore.storage.reader import LogReader

_VOLATILE = ("tmpfs", "ramfs")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p")
_LOW_SPACE = 2**30
_WRITERS = stat.S_IWGRP | stat.S_IWOTH
_PACKAGES = ("cryptography", "duckdb", "pyarrow", "textual", "msgspec", "xxhash")


def checks(args: Namespace) -> Iterator[Check]:
    """Every check, in order; those of a store only where there is one."""
    from logstore.storage.home import read_remote

    yield _packages()
    yield _core_dumps()
    yield _swap()
    yield _working_copy_encryption()
    places = opening.places(args)
    is_new = opening.is_new(places)
    try:
        opening.settled(places)
    except NotFound:
        yield Check("store", "warn", f"there is none at {places.name}; see `aircon init`")
        return
    remote = read_remote(places.store)
    if remote is not None:
        yield from bucketdoctor.checks(remote)
    yield from _file_system(places.store)
    yield from _keys(places.keys)
    file = args.token_file
    yield _tokens(Path(file) if file else places.tokens, named=bool(file))
    yield _policy(places)
    yield _working_copy(places.work)
    try:
        policy = opening.policy(places.policy)
        from logstore.storage.reader import LogReader

        reader = LogReader.open(places.store, policy=policy, origin=args.log)
    except AirconError as error:
        if is_new:
            opening.drop_if_unused(places)
        yield Check("log", "bad", f"{error.what}; run `aircon verify`")
        return
    if remote is not None:
        yield from bucketdoctor.locks(reader, remote)
    else:
        yield from _sealed(reader, places.store)
    yield _unsealed(reader)
    yield _quorum(reader)
    yield _clock(reader)


def _packages() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    said = [f"Python {sys.version.split()[0]}"]
    for name in _PACKAGES:
        try:
            said.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            return Check("packages", "bad", f"{name} is not installed")
    return Check("packages", "ok", "import names are aircon's own; " + ", ".join(said))


def _core_dumps() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    if soft == 0:
        return Check("core dumps", "ok", "off: a crash leaves no plaintext behind")
    return Check("core dumps", "warn", "on: a crash could leave plaintext; set `ulimit -c 0`")


def _swap() -> Check:
    try:
        lines = Path("/proc/swaps").read_text("utf-8").splitlines()[1:]
    except OSError:
        return Check("swap", "warn", "cannot be looked at here")
    plain = [line.split()[0] for line in lines if not line.startswith(("/dev/dm-", "/dev/zram"))]
    if plain:
        return Check("swap", "warn", f"{', '.join(plain)} may hold plaintext, if not encrypted")
    return Check("swap", "ok", "no plain swap device")


def _working_copy_encryption() -> Check:
    from logstore.query.lockdown import instance

    connection, protection = instance(threads=1, memory="256MB")
    connection.close()
    return Check("working copy files", "ok" if protection.encrypted else "bad", protection.words)


def _file_system(store: Path) -> Iterator[Check]:
    kind = _mounted_as(store)
    if kind in _VOLATILE:
        yield Check("file system", "bad", f"{kind}: the store is gone with the next restart")
    elif kind in _NETWORK:
        yield Check("file system", "warn", f"{kind}: locks and flushing may not be what they seem")
    else:
        yield Check("file system", "ok", kind)
    seen = os.statvfs(store)
    free = seen.f_bavail * seen.f_frsize
    state: State = "ok" if free > _LOW_SPACE else "warn"
    yield Check("free space", state, f"{free:,} bytes")


def _mounted_as(path: Path) -> str:
    best, kind = "", "unknown"
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    except OSError:
        return kind
    for line in lines:
        _, point, name, *_ = line.split(" ")
        point = point.encode().decode("unicode_escape")
        if len(point) >= len(best) and path.is_relative_to(point):
            best, kind = point, name
    return kind


def _keys(keys: Path) -> Iterator[Check]:
    from logstore.keys.keystore import holder_name

    holder = holder_name(keys)
    if holder is None:
        yield Check("key store", "warn", f"there is none at {keys}: clear fields only")
        return
    if holder == "none":
        yield Check(
            "passphrase",
            "bad",
            "NONE: whoever copies the key store reads every content and can sign for the log",
        )
    elif holder == "aws-kms":
        says = "AWS KMS opens the key store: whoever has it and may use that key reads all"
        yield Check("KMS key", "ok", says)
    else:
        yield Check("passphrase", "ok", f"the key store is sealed by: {holder}")
    yield _private("key store files", keys)


def _private(name: str, directory: Path) -> Check:
    open_to_others = [
        path
        for path in (directory, *directory.rglob("*"))
        if path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        and (path == directory or path.is_file())
    ]
    if directory.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(name, "bad", f"others on this machine can enter {directory}; chmod 700")
    said = f"{directory} is closed to others"
    return Check(name, "ok", said if not open_to_others else f"{said}, though files in it are not")


def _tokens(path: Path, *, named: bool = False) -> Check:
    """The file that says who may send to the endpoint, as `aircon serve` will judge it."""
    try:
        seen, around = path.stat(), path.resolve().parent.stat()
    except OSError as error:
        if named:
            return Check("token file", "bad", f"{path} is not there to look at: {error.strerror}")
        return Check("token file", "ok", f"none at {path}; one elsewhere needs --token-file")
    state, says = _openness(path, seen)
    if state == "ok" and around.st_mode & _WRITERS and not around.st_mode & stat.S_ISVTX:
        state, says = "bad", f"others can put another file in its place: chmod go-w {path.parent}"
    if state == "ok":
        from logstore.receiving.tokenfile import load

        try:
            says = f"{len(load(path)):,} tokens in {path}, closed to others"
        except AirconError as error:
            state, says = "bad", f"{error.what}; {error.todo or 'look what it is'}"
    return Check("token file", state, says)


def _openness(path: Path, seen: os.stat_result) -> tuple[State, str]:
    mode = f"mode {stat.S_IMODE(seen.st_mode):04o}"
    if seen.st_uid not in (os.geteuid(), 0):
        return "bad", (
            f"{path} belongs to user {seen.st_uid}, who can let anybody send: chown {os.geteuid()}"
        )
    if seen.st_mode & _WRITERS:
        return "bad", (
            f"others can write {path} ({mode}) and so let anybody send; `aircon serve` will not use"
            " it: chmod 600, then look for strangers in `aircon token list`"
        )
    if seen.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return "bad", (
            f"others can read {path} ({mode}): names of senders and hashes, no tokens;"
            " `aircon serve` will not use it: chmod 600"
        )
    return "ok", ""


def _policy(places: Places) -> Check:
    try:
        opening.policy(places.policy)
    except AirconError as error:
        return Check("policy", "bad", error.what)
    if places.policy.is_relative_to(places.store):
        return Check("policy", "bad", "it lies inside the store: who changes one changes both")
    if os.access(places.policy, os.W_OK):
        return Check(
            "policy", "warn",
            f"{places.policy} can be changed from this account; compare it with a copy elsewhere",
        )  # fmt: skip
    return Check("policy", "ok", f"{places.policy} cannot be changed from this account")


def _working_copy(work: Path) -> Check:
    if not work.is_dir():
        return Check("working copy", "ok", "none here now")
    return _private("working copy", work)


def _sealed(reader: LogReader, store: Path) -> Iterator[Check]:
    from logstore.disk import is_immutable

    paths = [store / pin.index.key for pin in reader.pins]
    paths += [store / pin.body.key for pin in reader.pins if pin.body is not None]
    present = [path for path in paths if path.is_file()]
    if not present:
        yield Check("sealed files", "ok", "none yet")
        return
    yield _share("write-protected", present, lambda path: not path.stat().st_mode & 0o222)
    yield _share("immutable flag", present, is_immutable)


def _share(name: str, paths: list[Path], holds: Callable[[Path], bool]) -> Check:
    held = sum(map(holds, paths))
    said = f"{held:,} of {len(paths):,} sealed files"
    if held == len(paths):
        return Check(name, "ok", said)
    return Check(name, "warn", f"{said}; the rest is guarded by hashes and signatures only")


def _unsealed(reader: LogReader) -> Check:
    waiting = reader.size - reader.sealed
    return Check("unsealed records", "ok", f"{waiting:,} of {reader.size:,}")


def _quorum(reader: LogReader) -> Check:
    """Whether anybody but the log's own key vouches for its newest records."""
    from logstore.formats.policy import NO_QUORUM

    wanted = reader.policy.quorum
    if wanted == NO_QUORUM:
        return Check(
            "witnesses", "warn",
            "the policy asks for none: who has the log's key could show everybody another log;"
            " see `aircon witness --help`",
        )  # fmt: skip
    size = reader.cosigned.witnessed().size
    if size >= reader.size:
        return Check("witnesses", "ok", f"the quorum {wanted} has cosigned all {size:,} records")
    said = f"the quorum {wanted} has cosigned {size:,} of {reader.size:,} records"
    todo = "only the log's own key vouches for the rest: `aircon witness request`, then `take`"
    return Check("witnesses", "warn" if size else "bad", f"{said}; {todo}")


def _clock(reader: LogReader) -> Check:
    from logstore.formats.leaf import parse

    newest = parse(reader.leaves(reader.size - 1, 1)[0]).recorded_us
    ahead = newest / 1e6 - time.time()
    if ahead > 1:
        return Check("clock", "bad", f"{ahead:,.0f} s behind the newest record: it was moved")
    return Check("clock", "ok", "not behind the newest record")
