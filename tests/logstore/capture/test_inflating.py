"""Compressed sources: inflated in a stream, bombs and broken ones named."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib

import pyarrow as pa
import pytest
from support.captured import pieces_in

from logstore.capture import inflating
from logstore.capture.inflating import inflated
from logstore.capture.items import Bad, Item
from logstore.errors import FormatError

LINE = b'{"aircon":1,"operation":"chat","request_model":"m","input":[]}\n'


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_lines_come_out_of_every_packing(pack: object) -> None:
    data = pack(LINE * 5000)  # type: ignore[operator]
    found = pieces_in(data)
    assert len(found) == 5000
    assert all(isinstance(piece, Item) for piece in found)


def test_appended_gzip_members_are_one_file() -> None:
    data = gzip.compress(LINE * 2) + gzip.compress(LINE * 3) + bytes(512)
    assert len(pieces_in(data)) == 5


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_torn_packing_gives_what_came_before_and_then_says_so(pack: object) -> None:
    body = b"".join(LINE.replace(b'"m"', b'"%d"' % (i * i)) for i in range(40_000))
    data = pack(body)  # type: ignore[operator]
    found = pieces_in(data[: len(data) // 2])
    assert isinstance(found[-1], Bad)
    assert sum(isinstance(piece, Item) for piece in found) > 1000


def test_a_flipped_bit_in_a_packing_is_named() -> None:
    data = bytearray(gzip.compress(LINE * 100))
    data[-6] ^= 1
    found = pieces_in(bytes(data))
    assert isinstance(found[-1], Bad)
    assert found[-1].reason == "corrupt-compression"


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * 2**20
    return b"".join(packer.compress(block) for _ in range(size // 2**20)) + packer.flush()


def test_a_bomb_is_defused_in_flat_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflating, "FREE", 4 * 2**20)
    data = LINE + b" " * 100
    packed = gzip.compress(data) + bomb(200 * 2**20)
    tracemalloc.start()
    try:
        found = pieces_in(packed)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20  # one longest line and its parts
    finally:
        tracemalloc.stop()
    assert isinstance(found[-1], Bad)
    assert found[-1].reason == "decompression-bomb"
    assert isinstance(found[0], Item)


def test_a_limit_hides_what_was_appended_meanwhile() -> None:
    stream, kind = inflated(io.BytesIO(LINE * 10), limit=len(LINE) * 3)
    assert kind is None
    assert stream.read() == LINE * 3


def test_a_broken_header_is_no_exception_of_another_kind() -> None:
    with pytest.raises(FormatError, match="corrupt-compression"):
        inflated(io.BytesIO(b"\x1f\x8b\x00\x00junk"))[0].read()
