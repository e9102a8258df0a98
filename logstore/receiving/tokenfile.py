"""The token file on disk, and the book of tokens that a running endpoint keeps of it.

    change   flock(.FILE.lock) -> read -> stage the new file, flushed -> tell (the log) -> rename
             -> fsync(dir)

Rules of this file:

1. Whoever can read the file learns names and hashes only, whoever can write it lets anybody in:
   it must belong to its reader or to root, and be closed to everybody else (0600).
2. The old file stays whole until the new one takes its name. A change that can not be told to the
   log does not happen; a crash between the two leaves a token on the log that is good nowhere, or
   one whose revocation must be given again, and never a change that the log does not know.
3. A broken new file never replaces a book that works.
"""

from __future__ import annotations

import glob
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from logstore.disk import Disk, lock_file
from logstore.errors import AirconError, CannotJudge, FormatError, NotFound, UsageError
from logstore.receiving.tokens import (
    ENTROPY_BYTES,
    MAX_FILE,
    Census,
    Scope,
    Token,
    Tokens,
    Verdict,
    Wish,
    encode,
    parse,
)

_Made = TypeVar("_Made")
_Mark = tuple[int, int, int, int]
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def load(path: Path) -> Tokens:
    """Read a token file.

    Raises:
        NotFound: there is none.
        UsageError: it is open to others than its owner, or belongs to somebody else.
        CannotJudge: it is not a token file, or can not be read.
    """
    return _read(path)[0]


def add(
    path: Path, wish: Wish, tell: Callable[[Token], None], *, disk: Disk | None = None
) -> tuple[Token, str]:
    """Make a token and keep its hash; the file is made if there is none.

    Args:
        path: the token file.
        wish: what the token is to be.
        tell: puts the new token on record; when it raises, nothing is changed.
        disk: for tests.

    Returns:
        What is kept of it, and the token itself, which is kept nowhere.

    Raises:
        UsageError: the wish can not be met; or as `load`.
        NotDurable: the disk refused; nothing was changed.
    """

    def change(tokens: Tokens) -> tuple[Tokens, Token, str]:
        return tokens.with_new(wish, secrets.token_bytes(ENTROPY_BYTES), _now_us())

    return _changed(path, change, tell, disk or Disk())


def revoke(
    path: Path, word: str, tell: Callable[[Token], None], *, disk: Disk | None = None
) -> Token:
    """Revoke the token with this name or id; arguments and errors as for `add`.

    Raises:
        NotFound: there is no token file.
    """
    load(path)

    def change(tokens: Tokens) -> tuple[Tokens, Token, None]:
        return *tokens.with_revoked(word, _now_us()), None

    return _changed(path, change, tell, disk or Disk())[0]


class TokenBook:
    """The tokens in force; what is read from the file takes their place as a whole.

    Args:
        path: the token file.

    Raises:
        AirconError: as `load`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokens, self._mark = _read(path)

    def __len__(self) -> int:
        return len(self._tokens)

    def judge(self, text: str, scope: Scope, now_us: int) -> Verdict:
        """See `Tokens.judge`; one consistent set of tokens, whatever is read meanwhile."""
        return self._tokens.judge(text, scope, now_us)

    def census(self, now_us: int) -> Census:
        """What becomes of the tokens in force."""
        return self._tokens.census(now_us)

    def stale(self) -> bool:
        """Whether the file is another than at the last look, so that `reload` is due.

        One `stat`, no reading. Each change is said once, so that a broken file is not read, and
        complained of, at every look; no file is no change, as the book works on without it.
        """
        try:
            found = _mark(self._path.stat())
        except OSError:
            return False
        seen, self._mark = self._mark, found
        return found != seen

    def reload(self) -> int:
        """Read the file again.

        Returns:
            How many tokens it holds.

        Raises:
            AirconError: as `load`; the tokens in force stay as they were.
        """
        try:
            self._tokens, self._mark = _read(self._path)
        except AirconError as error:
            error.kept = "The tokens that were read before stay in force."
            raise
        return len(self._tokens)


def _changed(
    path: Path,
    change: Callable[[Tokens], tuple[Tokens, Token, _Made]],
    tell: Callable[[Token], None],
    disk: Disk,
) -> tuple[Token, _Made]:
    path = Path(os.path.realpath(path))  # a link to the file stays one
    if not path.parent.is_dir():
        raise NotFound(f"there is no directory {path.parent}", kept="Nothing was changed.")
    lock = lock_file(path.with_name(f".{path.name}.lock"), wait=True)
    assert lock is not None
    try:
        for left in sorted(path.parent.glob(f".{glob.escape(path.name)}.*.tmp")):
            disk.remove(left)  # by a crash: only who has the lock makes them
        tokens, token, made = change(_known(path))
        staged = disk.stage(path, encode(tokens), mode=0o600)
        try:
            tell(token)
        except BaseException:
            disk.remove(staged)
            raise
        disk.put(staged, path)
    finally:
        os.close(lock)
    return token, made


def _known(path: Path) -> Tokens:
    try:
        return load(path)
    except NotFound:
        return Tokens()


def _read(path: Path) -> tuple[Tokens, _Mark]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFound(
            f"there is no token file {path}", todo="`aircon token add NAME` makes one."
        ) from None
    except OSError as error:
        raise CannotJudge(f"the token file {path} can not be read: {error.strerror}") from None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        _check_closed(path, found)
        data = file.read(MAX_FILE + 1)
    try:
        return parse(data), _mark(found)
    except FormatError as error:
        raise CannotJudge(
            f"{path} is not a token file: {error.what}",
            todo="Put back a copy of it, or remove it and make new tokens with `aircon token add`.",
        ) from None


def _check_closed(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} is no plain file, so it can not be a token file")
    if found.st_uid not in (os.geteuid(), 0):
        raise UsageError(
            f"the token file {path} belongs to another user, who could let anybody in",
            todo=f"Say `chown {os.geteuid()} {path}`, or run as its owner.",
        )
    if found.st_mode & _OTHERS:
        raise UsageError(
            f"others on this machine can read or write the token file {path}"
            f" (mode {stat.S_IMODE(found.st_mode):04o})",
            kept="It was not used.",
            todo=f"Say `chmod 600 {path}`; look who could have changed it before.",
        )


def _mark(found: os.stat_result) -> _Mark:
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns


def _now_us() -> int:
    return time.time_ns() // 1000
