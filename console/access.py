"""Says on the log who looked at what, and why: the ``access.*`` records.

Rules of this file:

1. The record is on disk before the result is handed out; where it cannot be written, the result
   is withheld (exit 4 when another writer keeps the log, 5 when the disk refuses).
2. The question, the reason and the records opened stand in the encrypted body, because a
   question can name a person; who asked, what sort of question and how many rows stand in clear.
3. The same question within ten minutes is one record: paging, a live tail and a redrawn histogram
   repeat it, and records about repeats would themselves be new records to show.
4. The writer lease is taken for each record only, so that an import can go on beside it.
"""

from __future__ import annotations

import getpass
import os
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.keys.keystore import KeyStore
    from logstore.query.access import AccessEvent
    from logstore.storage.log import Log

SOURCE = "console"
"""`source` of the records written here."""

BUSY_TIMEOUT_S = 5.0
"""How long another writer is waited for."""

_SAME_S = 600.0
_REMEMBERED = 1_000
_MAX_OPERATOR = 100
_DECRYPTS = ("detail", "build")
_PAGES = ("rows", "histogram")


def operator() -> str:
    """Who is at the keyboard: ``$AIRCON_OPERATOR``, else the login name.

    Raises:
        UsageError: the name is empty, too long or not printable.
    """
    name = os.environ.get("AIRCON_OPERATOR") or _login()
    if len(name) > _MAX_OPERATOR or not name.isprintable() or not name.strip():
        raise UsageError("AIRCON_OPERATOR must be 1 to 100 printable characters")
    return name


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


class AccessRecorder:
    """Appends access records; the log is opened when the first one is due.

    Args:
        store: the store directory.
        keys: gives an opened key store that nothing else writes to meanwhile.
        args: `--reason`, if the command has it.
        verb: the command, kept in the record.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        store: Path,
        keys: Callable[[], KeyStore],
        args: Namespace,
        verb: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keys = keys
        self._operator = operator()
        self._reason = str(getattr(args, "reason", None) or "")
        self._verb = verb
        self._clock = clock
        self._log: Log | None = None
        self._lock = threading.Lock()
        self._said: dict[tuple[object, ...], float] = {}

    def __call__(self, event: AccessEvent) -> None:
        """Record a query or decryption of `logstore.query`; raises as `record` does."""
        page = event.action in _PAGES
        seen = () if page else event.indexes_read
        same = ("search" if page else event.action, event.text, seen, event.error)
        with self._lock:
            if self._clock() - self._said.get(same, float("-inf")) < _SAME_S:
                return
            kind = "access.decrypt" if event.action in _DECRYPTS else "access.query"
            private = {"text": event.text, "records": list(event.indexes_read)}
            clear = {"action": event.action, "rows": event.rows}
            self._append(kind, clear, {**private, "error": event.error})
            self._remember(same)

    def record(self, kind: str, clear: Mapping[str, object], private: Mapping[str, object]) -> None:
        """Append one record and wait until it is on disk.

        Raises:
            WriterBusy: another process kept the log for `BUSY_TIMEOUT_S`.
            NotDurable: the disk refused.
        """
        with self._lock:
            self._append(kind, clear, private)

    def _append(
        self, kind: str, clear: Mapping[str, object], private: Mapping[str, object]
    ) -> None:
        from logstore.formats import body
        from logstore.formats.record import Record

        note = {"reason": self._reason, "command": self._verb, **private}
        content = body.encode(body.Body(note={name: said for name, said in note.items() if said}))
        self._open().append(Record(kind, SOURCE, self._operator, clear=clear, content=content))

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _open(self) -> Log:
        if self._log is None:
            from logstore.storage.log import Log, Options

            options = Options(auto_seal_bytes=None, busy_timeout_s=BUSY_TIMEOUT_S)
            self._log = Log.open(self._store, self._keys(), options=options)
        return self._log

    def _remember(self, same: tuple[object, ...]) -> None:
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[same] = self._clock()
