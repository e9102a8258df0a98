"""Column chunks of strings out of sealed objects, read without a Parquet library. Pure.

For bytes that nobody has proven yet. A Parquet library makes room on a page's word, and pyarrow 26
ends the process over one changed byte of a footer (1 in 600 of all, tried). Read here is what
sealing writes and nothing else: footers for where chunks lie, and chunks of strings written out
one after the other (PLAIN, data pages of the first version), with no value missing.

Sources: parquet.thrift, Encodings.md of Apache Parquet; fields are named by their numbers there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from logstore.errors import FormatError
from logstore.formats.thriftcompact import CompactReader, Struct, Value

Codec = Literal["zstd"]
"""How pages are packed."""

MAX_UNPACKED = 256 * 2**20
"""Most bytes that one chunk may unpack to."""

_ROW_GROUPS = 4  # of FileMetaData
_COLUMNS, _ROWS = 1, 3  # of RowGroup
_FILE_PATH, _META_DATA = 1, 3  # of ColumnChunk
_PATH, _CODEC, _PACKED, _DATA_PAGE, _STATISTICS = 3, 4, 7, 9, 12  # of ColumnMetaData
_MIN = 6  # of Statistics
_PAGE_UNPACKED, _PAGE_PACKED, _DATA_PAGE_HEADER = 2, 3, 5  # of PageHeader
_VALUES, _ENCODING = 1, 2  # of DataPageHeader
_PLAIN = 0
_CODECS: dict[int, Codec | None] = {0: None, 6: "zstd"}
_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the values of one column of one row group lie.

    Attributes:
        start: of its first byte in the object.
        end: behind its last.
        codec: how its pages are packed; None where they are not.
        low: the least value, by the footer's word; empty where it does not say.
    """

    start: int
    end: int
    codec: Codec | None
    low: bytes


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group, as a footer has it.

    Attributes:
        rows: how many.
        chunks: by the path of their columns, its parts joined by full stops.
    """

    rows: int
    chunks: Mapping[str, Chunk]


def parse_footer(data: bytes, columns: Collection[str], end: int) -> list[RowGroup]:
    """What a footer says of some columns.

    Args:
        data: the footer.
        columns: paths of the columns; each row group must have all of them.
        end: where column chunks end in the object.

    Raises:
        FormatError: it is none, or says what can not be.
    """
    reader = CompactReader(data)
    groups = [_group(_struct(each), columns, end) for each in _list(reader.struct(), _ROW_GROUPS)]
    if reader.at != len(data):
        raise FormatError("a footer that ends early")
    return groups


def _group(said: Struct, columns: Collection[str], end: int) -> RowGroup:
    chunks = {}
    for each in map(_struct, _list(said, _COLUMNS)):
        about = _struct(each.get(_META_DATA))
        path = ".".join(_text(part) for part in _list(about, _PATH))
        if path in columns:
            if _FILE_PATH in each or path in chunks:
                raise FormatError(f"column {path} lies elsewhere, or is there twice")
            chunks[path] = _chunk(about, end)
    if len(chunks) != len(columns):
        raise FormatError("a row group lacks columns")
    return RowGroup(_number(said, _ROWS), chunks)


def _chunk(about: Struct, end: int) -> Chunk:
    start, size, codec = (_number(about, field) for field in (_DATA_PAGE, _PACKED, _CODEC))
    if not 0 < size <= end - start or codec not in _CODECS:
        raise FormatError("a column chunk lies where it can not, or is packed as none is")
    low = _struct(about.get(_STATISTICS, {})).get(_MIN)
    return Chunk(start, start + size, _CODECS[codec], low if isinstance(low, bytes) else b"")


def strings_of(data: bytes, chunk: Chunk, rows: int, *, nullable: bool) -> list[bytes]:
    """The values of a chunk of strings.

    Args:
        data: its bytes.
        chunk: how it is packed.
        rows: how many values there must be.
        nullable: whether its column may lack values; none does.

    Raises:
        FormatError: it is not laid out so, lacks values, or unpacks to too much.
    """
    found: list[bytes] = []
    unpacked = at = 0
    while at < len(data):
        reader = CompactReader(data, at)
        page = reader.struct()
        size, at = _number(page, _PAGE_UNPACKED), reader.at + _number(page, _PAGE_PACKED)
        unpacked += size
        about = _struct(page.get(_DATA_PAGE_HEADER))
        count = _number(about, _VALUES)
        if unpacked > MAX_UNPACKED or at > len(data) or len(found) + count > rows:
            raise FormatError("a page states more than there can be")
        if _number(about, _ENCODING) != _PLAIN:
            raise FormatError("a page whose values are not written out")
        plain = _unpacked(data[reader.at : at], size, chunk.codec)
        found += _plain(plain, count, _behind_levels(plain, count) if nullable else 0)
    if len(found) != rows:
        raise FormatError(f"{len(found)} values for {rows} rows")
    return found


def _unpacked(page: bytes, size: int, codec: Codec | None) -> bytes:
    import pyarrow as pa

    if codec is None:
        if len(page) != size:
            raise FormatError("a page of another size than it states")
        return page
    try:
        return pa.Codec(codec).decompress(page, size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"a page does not unpack: {error}") from None


def _behind_levels(plain: bytes, count: int) -> int:
    """Where values begin: behind one run of definition levels that says that all are there."""
    length = int.from_bytes(plain[:_LENGTH], "little")
    run = bytearray()
    left = count << 1
    while left > 127:
        run.append(left & 127 | 128)
        left >>= 7
    run += bytes([left, 1])
    if plain[_LENGTH : _LENGTH + length] != run:
        raise FormatError("a page that lacks values")
    return _LENGTH + length


def _plain(plain: bytes, count: int, at: int) -> list[bytes]:
    found = []
    for _ in range(count):
        start = at + _LENGTH
        at = start + int.from_bytes(plain[at:start], "little")
        found.append(plain[start:at])
    if at != len(plain):
        raise FormatError("values do not fill their page")
    return found


def _struct(value: Value | None) -> Struct:
    if not isinstance(value, dict):
        raise FormatError("metadata lacks a struct")
    return value


def _list(said: Struct, field: int) -> list[Value]:
    value = said.get(field)
    if not isinstance(value, list):
        raise FormatError("metadata lacks a list")
    return value


def _number(said: Struct, field: int) -> int:
    value = said.get(field)
    if not isinstance(value, int) or value < 0:
        raise FormatError("metadata lacks a number")
    return value


def _text(value: Value) -> str:
    if not isinstance(value, bytes):
        raise FormatError("metadata lacks a name")
    return value.decode("utf-8", "replace")
