"""The key of a spool: given, from the environment, or in a file of mode 0600 beside the spool."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from logstore.disk import read_plain
from logstore.errors import KeyUnavailable, NotFound, TamperingFound, UsageError

KEY_BYTES = 32
"""Length of the key."""

VARIABLE = "AIRCON_SPOOL_KEY"
"""Environment variable that may hold the key in hex."""


def spool_key(spool: Path, given: bytes | Path | None) -> bytes:
    """The key of a spool directory; made and kept in a file where nobody gave one.

    Raises:
        UsageError: what was given is no key, or lies inside the spool that it opens.
        KeyUnavailable: the key file can be read by others, or is damaged.
    """
    if isinstance(given, bytes):
        return _checked(given, "spool_key")
    if given is None and (in_environment := os.environ.get(VARIABLE)):
        return _from_hex(in_environment)
    path = given or spool.with_name(spool.name + ".key")
    if path.resolve().is_relative_to(spool.resolve()):
        raise UsageError("The spool's key does not belong inside the spool.")
    return _from_file(path)


def _from_file(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = os.urandom(KEY_BYTES)
    staged = path.with_name(f".{path.name}.{os.getpid()}.{fresh[:4].hex()}")
    if not path.exists():
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, fresh)
            os.fsync(descriptor)
            os.link(staged, path)  # another process may have been first: then its key counts
        except FileExistsError:
            pass
        finally:
            os.close(descriptor)
            staged.unlink()
    try:
        key = read_plain(path, KEY_BYTES + 1)
        mode = path.stat()
    except (NotFound, TamperingFound, OSError) as error:
        raise KeyUnavailable(f"The spool's key {path} can not be read: {error}.") from None
    if mode.st_uid not in (os.getuid(), 0) or stat.S_IMODE(mode.st_mode) & 0o077:
        raise KeyUnavailable(
            f"The spool's key {path} can be read by others.",
            kept="Nothing was opened.",
            todo=f"Check who read it, then: chmod 600 {path}",
        )
    if len(key) != KEY_BYTES:
        raise KeyUnavailable(
            f"The spool's key {path} is damaged: it is not {KEY_BYTES} bytes long."
        )
    return key


def _from_hex(text: str) -> bytes:
    try:
        return _checked(bytes.fromhex(text), VARIABLE)
    except ValueError:
        raise UsageError(f"{VARIABLE} holds {KEY_BYTES * 2} hex digits.") from None


def _checked(key: bytes, name: str) -> bytes:
    if len(key) != KEY_BYTES:
        raise UsageError(f"{name} is {KEY_BYTES} bytes long.")
    return key
