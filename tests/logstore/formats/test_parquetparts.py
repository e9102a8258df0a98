"""Chunks of strings out of Parquet objects, whatever somebody wrote into them."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats.parquetparts import MAX_UNPACKED, RowGroup, parse_footer, strings_of
from logstore.formats.thriftcompact import MAX_VALUES, CompactReader

NAME = "column"


def written(values: list[bytes | None], **how: Any) -> bytes:
    sink = io.BytesIO()
    nullable = how.pop("nullable", True)
    schema = pa.schema([pa.field("other", pa.int64()), pa.field(NAME, pa.binary(), nullable)])
    table = pa.table({"other": range(len(values)), NAME: values}, schema)
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, **how}
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def footer_of(data: bytes) -> tuple[bytes, int]:
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    return data[start:-8], start


def groups_of(data: bytes) -> list[RowGroup]:
    footer, start = footer_of(data)
    return parse_footer(footer, [NAME], start)


def strings(data: bytes, *, nullable: bool = True) -> list[list[bytes]]:
    found = []
    for group in groups_of(data):
        chunk = group.chunks[NAME]
        packed = data[chunk.start : chunk.end]
        found.append(strings_of(packed, chunk, group.rows, nullable=nullable))
    return found


LEAVES: list[bytes | None] = [b"leaf %d " % n * (n % 40) for n in range(3000)]


@pytest.mark.parametrize("nullable", [True, False])
@pytest.mark.parametrize("how", [{}, {"compression": "none"}, {"data_page_size": 4096}])
def test_they_are_those_that_a_library_reads(nullable: bool, how: dict[str, Any]) -> None:
    data = written(LEAVES, nullable=nullable, row_group_size=1100, **how)
    assert strings(data, nullable=nullable) == [LEAVES[:1100], LEAVES[1100:2200], LEAVES[2200:]]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=300), st.booleans())
def test_any_strings(values: list[bytes], nullable: bool) -> None:
    found = strings(written([*values], nullable=nullable, row_group_size=64), nullable=nullable)
    assert [each for group in found for each in group] == values


def test_the_least_value_of_a_chunk() -> None:
    found = groups_of(written([b"b", b"d", b"m", b"p"], row_group_size=2))
    assert [group.chunks[NAME].low for group in found] == [b"b", b"m"]
    [unsaid] = groups_of(written([b"b"], write_statistics=False))
    assert unsaid.chunks[NAME].low == b""


@pytest.mark.parametrize(
    "data",
    [
        written([b"x" * 1000] * 500, use_dictionary=True),
        written([b"x" * 1000] * 500, column_encoding={NAME: "DELTA_BYTE_ARRAY"}),
        written([b"x"] * 500, data_page_version="2.0"),
        written([b"x", None] * 50),
        written([None] * 50),
        written([b"x"] * 50, compression="snappy"),
        written([bytes(2**24)] * (MAX_UNPACKED // 2**24 + 1)),
    ],
    ids=[
        "dictionary", "shared beginnings", "second version", "nulls", "only nulls",
        "packed otherwise", "grows a thousandfold",
    ],
)  # fmt: skip
def test_what_sealing_does_not_write_is_refused(data: bytes) -> None:
    before = pa.total_allocated_bytes()
    with pytest.raises(FormatError):
        strings(data)
    assert pa.total_allocated_bytes() - before < 2**20


@pytest.mark.parametrize("wrong", [-1, 1])
def test_another_number_of_rows(wrong: int) -> None:
    data = written(LEAVES)
    [group] = groups_of(data)
    chunk = group.chunks[NAME]
    with pytest.raises(FormatError):
        strings_of(data[chunk.start : chunk.end], chunk, group.rows + wrong, nullable=True)


def test_a_chunk_that_ends_early_or_late() -> None:
    data = written(LEAVES)
    [group] = groups_of(data)
    chunk = group.chunks[NAME]
    packed = data[chunk.start : chunk.end]
    for other in (packed[:-1], packed[:-1000], packed + b"\0", packed + packed, b""):
        with pytest.raises(FormatError):
            strings_of(other, chunk, group.rows, nullable=True)


def test_a_chunk_that_reaches_into_the_footer() -> None:
    footer, start = footer_of(written(LEAVES))
    for end in (start - 1, 10, 0):
        with pytest.raises(FormatError, match="lies where it can not"):
            parse_footer(footer, [NAME], end)


@pytest.mark.parametrize("columns", [["none"], [NAME, "none"]])
def test_a_column_that_is_not_there(columns: list[str]) -> None:
    footer, start = footer_of(written(LEAVES))
    with pytest.raises(FormatError, match="lacks columns"):
        parse_footer(footer, columns, start)


SMALL = written([b"value %d" % n for n in range(60)], row_group_size=20, nullable=False)
FOOTER, START = footer_of(SMALL)


@given(st.integers(0, len(SMALL) - 9), st.integers(1, 255))
def test_any_changed_byte_is_read_or_refused(place: int, mask: int) -> None:
    changed = bytearray(SMALL)
    changed[place] ^= mask
    try:
        found = strings(bytes(changed), nullable=False)
    except FormatError:
        return
    assert sum(map(len, found)) <= 3 * 2**30


@given(st.binary(max_size=400))
def test_any_bytes_are_a_footer_or_refused(data: bytes) -> None:
    try:
        parse_footer(data, [NAME], 2**40)
    except FormatError:
        return


def test_every_beginning_of_a_footer_is_refused() -> None:
    for end in range(len(FOOTER)):
        with pytest.raises(FormatError):
            parse_footer(FOOTER[:end], [NAME], START)
    with pytest.raises(FormatError, match="ends early"):
        parse_footer(FOOTER + b"\0", [NAME], START)


# -- the protocol beneath -------------------------------------------------------------------------


def test_a_struct_of_everything() -> None:
    data = bytes([
        0x15, 0x03, 0x11, 0x12, 0x13, 0x07, 0x16, 0x80, 0x01, 0x18, 2, 97, 98, 0x1C, 0x15, 1, 0,
        0x19, 0x25, 2, 4, 0x05, 0xC8, 0x01, 10, 0,
    ])  # fmt: skip
    reader = CompactReader(data)
    assert reader.struct() == {
        1: -2, 2: True, 3: False, 4: 7, 5: 64, 6: b"ab", 7: {1: -1}, 8: [1, 2], 100: 5,
    }  # fmt: skip
    assert reader.at == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15",  # a number that is not there
        b"\x15" + b"\xff" * 40,  # a number without end
        b"\x1c" * 40,  # structs without end
        b"\x19\x19" * 40,  # lists without end
        b"\x19\xfc\xff\xff\xff\xff\x0f",  # a list longer than everything
        b"\x18\xff\xff\xff\xff\x7f",  # a string longer than everything
        b"\x17" + bytes(9),  # a double
        b"\x1b\x00\x00",  # a map
    ],
)
def test_what_is_no_struct_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        CompactReader(data).struct()


def test_more_values_than_any_metadata_has_are_refused() -> None:
    many = MAX_VALUES + 1
    length = bytes([many & 127 | 128, many >> 7 & 127 | 128, many >> 14])
    with pytest.raises(FormatError, match="more than"):
        CompactReader(b"\x19\xfc" + length + bytes(many) + b"\0").struct()
