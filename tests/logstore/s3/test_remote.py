"""`remote.json` says which bucket a home stands for, and nothing that could lead elsewhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError, UsageError
from logstore.s3.address import Address
from logstore.s3.remote import MAX_FILE, Remote, encode, parse

FULL = Remote(
    Address("evidence", "aircon/eu"), "https://s3.example.com:9000", "eu-central-1",
    "/etc/ssl/our-ca.pem", "arn:aws:kms:eu-central-1:111122223333:key/1234abcd",
)  # fmt: skip


@pytest.mark.parametrize("remote", [FULL, Remote(Address("evidence"))])
def test_it_comes_back_as_it_was_written(remote: Remote) -> None:
    assert parse(encode(remote)) == remote
    assert encode(parse(encode(remote))) == encode(remote)


def test_a_person_can_read_it() -> None:
    said = json.loads(encode(FULL))
    assert said["bucket"] == "evidence"
    assert said["endpoint_url"] == "https://s3.example.com:9000"
    assert encode(FULL).count(b"\n") > len(said)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://s3.example.com", "s3.example.com", "https://", "https://s3.example.com/bucket",
        "https://user:secret@s3.example.com", "https://s3.example.com?x=1", "https://a b",
        "https://s3.example.com#x", "https://s3.example.com:port", "https://é.example",
        "https://[::1", "https://..", "", "https://s3.example.com\n", f"https://{'a' * 600}",
    ],
)  # fmt: skip
def test_an_endpoint_is_a_server_and_no_more(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a server"):
        Remote(Address("evidence"), url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1.2.3"])
def test_plain_http_is_taken_on_loopback(host: str) -> None:
    assert Remote(Address("evidence"), f"http://{host}:9000").endpoint_url


@pytest.mark.parametrize("host", ["s3.example.com", "10.0.0.1", "0.0.0.0", "127.0.0.1.example"])
def test_and_nowhere_else(host: str) -> None:
    with pytest.raises(UsageError, match="without TLS"):
        Remote(Address("evidence"), f"http://{host}:9000")


@pytest.mark.parametrize(
    ("field", "value"),
    [("region", "eu central"), ("region", ""), ("region", "EU"), ("ca_bundle", "ca.pem"),
     ("ca_bundle", "/ca\n.pem"), ("kms_key", ""), ("kms_key", "a b")],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused(field: str, value: str) -> None:
    with pytest.raises(UsageError):
        Remote(Address("evidence"), **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"null", b"\xff", b"[" * 5000, b" " * (MAX_FILE + 1),
        encode(FULL).replace(b'"aircon_remote": 1', b'"aircon_remote": 2'),
        encode(FULL).replace(b'"evidence"', b'"../evidence"'),
        encode(FULL).replace(b'"aircon/eu"', b'"aircon/../eu"'),
        encode(FULL).replace(b"https://s3", b"http://s3"),
        encode(FULL).replace(b'"prefix"', b'"bucket": "other-one", "prefix"'),
        encode(FULL).replace(b'"region"', b'"secret": "x", "region"'),
        encode(FULL).replace(b'"evidence"', b"7"),
        encode(FULL)[:-3],
    ],
)  # fmt: skip
def test_a_file_that_says_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)
