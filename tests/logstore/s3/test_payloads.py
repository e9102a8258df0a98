"""The bytes that are put are those that were meant, and servers that see to it need no MD5."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.s3_habits import HABITS
from support.s3_servers import Meddled, Server, client_error, in_an_hour

from logstore.errors import TamperingFound
from logstore.s3.bucket import Bucket, Lock
from logstore.s3.capabilities import PROBES
from logstore.s3.payloads import WORTH_ASKING, refuses_other_bytes

LARGE = b"sealed " * (WORTH_ASKING // 7 + 1)
HOUR = Lock("COMPLIANCE", in_an_hour())


def noted(bucket: Bucket, *, refuse: str = "") -> tuple[Bucket, list[dict[str, Any]]]:
    """The same bucket, and every put to it; puts of probes can be answered with an error."""
    puts: list[dict[str, Any]] = []

    def put(real: Callable[..., Any], **asked: Any) -> Any:
        puts.append(asked)
        if refuse and PROBES in asked["Key"]:
            raise client_error(refuse)
        return real(**asked)

    client: Any = Meddled(bucket.client, put_object=put)
    return Bucket(bucket.remote, client, pause=lambda _: None), puts


def test_what_each_server_does_with_other_bytes_than_were_signed(server: Server) -> None:
    bucket = server.new_bucket()
    held, seen = refuses_other_bytes(bucket.client, bucket.address)
    assert held is HABITS["other-bytes-refused"].of(server.name), seen
    assert list(bucket.versions(PROBES)) == []


def test_a_large_object_goes_without_md5_only_where_the_server_looks_at_what_was_signed(
    server: Server,
) -> None:
    bucket, puts = noted(server.new_bucket())
    looks = HABITS["other-bytes-refused"].of(server.name)
    for name in ("body/1", "body/2"):
        version = bucket.put(name, LARGE, lock=HOUR)
        head = bucket.head(name, version.version_id)
        assert head.lock is not None
        assert head.lock.covers(HOUR)
    probes = [put for put in puts if PROBES in put["Key"]]
    objects = [put for put in puts if PROBES not in put["Key"]]
    assert len(probes) == 1, "asked once"
    assert [("ContentMD5" in put) for put in objects] == [not looks] * 2
    assert all(put["ChecksumSHA256"] for put in objects)


def test_a_small_object_is_put_without_asking(bucket: Bucket) -> None:
    bucket, puts = noted(bucket)
    bucket.put("seal/1", b"small", lock=HOUR)
    assert ["ContentMD5" in put for put in puts] == [True]


@pytest.mark.parametrize("said", ["AccessDenied", "SlowDown", "SignatureDoesNotMatch"])
def test_where_it_can_not_be_found_out_an_md5_goes_along(bucket: Bucket, said: str) -> None:
    bucket, puts = noted(bucket, refuse=said)
    bucket.put("body/1", LARGE, lock=HOUR)
    assert "ContentMD5" in puts[-1]


def test_a_server_that_says_it_refuses_is_taken_at_its_word(bucket: Bucket) -> None:
    bucket, puts = noted(bucket, refuse="XAmzContentSHA256Mismatch")
    bucket.put("body/1", LARGE, lock=HOUR)
    assert "ContentMD5" not in puts[-1]


def test_a_file_that_rotted_since_it_was_pinned_is_never_put(bucket: Bucket) -> None:
    pinned = hashlib.sha256(LARGE).digest()
    with pytest.raises(TamperingFound, match="other bytes than when its digest was taken"):
        bucket.put("body/1", LARGE[:-1] + b"x", lock=HOUR, sha256=pinned)
    assert bucket.history("body/1") == []
    assert bucket.put("body/1", LARGE, lock=HOUR, sha256=pinned).size == len(LARGE)


def test_other_puts_go_on_while_the_server_is_tried(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as pool:
        tried = [pool.submit(refuses_other_bytes, bucket.client, bucket.address) for _ in range(10)]
        put = [pool.submit(bucket.put, f"body/{n}", b"%d" % n, lock=HOUR) for n in range(20)]
        versions = [each.result() for each in put]
        assert {each.result()[0] for each in tried} == {False}
    for number, version in enumerate(versions):
        assert bucket.get(version.name, version.version_id).data == b"%d" % number
