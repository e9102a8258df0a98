"""The files of a sample: buffered, compressed the same way every time, counted, a little spoiled.

gzip headers carry no name and no time, so the same content gives the same bytes. Here and there a
bad line is planted, as disks and proxies leave them in real logs.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Protocol

import msgspec

from drills.sample.call import Turn
from drills.sample.company import DAY, END, START

_BUFFER = 256 * 1024
_GATEWAY_ERROR = b"<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"
_TORN = b'{"id":"chatcmpl-4e1f0c","status":"success","messages":[{"role":"us'
_TORN_SPAN = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.na'
_NOISE = b"\x00\xff\xfe\x80\x12 torn write \xc3\x28"

# file name: line number before which a bad line is planted
_SPOILED: dict[str, dict[int, bytes]] = {
    "wren-web/traces-2026-w45.jsonl.gz": {40: _TORN_SPAN},
    "gateway/litellm-2026-w45.ndjson.gz": {100: _GATEWAY_ERROR, 230: _TORN},
    "gateway/litellm-2026-w46.ndjson.gz": {77: _NOISE},
    "ledger-desk/ApiManagementGatewayLlmLog-2026-w46.jsonl": {30: _GATEWAY_ERROR},
    "campaign-studio/openai-pairs.jsonl": {20: _TORN},
    "field-notes/aircon-2026-w46.jsonl": {9: b'{"aircon":1,"operation":7,"start_us":"soon"}'},
}


class FileEntry(msgspec.Struct):
    """What one file holds.

    Attributes:
        path: relative to the sample, with forward slashes.
        format: the name its decoder goes by.
        interactions: calls of the sample in it.
        entries: pieces of evidence in it: the calls, and spans of the application around them.
        bad: lines planted that no importer can read.
    """

    path: str
    format: str
    interactions: int = 0
    entries: int = 0
    bad: int = 0


class Writer(Protocol):
    """Puts turns into files of one format."""

    def write(self, turn: Turn) -> str:
        """Write a turn; returns the path of the file that holds it, relative to the sample."""
        ...

    def close(self) -> None:
        """Write what is still held back."""
        ...


class Sink:
    """One file being written; compressed when its name ends in ``.gz``."""

    def __init__(self, root: Path, entry: FileEntry, level: int) -> None:
        self.entry = entry
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        packed = entry.path.endswith(".gz")
        self._pack = zlib.compressobj(level, zlib.DEFLATED, 31) if packed else None
        self._held: list[bytes] = []
        self._size = 0
        self._lines = 0
        self._spoiled = _SPOILED.get(entry.path, {})

    def line(self, data: bytes, interactions: int = 1, entries: int = 1) -> None:
        """Append a line that holds that many calls and pieces of evidence."""
        self._lines += 1
        if self._lines in self._spoiled:
            self._append(self._spoiled[self._lines] + b"\n")
            self.entry.bad += 1
        self._append(data + b"\n")
        self._count(interactions, entries)

    def message(self, data: bytes, interactions: int, entries: int) -> None:
        """Append a binary message as it is."""
        self._append(data)
        self._count(interactions, entries)

    def close(self) -> None:
        """Finish the file."""
        self._drain()
        if self._pack is not None:
            self._file.write(self._pack.flush())
        self._file.close()

    def _count(self, interactions: int, entries: int) -> None:
        self.entry.interactions += interactions
        self.entry.entries += entries

    def _append(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size >= _BUFFER:
            self._drain()

    def _drain(self) -> None:
        data = b"".join(self._held)
        self._held.clear()
        self._size = 0
        self._file.write(self._pack.compress(data) if self._pack is not None else data)


class Files:
    """All files of a sample.

    Args:
        root: the folder to fill.
        level: how hard to compress, 1 to 9.
    """

    def __init__(self, root: Path, level: int) -> None:
        self.root = root
        self.level = level
        self.entries: list[FileEntry] = []
        self._open: dict[str, Sink] = {}

    def sink(self, path: str, form: str) -> Sink:
        """The file of that name, opened at its first use."""
        sink = self._open.get(path)
        if sink is None:
            entry = FileEntry(path, form)
            self.entries.append(entry)
            sink = self._open[path] = Sink(self.root, entry, self.level)
        return sink

    def shut(self, path: str) -> None:
        """Finish one file, because nothing more goes into it."""
        sink = self._open.pop(path, None)
        if sink is not None:
            sink.close()

    def close(self) -> None:
        """Finish every file."""
        for sink in self._open.values():
            sink.close()
        self._open.clear()


def week(when_us: int) -> str:
    """The week of a moment as file names have it, ``2026-w45`` or ``2026-w46``."""
    return f"2026-w{45 + (min(when_us, END - 1) - START) // (7 * DAY)}"
