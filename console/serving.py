"""What `aircon serve` gives the endpoint: the log to write to and a file for its events."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from console import diagnostics
from console.opening import OpenStore
from logstore.errors import AirconError, UsageError

if TYPE_CHECKING:
    from logstore.formats.pins import SegmentPin
    from logstore.keys.keystore import KeyStore
    from logstore.storage.log import Log

BUSY_TIMEOUT_S = 10.0
"""How long another writer of the log is waited for before senders are told to come back."""


class LogOpening:
    """Opens the store's log for writing, each time with key files opened anew.

    Args:
        store: where it is.
        seal_bytes: size of unsealed records that starts sealing.
        on_sealed: told of each segment; see `Options`.
    """

    def __init__(
        self, store: OpenStore, *, seal_bytes: int, on_sealed: Callable[[SegmentPin, float], object]
    ) -> None:
        self._store = store
        self._seal_bytes = seal_bytes
        self._on_sealed = on_sealed
        self._keys: KeyStore | None = None

    def __call__(self) -> Log:
        """Open it.

        Raises:
            AirconError: it can not be opened.
        """
        from logstore.storage.log import Log, Options

        self.close()
        self._keys = self._store.open_keys()
        options = Options(
            auto_seal_bytes=self._seal_bytes,
            busy_timeout_s=BUSY_TIMEOUT_S,
            on_sealed=self._on_sealed,
        )
        return Log.open(self._store.places.store, self._keys, options=options)

    def close(self) -> None:
        """Close the key files."""
        keys, self._keys = self._keys, None
        if keys is not None:
            keys.close()


class EventFile:
    """Where event lines go: a file that can be opened anew after rotation, or stderr."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        if path is not None:
            self._file = _opened(path)

    def write(self, line: str) -> None:
        """Write one line. A full disk must not stop the endpoint; the line is lost then."""
        if self._file is None:
            diagnostics.note(line.rstrip("\n"))
            return
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            diagnostics.warn(f"{self._path}: {error.strerror}: {line.rstrip()}")

    def reopen(self) -> None:
        """Go on in a new file of the same name; the old one was moved away."""
        if self._path is None:
            return
        try:
            fresh = _opened(self._path)
        except AirconError as error:
            diagnostics.warn(error.what)
            return
        self.close()
        self._file = fresh

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _opened(path: Path) -> TextIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    except OSError as error:
        raise UsageError(f"{path} can not be written: {error.strerror}") from None
    return os.fdopen(descriptor, "a", encoding="utf-8")
