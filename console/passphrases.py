"""Where the passphrase comes from: a descriptor, a file, the environment, or the person.

Rules of this file:

1. One explicit source at most; without one `AIRCON_PASSPHRASE`; without that a key store that has
   no passphrase opens without asking; else the person is asked, where there is a terminal.
2. A key store without a passphrase is announced when it is made, and by `aircon doctor`.
3. A passphrase is never an argument (process lists show those), and its environment variable is
   removed once read, so that no child process inherits it.
"""

from __future__ import annotations

import os
import stat
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from console import diagnostics
from logstore.errors import KeyUnavailable, NotFound, UsageError

if TYPE_CHECKING:
    from logstore.keys.holders import KekHolder

VARIABLE = "AIRCON_PASSPHRASE"
"""Environment variable that may hold the passphrase."""

MAX_PASSPHRASE = 4_096
"""Longest passphrase in bytes."""

_INSECURE = "this key store has NO passphrase: whoever copies it can read every content"
_SOURCES = "--passphrase-file FILE, --passphrase-fd N or AIRCON_PASSPHRASE"


def holder(args: Namespace, keys: Path) -> KekHolder:
    """Who opens an existing key store.

    Raises:
        KeyUnavailable: there is no passphrase and nobody to ask.
        UsageError: several sources, or one that cannot be read.
    """
    from logstore.keys.keystore import holder_name

    kind = holder_name(keys)
    if kind is None:
        raise NotFound(
            f"there is no key store at {keys}",
            todo="Give its place with --keys; with --clear-only none is needed. Content is"
            " opened where the log is written.",
        )
    return of_kind(args, kind, keys)


def of_kind(args: Namespace, kind: str, keys: Path) -> KekHolder:
    """Who opens what a holder of this kind has sealed; `keys` names it to a person.

    Raises:
        KeyUnavailable: there is no passphrase and nobody to ask.
        UsageError: several sources, or one that cannot be read.
    """
    from logstore.keys.holders import NoHolder, PassphraseHolder
    from logstore.keys.kmsholder import KmsHolder

    given = _given(args)
    if kind == KmsHolder.name:
        return KmsHolder()
    if kind == NoHolder.name:
        return NoHolder()
    if args.insecure_no_passphrase:
        raise UsageError(f"the key store at {keys} has a passphrase", todo=f"Use {_SOURCES}.")
    return PassphraseHolder(given if given is not None else _asked(f"Passphrase for {keys}: "))


def new_kms_holder(args: Namespace, origin: str) -> KekHolder:
    """A key of AWS KMS in the place of a passphrase, tried before anything rests on it.

    Raises:
        KeyUnavailable: it can not be used.
        UsageError: a passphrase was given too, or what is named can not be a key.
    """
    from logstore.keys.kmsholder import KmsHolder

    if _given(args) is not None or args.insecure_no_passphrase:
        raise UsageError("--kms-key takes the place of a passphrase", kept="Nothing was made.")
    made = KmsHolder(args.kms_key, origin, args.kms_region)
    made.check()
    return made


def new_holder(args: Namespace, keys: Path) -> KekHolder:
    """Who will open a key store that is about to be made; a person types the passphrase twice.

    Raises:
        KeyUnavailable: there is no passphrase and nobody to ask.
        UsageError: several sources, one that cannot be read, or two different passphrases.
    """
    from logstore.keys.holders import NoHolder, PassphraseHolder

    given = _given(args)
    if args.insecure_no_passphrase:
        diagnostics.warn(_INSECURE)
        return NoHolder()
    if given is None:
        given = _asked(f"New passphrase for {keys}: ")
        if given != _asked("The same again: "):
            raise UsageError("the two passphrases differ", kept="Nothing was made.")
    return PassphraseHolder(given)


def _given(args: Namespace) -> bytes | None:
    sources = (args.passphrase_fd is not None, args.passphrase_file, args.insecure_no_passphrase)
    if sum(map(bool, sources)) > 1:
        raise UsageError("the passphrase can have one source only", todo=f"Use one of {_SOURCES}.")
    found = os.environb.pop(VARIABLE.encode(), None)
    if args.insecure_no_passphrase:
        return None
    if args.passphrase_fd is not None:
        found = _from_descriptor(args.passphrase_fd)
    elif args.passphrase_file:
        found = _from_file(Path(args.passphrase_file))
    return None if found is None else _checked(found)


def _from_descriptor(number: int) -> bytes:
    try:
        with os.fdopen(os.dup(number), "rb") as file:
            return file.readline(MAX_PASSPHRASE + 2)
    except OSError as error:
        raise UsageError(f"file descriptor {number} cannot be read: {error.strerror}") from None


def _from_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
                diagnostics.warn(f"others on this machine can read {path}")
            return file.readline(MAX_PASSPHRASE + 2)
    except OSError as error:
        raise UsageError(f"the passphrase file {path} cannot be read: {error.strerror}") from None


def _asked(question: str) -> bytes:
    import getpass

    if not _somebody_there():
        raise KeyUnavailable(
            "content needs the passphrase, and there is no terminal to ask for it",
            kept="Nothing was opened.",
            todo=f"Use {_SOURCES}, or --clear-only where the command has it.",
        )
    try:
        return _checked(getpass.getpass(question).encode("utf-8", "surrogateescape"))
    except EOFError:
        raise KeyUnavailable("no passphrase was given", kept="Nothing was opened.") from None


def _somebody_there() -> bool:
    """Whether a person can be asked; logs may come through standard input meanwhile."""
    if sys.stdin is not None and sys.stdin.isatty():
        return True
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _checked(passphrase: bytes) -> bytes:
    passphrase = passphrase.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise UsageError(
            "the passphrase is empty",
            todo="A store for demonstrations is made with --insecure-no-passphrase.",
        )
    if len(passphrase) > MAX_PASSPHRASE:
        raise UsageError(f"a passphrase holds at most {MAX_PASSPHRASE} bytes")
    return passphrase
