"""Which logs a store holds."""

from __future__ import annotations

from logstore.errors import FormatError
from logstore.storage import layout
from logstore.storage.blobs import Blobs
from logstore.storage.logfile import MAX_LOG_FILE, LogFile, parse_log_file


def log_files(blobs: Blobs) -> list[LogFile]:
    """Descriptions of every log in a store, sorted by origin."""
    names = [key for key in blobs.keys("log/") if layout.is_log_file(key)]
    found = (_log_file(blobs, key) for key in names)
    return sorted((log for log in found if log is not None), key=lambda log: log.origin)


def _log_file(blobs: Blobs, key: str) -> LogFile | None:
    """A log's description; None for what somebody else has put where one could be."""
    try:
        found = _parsed(key, blobs.read(key))
    except FormatError:
        if not blobs.shared:
            raise
        return None
    return None if blobs.shared and layout.log_file(found.origin) != key else found


def _parsed(key: str, data: bytes) -> LogFile:
    if len(data) > MAX_LOG_FILE:
        raise FormatError(f"{key} is larger than any log's description")
    return parse_log_file(data)
