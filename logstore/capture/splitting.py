"""A source's bytes cut into one item per interaction, in a stream and in bounded memory.

Lines and values of different formats may stand in one file: each is looked at by itself. What no
decoder knows, what is too long or broken, comes out as `Bad` and the rest goes on.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from logstore.capture.beside import Folder
from logstore.capture.gathering import RowGatherer
from logstore.capture.items import Bad, Item
from logstore.capture.scanning import MAX_KEPT, MAX_VALUE, values
from logstore.capture.sniff import BOM, format_of, shape_of
from logstore.capture.unfolding import bounded
from logstore.errors import FormatError

if TYPE_CHECKING:
    from logstore.capture.decoders.otlp_identity import TraceIdentities

HEAD = 256 * 1024
"""Bytes looked at to choose how to cut."""

_SLUG = re.compile(r"[a-z-]{1,40}")  # a reason stands in clear: no sentence may slip in
_SCALARS = (str, int, float, bool)


@dataclass(slots=True)
class Position:
    """How far whole lines were read; where a later import of a grown file goes on.

    Attributes:
        offset: plain bytes up to the end of the last whole line.
        line: its number.
    """

    offset: int = 0
    line: int = 0


def split(
    stream: io.BufferedReader, *, folder: Folder | None = None, position: Position | None = None
) -> Iterator[Item | Bad]:
    """Cut a plain (already inflated) stream.

    Args:
        stream: buffered by at least `HEAD` bytes.
        folder: the folder of the source file, for what lies beside it.
        position: counts on from here and is kept up to date while lines are read.

    Yields:
        Items in the order of the source, with `Bad` for what is none. A stream that cannot be
        read further (corrupt compression, a decompression bomb) ends in a `Bad`.
    """
    position = position if position is not None else Position()
    try:
        yield from _split(stream, _Cutter(folder), position)
    except FormatError as error:
        reason = error.what if _SLUG.fullmatch(error.what) else "unreadable"
        yield Bad(b"", f"after line {position.line}", reason)


def _split(stream: io.BufferedReader, cutter: _Cutter, position: Position) -> Iterator[Item | Bad]:
    head = stream.peek(HEAD)
    if head.startswith(BOM):
        stream.read(len(BOM))
        position.offset += len(BOM)
    shape = shape_of(head)
    if shape in ("otlp-traces", "otlp-logs"):
        from logstore.capture.decoders.otlp_split import split_protobuf_stream

        signal: Any = shape.removeprefix("otlp-")
        yield from split_protobuf_stream(stream, signal)
        return
    if shape == "unknown":
        yield Bad(head[:MAX_KEPT], "file", "unknown-format")
        return
    yield from _lines(stream, cutter, position) if shape == "lines" else _values(stream, cutter)
    yield from cutter.rest()


def _lines(stream: io.BufferedReader, cutter: _Cutter, position: Position) -> Iterator[Item | Bad]:
    readline, cut = stream.readline, cutter.cut
    while line := readline(MAX_VALUE + 1):
        where = f"line {position.line + 1}"
        size = len(line)
        if size > MAX_VALUE:
            size += _skip_line(stream, line)
            yield Bad(line[:MAX_KEPT], where, "too-large")
        elif not line.isspace():
            bad = False
            for piece in cut(line.strip(), where):
                bad = type(piece) is Bad
                yield piece
            if bad and line[-1:] != b"\n":
                return  # perhaps still being written: a later import reads this line again
        position.line += 1
        position.offset += size


def _values(stream: io.BufferedReader, cutter: _Cutter) -> Iterator[Item | Bad]:
    for value in values(stream):
        where = f"element {value.number}"
        if value.refused is not None:
            yield Bad(value.data, where, value.refused)
        else:
            yield from cutter.cut(value.data, where)


def _skip_line(stream: io.BufferedReader, line: bytes) -> int:
    skipped = 0
    while not line.endswith(b"\n"):
        line = stream.readline(2**20)
        if not line:
            break
        skipped += len(line)
    return skipped


class _Cutter:
    """Cuts one JSON value into items, with what it must remember between values."""

    def __init__(self, folder: Folder | None) -> None:
        self._folder = folder
        self._rows: RowGatherer | None = None
        self._traces: TraceIdentities | None = None
        self._special: dict[str, Callable[[bytes, str], Iterable[Item | Bad]]] = {
            "otlp.json": self._otlp,
            "bedrock": self._bedrock,
            "langfuse.export": _observations,
            "apim.row": self._row,
            "azure.records": self._records,
            "batch.input": self._batch_input,
            "batch.output": self._batch_output,
        }

    def cut(self, value: bytes, where: str) -> Iterable[Item | Bad]:
        """The items of one value, one `Bad` when it is of no known format."""
        try:
            name = format_of(value)
        except ValueError:
            return (Bad(value[:MAX_KEPT], where, "not-json"),)
        if name in _WHOLE:
            return (Item(value, name, where),)
        special = None if name is None else self._special.get(name)
        if special is not None:
            return special(value, where)
        reason = "metrics-are-no-interactions" if name == "otlp.metrics" else "unknown-format"
        return (Bad(value[:MAX_KEPT], where, reason),)

    def rest(self) -> Iterable[Item]:
        """What was held back until the end of the source."""
        return () if self._rows is None else self._rows.rest()

    def _otlp(self, value: bytes, where: str) -> Iterator[Item | Bad]:
        from logstore.capture.decoders.otlp_identity import TraceIdentities
        from logstore.capture.decoders.otlp_split import split_json

        self._traces = self._traces if self._traces is not None else TraceIdentities()
        return split_json(value, self._traces, where)

    def _records(self, value: bytes, where: str) -> Iterator[Item | Bad]:
        """Each record of Azure Monitor's ``{"records": [...]}``; an envelope in one is refused."""
        try:
            rows = _read_envelope(value).records
        except (msgspec.MsgspecError, RecursionError, ValueError):
            rows = []
        if not rows:
            yield Bad(value[:MAX_KEPT], where, "unknown-format")
        for number, row in enumerate(map(bytes, rows), 1):
            place = f"{where}, record {number}"
            if _is_envelope(row):  # never opened twice: nesting is the sender's to choose
                yield Bad(row[:MAX_KEPT], place, "unknown-format")
            else:
                yield from self.cut(row, place)

    def _row(self, value: bytes, where: str) -> Iterator[Item | Bad]:
        self._rows = self._rows or RowGatherer()
        return self._rows.add(value, where)

    def _batch_input(self, value: bytes, where: str) -> tuple[Item, ...]:
        if self._folder is not None and self._folder.is_answered(value):
            return ()  # the item of the output line holds this line too
        return (Item(b'{"request":%b}' % value, "openai.batch", where),)

    def _batch_output(self, value: bytes, where: str) -> tuple[Item, ...]:
        asked = None if self._folder is None else self._folder.batch_request(value)
        if asked is None:
            return (Item(b'{"response":%b}' % value, "openai.batch", where),)
        return (Item(b'{"request":%b,"response":%b}' % (asked, value), "openai.batch", where),)

    def _bedrock(self, value: bytes, where: str) -> tuple[Item, ...]:
        return (Item(self._with_bodies(value), "bedrock", where),)

    def _with_bodies(self, value: bytes) -> bytes:
        """A Bedrock log line with its body objects put beside it, where they are at hand."""
        if self._folder is None or b"BodyS3Path" not in value:
            return value
        found: list[bytes] = []
        for name, reference in _references(value):
            body = self._folder.body(reference)
            if body is not None:
                found.append(b',"%b":%b' % (name, body))
        return b'{"log":%b%b}' % (value, b"".join(found)) if found else value


