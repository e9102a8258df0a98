"""Opens what a command needs: places, keys, the reader, the query engine, the writer. Lazily.

Rules of this file:

1. Trust comes from the policy file beside the store, never from the store.
2. Nothing is opened before it is asked for; `close` closes what was opened.
3. With `--clear-only` there is no key, so nothing can be signed and reading leaves no record. In
   every other case each query and decryption is recorded before its result is seen
   (`console.access`).
4. An `OpenStore` is what the console's `Session` asks for; see `console.tui.session`.
"""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from console import diagnostics, passphrases
from console.access import AccessRecorder
from console.progress import Progress
from logstore.errors import CannotJudge, FormatError, NotFound, UsageError

if TYPE_CHECKING:
    from console.presenters.verdict import Standing
    from console.tui.session import Extent, Verdict
    from logstore.formats.policy import Policy
    from logstore.keys.holders import KekHolder
    from logstore.keys.keystore import KeyStore
    from logstore.query.engine import Engine
    from logstore.query.explorer import Explorer
    from logstore.storage.log import Log
    from logstore.storage.places import Places
    from logstore.storage.reader import LogReader

VARIABLE = "AIRCON_STORE"
"""Environment variable that names the default store."""

DEFAULT_STORE = "evidence"
"""The store where neither an option nor the environment names one."""

_MAX_POLICY = 2**20


def places(args: Namespace) -> Places:
    """Where the store and its neighbours lie, by `--store`, `--keys`, `--policy`, environment."""
    from logstore.storage.places import Places

    given = str(args.store or os.environ.get(VARIABLE) or DEFAULT_STORE)
    found = _bucket(given) if given.startswith("s3:") else Places.of(Path(given))
    if getattr(args, "keys", None):
        found = replace(found, keys=Path(args.keys).absolute())
    if getattr(args, "policy", None):
        found = replace(found, policy=Path(args.policy).absolute())
    return found


def _bucket(address: str) -> Places:
    from logstore.s3.address import Address
    from logstore.storage.places import Places

    return Places.of_bucket(Address.parse(address))


def settled(places: Places, kms_key: str | None = None) -> Places:
    """The same places, once they are there: a bucket's home is made where there is none.

    Args:
        places: a store's.
        kms_key: the AWS KMS key that the bucket encrypts new objects under from now on.

    Raises:
        NotFound: there is no such directory.
        UsageError: the home is another bucket's.
    """
    if places.bucket is not None:
        from logstore.disk import Disk
        from logstore.storage.home import settle_home

        settle_home(places.store, places.bucket, Disk(), kms_key=kms_key)
    elif not places.store.is_dir():
        raise NotFound(
            f"there is no store at {places.store}",
            todo="Name it with --store or AIRCON_STORE, or make one with `aircon init`.",
        )
    return places


def policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        CannotJudge: there is none, or it is not a policy, so nobody is trusted.
    """
    from logstore.formats.policy import parse_policy

    try:
        with path.open("rb") as file:
            data = file.read(_MAX_POLICY + 1)
    except FileNotFoundError:
        raise CannotJudge(
            f"there is no policy at {path}: without one no signature can be trusted",
            todo="Give it with --policy; it was made by `aircon init`. Get it from whoever keeps"
            " it, not from the store.",
        ) from None
    try:
        return parse_policy(data)
    except FormatError as error:
        raise CannotJudge(f"{path} is not a policy: {error.what}") from None


def is_new(places: Places) -> bool:
    """Whether it is a bucket that has no home here yet."""
    from logstore.storage.home import read_remote

    return places.bucket is not None and read_remote(places.store) is None


def drop_if_unused(places: Places) -> None:
    """Remove a bucket's new home where the command that made it failed and left no more there.

    Otherwise what was tried first, at the wrong server perhaps, would be taken for the server.
    """
    from logstore.storage.home import drop_unused

    if places.bucket is not None:
        drop_unused(places.store)


class OpenStore:
    """A store and what was opened of it.

    Args:
        args: the options of `console.arguments.STORE` and `PASSPHRASE`, and what else of
            `clear_only` and `reason` the command has.
        verb: the command, for access records.
        needs_keys: whether the command opens the key store at all.
        protect: set the immutable flag on sealed files.

    Attributes:
        places: where everything lies.
        verb: the command.
    """

    def __init__(
        self, args: Namespace, verb: str, *, needs_keys: bool = True, protect: bool = True
    ) -> None:
        found = places(args)
        self._is_new = is_new(found)
        self.places = settled(found)
        self.verb = verb
        self._args = args
        self._clear_only = not needs_keys or bool(getattr(args, "clear_only", False))
        self._protect = protect
        self._holder: KekHolder | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if self._is_new and kind is not None:
            drop_if_unused(self.places)

    def close(self) -> None:
        """Close everything that was opened."""
        self._stack.close()

    # -- what it is made of -------------------------------------------------------------------

    @cached_property
    def policy(self) -> Policy:
        """Whom to trust."""
        return policy(self.places.policy)

    @cached_property
    def keys(self) -> KeyStore | None:
        """The opened key store; None with `--clear-only`.

        Raises:
            KeyUnavailable: there is no passphrase, or a wrong one.
        """
        return None if self._clear_only else self._open_keys()

    def _open_keys(self) -> KeyStore:
        keys = self.open_keys()
        self._stack.callback(keys.close)
        return keys

    def open_keys(self) -> KeyStore:
        """The key store opened once more; the caller closes it.

        Raises:
            KeyUnavailable: there is no passphrase, or a wrong one.
        """
        from logstore.keys.keystore import KeyStore

        if self._holder is None:
            self._holder = passphrases.holder(self._args, self.places.keys)
        return KeyStore.open(self.places.keys, self._holder)

    def _writing_keys(self) -> KeyStore:
        # Of its own: reading threads catch up with the key journal while this one appends to it.
        return self._open_keys()

    @cached_property
    def reader(self) -> LogReader:
        """The verified reader."""
        from logstore.storage.reader import LogReader

        origin = getattr(self._args, "log", None)
        made = LogReader.open(self.places.store, policy=self.policy, keys=self.keys, origin=origin)
        if made.blobs.away is not None:
            diagnostics.warn(f"{made.blobs.away.what}; this is what was on this machine already")
        return made

    @cached_property
    def recorder(self) -> AccessRecorder | None:
        """Who writes access records; None with `--clear-only`."""
        if self.keys is None:
            return None
        made = AccessRecorder(self.places.store, self._writing_keys, self._args, self.verb)
        self._stack.callback(made.close)
        return made

    @cached_property
    def engine(self) -> Engine:
        """The query engine."""
        from logstore.query.engine import Engine

        with Progress("opening the working copy") as progress:
            made = Engine.open(
                self.reader, work=self.places.work, on_access=self.recorder, on_progress=progress
            )
        return self._stack.enter_context(made)

    @cached_property
    def explorer(self) -> Explorer:
        """Questions over the records."""
        from logstore.query.explorer import Explorer

        return Explorer(self.engine)

    def log(self, *, seals: bool = False) -> Log:
        """The log, open for writing until this store is closed.

        Args:
            seals: the command is to seal, and says itself when that can not be done.

        Raises:
            UsageError: with `--clear-only`.
        """
        from logstore.storage.log import Log, Options

        if self.keys is None:
            raise UsageError("writing needs the key store")
        options = Options(protect=self._protect)
        with Progress("finishing an earlier sealing") as progress:
            made = Log.open(self.places.store, self.keys, options=options, progress=progress)
        if made.away is not None and not seals:
            diagnostics.warn(f"{made.away.what}; sealed records wait on this machine")
        return self._stack.enter_context(made)

    # -- what the console asks for ------------------------------------------------------------

    @property
    def name(self) -> str:
        """The log's name for the status line."""
        return self.reader.origin

    @property
    def store(self) -> str:
        """The store as a command line would name it; empty for the default store."""
        usual = os.environ.get(VARIABLE) or DEFAULT_STORE
        here = self.places.name
        return "" if here in {usual, str(Path(usual).absolute())} else here

    @property
    def locked(self) -> bool:
        """Whether content cannot be decrypted."""
        return self._clear_only

    def now_us(self) -> int:
        """Wall clock, microseconds since 1970 UTC."""
        return time.time_ns() // 1000

    def unlock(self, passphrase: bytes) -> None:
        """Open the key store of a store that was opened with `--clear-only`.

        Raises:
            PassphraseWrong: it does not open it.
        """
        from logstore.keys.holders import NoHolder, PassphraseHolder
        from logstore.keys.keystore import KeyStore, holder_name
        from logstore.keys.kmsholder import KmsHolder

        kind = holder_name(self.places.keys)
        without: dict[str | None, Callable[[], KekHolder]] = {
            NoHolder.name: NoHolder, KmsHolder.name: KmsHolder,
        }  # fmt: skip
        holder = without[kind]() if kind in without else PassphraseHolder(passphrase)
        keys = KeyStore.open(self.places.keys, holder)
        self._stack.callback(keys.close)
        self._holder, self._clear_only = holder, False
        for name in ("reader", "recorder", "engine", "explorer"):
            self.__dict__.pop(name, None)
        self.__dict__["keys"] = keys

    def record_access(self, kind: str, facts: Mapping[str, object]) -> None:
        """Append an ``access.*`` record with these facts in its body.

        Raises:
            WriterBusy: another process keeps the log.
            NotDurable: it could not be recorded; the access must not happen.
        """
        if self.recorder is not None:
            self.recorder.record(kind, {}, facts)

    def extent(self) -> Extent:
        """How much of the log is signed, sealed and witnessed."""
        from console.tui.session import Extent

        reader = self.reader
        signed = reader.checkpoint.size
        witnessed = reader.cosigned.witnessed().size
        away = reader.blobs.away is not None
        return Extent(reader.size, signed, reader.sealed, witnessed, away)

    def standing(self) -> Standing:
        """How far records are protected, for presenters; says nothing of a verification."""
        from console.presenters.verdict import Standing

        extent = self.extent()
        return Standing(
            size=extent.size,
            signed=extent.signed,
            sealed=extent.sealed,
            witnessed=extent.witnessed,
        )

    def verified_words(self, size: int) -> str:
        """Up to where an answer over the first `size` records can be relied on."""
        from logstore.formats.policy import NO_QUORUM

        signed = min(self.reader.checkpoint.size, size)
        words = f"{self.reader.origin}: {size:,} records, signed to {signed:,}"
        if self.policy.quorum != NO_QUORUM:
            words += f", witnessed to {min(self.reader.cosigned.witnessed().size, size):,}"
        return words if self.keys is not None else f"{words}; clear fields only, not recorded"

    def verify(
        self, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
    ) -> Verdict:
        """Check the whole log; `progress(done, total)` in records."""
        from console.verifying import verdict

        return verdict(self, progress, cancelled)
