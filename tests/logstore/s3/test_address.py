"""An address names one bucket and one place in it, and no name leads out of there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import TamperingFound, UsageError
from logstore.s3.address import MAX_KEY, Address, is_plain


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://evidence", "evidence", ""),
        ("s3://evidence/", "evidence", ""),
        ("s3://evidence/aircon", "evidence", "aircon"),
        ("s3://evidence/aircon/eu.1/log=a_b/", "evidence", "aircon/eu.1/log=a_b"),
        ("s3://a.b-c.9/x", "a.b-c.9", "x"),
    ],
)
def test_an_address_is_read_and_said(text: str, bucket: str, prefix: str) -> None:
    address = Address.parse(text)
    assert address == Address(bucket, prefix)
    assert Address.parse(str(address)) == address
    assert str(address) == text.removesuffix("/")


@pytest.mark.parametrize(
    "text",
    [
        "evidence", "S3://evidence", "https://evidence/x", "s3:/evidence/x", "s3://", "s3:///x",
        "s3://ab", f"s3://{'a' * 64}", "s3://Evidence/x", "s3://evi_dence", "s3://10.0.0.1/x",
        "s3://-evidence", "s3://evidence-", "s3://a..b", "s3://a.-b", "s3://evidence\n",
        "s3://evidence//x", "s3://evidence/x//", "s3://evidence/x//y", "s3://evidence/../x",
        "s3://evidence/x/.", "s3://evidence/x y", "s3://evidence/x?y", "s3://evidence/x\0",
        "s3://evidence/é", "s3://user:secret@evidence/x", f"s3://evidence/{'a' * 513}",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Address.parse(text)


def test_keys_lie_behind_the_prefix() -> None:
    assert Address("evidence", "eu").key("seal/log=a/seal-1.json") == "eu/seal/log=a/seal-1.json"
    assert Address("evidence").key("store.json") == "store.json"


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../b", "a/./b", "a//b", "a/", "a\\b", "a\nb", "a\x1b[m", "a b",
     "\N{RIGHT-TO-LEFT OVERRIDE}a", "\ud800", "é", "a\0", "a" * MAX_KEY],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_never_asked_for(name: str) -> None:
    with pytest.raises(TamperingFound):
        Address("evidence", "eu").key(name)


@given(st.text(max_size=60))
def test_a_plain_name_is_one_path_below(name: str) -> None:
    if is_plain(name):
        key = Address("evidence", "eu").key(name)
        assert key.isascii()
        assert key.isprintable()
        assert not {"", ".", ".."} & set(key.split("/"))
        assert key.removeprefix("eu/") == name