_WHOLE = frozenset({"litellm", "aircon", "apim.gateway", "openai.pair", "anthropic.pair"})


class _Reference(
    msgspec.Struct,
    frozen=True,
    rename={"input_path": "inputBodyS3Path", "output_path": "outputBodyS3Path"},
):
    input_path: str | None = None
    output_path: str | None = None


class _Log(msgspec.Struct):
    input: _Reference = _Reference()
    output: _Reference = _Reference()


class _Export(msgspec.Struct):
    trace: msgspec.Raw
    observations: list[msgspec.Raw]


class _Envelope(msgspec.Struct):
    records: list[msgspec.Raw]


_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_log = msgspec.json.Decoder(_Log).decode
_read_export = msgspec.json.Decoder(_Export).decode
_read_object = msgspec.json.Decoder(dict[str, Any]).decode


def _is_envelope(row: bytes) -> bool:
    try:
        return format_of(row) == "azure.records"
    except ValueError:
        return False


def _references(value: bytes) -> list[tuple[bytes, str]]:
    try:
        log = _read_log(value)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return []
    named = ((b"input", log.input.input_path), (b"output", log.output.output_path))
    return [(name, path) for name, path in named if path]


def _observations(value: bytes, where: str) -> Iterator[Item | Bad]:
    return bounded(_each_observation(value, where), lambda piece: piece)


def _each_observation(value: bytes, where: str) -> Iterator[Item | Bad]:
    """One item per Langfuse observation; the first holds the whole trace, others its scalars."""
    try:
        export = _read_export(value)
        scalars = {
            name: fact
            for name, fact in _read_object(export.trace).items()
            if isinstance(fact, _SCALARS) and name not in ("input", "output", "metadata")
        }
    except (msgspec.MsgspecError, RecursionError, ValueError):
        yield Bad(value[:MAX_KEPT], where, "not-a-langfuse-export")
        return
    trace = bytes(export.trace)
    if not export.observations:
        yield Item(b'{"trace":%b}' % trace, "langfuse", where)
    for number, seen in enumerate(export.observations, 1):
        raw = b'{"trace":%b,"observation":%b}' % (trace, bytes(seen))
        yield Item(raw, "langfuse", f"{where}, observation {number}")
        if number == 1:
            trace = msgspec.json.encode(scalars)
