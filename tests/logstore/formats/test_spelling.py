"""Base64 and decimals have one spelling each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats.cosignature import MldsaCosigner
from logstore.formats.note import parse_vkey
from logstore.formats.spelling import encode_base64, parse_base64, parse_decimal


@given(st.binary(max_size=80))
def test_base64_comes_back(data: bytes) -> None:
    assert parse_base64(encode_base64(data), "it") == data


@given(st.integers(0, 2**63 - 1))
def test_decimals_come_back(value: int) -> None:
    assert parse_decimal(str(value), "it") == value


@pytest.mark.parametrize("text", ["QQ", "QQ=", "QR==", "QQ==\n", " QQ==", "Q Q==", "QQ==QQ==", "é"])
def test_no_other_base64_spelling_of_the_same_bytes_is_read(text: str) -> None:
    assert parse_base64("QQ==", "it") == b"A"
    with pytest.raises(FormatError):
        parse_base64(text, "it")


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "٣", "²", str(2**63)]
)
def test_no_other_decimal_spelling_is_read(text: str) -> None:
    with pytest.raises(FormatError):
        parse_decimal(text, "it")


def test_a_key_with_stray_bits_behind_its_last_byte_is_no_second_spelling_of_that_key() -> None:
    vkey = MldsaCosigner("w.example", bytes(32)).verifier().vkey()
    assert vkey.endswith("=")
    stray = vkey[:-2] + chr(ord(vkey[-2]) + 1) + "="
    parse_vkey(vkey)
    with pytest.raises(FormatError, match="one base64 spelling"):
        parse_vkey(stray)
