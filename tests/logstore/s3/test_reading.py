"""What is read is the version that was asked for, never the latest, and no more than is due."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from support.fake_s3 import Reply, Request, fake_s3, refusal
from support.s3_servers import Server, in_an_hour

from logstore.errors import StoreAway, StoreRefused, TamperingFound
from logstore.s3.address import Address
from logstore.s3.bucket import Bucket, BucketReader, Lock, Marker, Version
from logstore.s3.client import Patience, connect
from logstore.s3.remote import Remote
from logstore.s3.versions import listed, parse_page

A = "body/log=a/seg-000000000000-7.parquet"
V = "3HL4kqtJvjVBH40Nrjfkd"
HOUR = Lock("COMPLIANCE", in_an_hour())
STAMP = "2026-11-25T12:00:00.000Z"


def lay(bucket: Bucket, key: str, data: bytes) -> str:
    made = bucket.client.put_object(Bucket=bucket.address.bucket, Key=key, Body=data)
    return str(made["VersionId"])


def reader(endpoint: str) -> BucketReader:
    remote = Remote(Address("evidence", "logs"), endpoint)
    return BucketReader(remote, connect(remote, Patience(2, 2, 1)))


def test_a_shadowing_version_is_seen_and_not_read(bucket: Bucket) -> None:
    version = bucket.put(A, b"evidence", lock=HOUR)
    shadow = lay(bucket, bucket.address.key(A), b"forgery!")
    assert bucket.get(A, version.version_id).data == b"evidence"
    newest, oldest = [each for each in bucket.versions() if isinstance(each, Version)]
    assert (newest.version_id, newest.latest) == (shadow, True)
    assert (oldest.version_id, oldest.latest) == (version.version_id, False)


def test_a_delete_marker_is_seen_and_not_obeyed(bucket: Bucket) -> None:
    version = bucket.put(A, b"evidence", lock=HOUR)
    bucket.client.delete_object(Bucket=bucket.address.bucket, Key=bucket.address.key(A))
    assert bucket.get(A, version.version_id).data == b"evidence"
    first, second = bucket.versions()
    assert isinstance(first, Marker)
    assert first.latest
    assert isinstance(second, Version)
    assert not second.latest


def test_what_is_fetched_comes_with_its_lock(bucket: Bucket) -> None:
    version = bucket.put(A, b"evidence", lock=HOUR, legal_hold=True)
    fetched = bucket.get(A, version.version_id)
    assert fetched.lock is not None
    assert fetched.lock.covers(HOUR)
    assert fetched.hold
    assert len(fetched.sha256) == 64


def test_a_large_object_goes_to_a_file_piece_by_piece(bucket: Bucket) -> None:
    data = bytes(range(256)) * 20_000
    version = bucket.put(A, data, lock=None)
    file = io.BytesIO()
    head = bucket.get_into(A, version.version_id, file)
    assert file.getvalue() == data
    assert head.size == len(data)


def test_a_disk_that_is_full_is_not_the_buckets_fault(bucket: Bucket) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    version = bucket.put(A, b"evidence", lock=None)
    with pytest.raises(OSError, match="No space left"):
        bucket.get_into(A, version.version_id, Full())


@pytest.mark.parametrize(
    ("start", "length", "found"),
    [(0, 3, b"evi"), (3, 2, b"de"), (0, 100, b"evidence"), (6, 100, b"ce"), (8, 1, b""),
     (1000, 1, b""), (3, 0, b"")],
)  # fmt: skip
def test_ranges(bucket: Bucket, start: int, length: int, found: bytes) -> None:
    version = bucket.put(A, b"evidence", lock=None)
    assert bucket.get_range(A, version.version_id, start, length) == found


def test_a_range_before_the_beginning_is_a_mistake(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match="before the beginning"):
        bucket.get_range(A, V, -1, 1)


@pytest.mark.parametrize(
    ("headers", "found"),
    [({}, b"idenc"), ({"Content-Range": "bytes 2-6/8"}, b"evide")],
)
def test_a_server_that_ignores_ranges_is_read_right(headers: dict[str, str], found: bytes) -> None:
    status = 206 if headers else 200
    with fake_s3(lambda _: Reply(status, b"evidence", headers)) as (endpoint, _):
        made = reader(endpoint)
        assert made.get_range(A, V, 2, 5) == found
        assert made.sends_ranges is bool(headers)


@pytest.mark.parametrize("said", ["bytes 0-4/8", "bytes 3-6/8", "lines 2-6/8", "junk", "bytes */8"])
def test_another_range_than_asked_for_is_refused(said: str) -> None:
    reply = Reply(206, b"evide", {"Content-Range": said})
    with fake_s3(lambda _: reply) as (endpoint, _), pytest.raises(StoreRefused, match="range"):
        reader(endpoint).get_range(A, V, 2, 5)


def test_a_range_of_another_version_is_refused() -> None:
    headers = {"Content-Range": "bytes 2-6/8", "x-amz-version-id": "another"}
    reply = Reply(206, b"evide", headers)
    with fake_s3(lambda _: reply) as (endpoint, _), pytest.raises(StoreRefused, match="version"):
        reader(endpoint).get_range(A, V, 2, 5)


def test_what_is_not_there_is_not_found(bucket: Bucket) -> None:
    version = bucket.put(A, b"evidence", lock=None)
    for call in (bucket.get, bucket.head):
        with pytest.raises(FileNotFoundError):
            call("body/none", version.version_id)
    assert bucket.history("body/none") == []


@pytest.mark.parametrize(
    ("listed", "error", "says"),
    [
        ("", FileNotFoundError, "it is not there"),
        (f"<Key>logs/{A}</Key><VersionId>other</VersionId>", FileNotFoundError, "it is not there"),
        (f"<Key>logs/{A}.b</Key><VersionId>{V}</VersionId>", FileNotFoundError, "it is not there"),
        (f"<Key>logs/{A}</Key><VersionId>{V}</VersionId>", StoreRefused, "(read|look at) body/"),
        (None, StoreRefused, "could not list"),
    ],
)
def test_a_version_that_may_not_be_read_is_gone_if_it_is_not_listed(
    listed: str | None, error: type[Exception], says: str
) -> None:
    """Who may not list a whole bucket is told of both that access is denied."""
    rest = f"<Size>8</Size><IsLatest>true</IsLatest><LastModified>{STAMP}</LastModified>"
    version = f"<Version>{listed}{rest}</Version>" if listed else ""
    page = (
        f"<ListVersionsResult><Name>evidence</Name><Prefix>logs/{A}</Prefix>"
        f"<IsTruncated>false</IsTruncated>{version}</ListVersionsResult>"
    )

    def answer(request: Request) -> Reply:
        lists = "versions" in request.query and listed is not None
        return Reply(200, page.encode()) if lists else refusal(403, "AccessDenied")

    with fake_s3(answer) as (endpoint, _):
        asked = reader(endpoint)
        for call in (asked.get, asked.head):
            with pytest.raises(error, match=says):
                call(A, V)


def test_more_bytes_than_expected_are_not_read(bucket: Bucket) -> None:
    version = bucket.put(A, b"x" * 1000, lock=None)
    with pytest.raises(TamperingFound, match="at most 999"):
        bucket.get(A, version.version_id, most=999)


def test_an_object_that_ends_early_is_no_object() -> None:
    reply = Reply(200, b"evid", {"x-amz-version-id": V}, length=8)
    with fake_s3(lambda _: reply) as (endpoint, _), pytest.raises(StoreAway):
        reader(endpoint).get(A, V)


def test_another_version_than_asked_for_is_refused() -> None:
    with fake_s3(lambda _: Reply(200, b"x", {"x-amz-version-id": "other"})) as (endpoint, _):
        for call in (reader(endpoint).get, reader(endpoint).head):
            with pytest.raises(StoreRefused, match="another version"):
                call(A, V)


@pytest.mark.parametrize("until", ["soon", "2026-13-45T99:99:99Z", "-1", "1e400"])
def test_a_lock_with_no_date_is_no_lock(until: str) -> None:
    shown = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": until}
    with fake_s3(lambda _: Reply(200, b"", {"x-amz-version-id": V, **shown})) as (endpoint, _):
        try:
            lock = reader(endpoint).head(A, V).lock
        except StoreAway:
            return
    assert lock is None or lock.retain_until_us < 0


def test_one_names_history_is_its_own(bucket: Bucket) -> None:
    for name in ("a/1", "a/10", "a/1.json", "a/0", "b"):
        bucket.put(name, name.encode(), lock=None)
    shadow = lay(bucket, bucket.address.key("a/1"), b"x")
    ids = [each.version_id for each in bucket.history("a/1")]
    assert len(ids) == 2
    assert ids[1] == shadow


def test_only_what_lies_below_the_prefix_is_seen(bucket: Bucket) -> None:
    bucket.put("a", b"1", lock=None)
    lay(bucket, "elsewhere/a", b"2")
    lay(bucket, "logs2/a", b"3")
    assert [each.name for each in bucket.versions()] == ["a"]


HOSTILE = ["../up", "a//b", "/absolute", "new\nline", "\x1b[31mred", "a b&c=d%20+",
           "\N{RIGHT-TO-LEFT OVERRIDE}.txt", "é", "<b>"]  # fmt: skip


def test_whatever_names_lie_there_are_told_as_they_are(bucket: Bucket) -> None:
    # moto itself trips over the others
    taken = [name for name in HOSTILE if "/" not in name and name.isascii() and name.isprintable()]
    for name in taken:
        lay(bucket, f"logs/{name}", b"x")
    assert {each.name for each in bucket.versions()} == set(taken)


@pytest.mark.parametrize("name", HOSTILE)
def test_and_are_never_asked_for(bucket: Bucket, name: str) -> None:
    for call in (bucket.get, bucket.head):
        with pytest.raises(TamperingFound):
            call(name, V)
    with pytest.raises(TamperingFound):
        bucket.history(name)


def test_a_long_listing_is_read_page_by_page(moto_server: Server) -> None:
    bucket = moto_server.new_bucket()
    small = _Paged(bucket, 3)
    for number in range(10):
        lay(bucket, f"logs/{number}", b"x")
        lay(bucket, f"logs/{number}", b"y")
    found = list(listed(small, bucket.address, ""))  # type: ignore[arg-type]
    assert [each.name for each in found] == [str(n) for n in range(10) for _ in range(2)]
    assert [each.latest for each in found] == [True, False] * 10
    assert len({each.version_id for each in found}) == 20


def page(*keys: str, **said: Any) -> Reply:
    entries = "".join(
        f"<Version><Key>{key}</Key><VersionId>{V}</VersionId><IsLatest>true</IsLatest>"
        f"<LastModified>{STAMP}</LastModified><ETag>x</ETag><Size>1</Size></Version>"
        for key in keys
    )
    more = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    return Reply(
        200,
        f"<ListVersionsResult><Name>evidence</Name><Prefix>logs/</Prefix>{more}{entries}"
        "</ListVersionsResult>".encode(),
    )


@pytest.mark.parametrize(
    "said",
    [
        {"IsTruncated": "true"},
        {"IsTruncated": "true", "NextKeyMarker": "logs/a"},
        {"IsTruncated": "true", "NextKeyMarker": "logs/a", "NextVersionIdMarker": V},
    ],
)
def test_a_listing_that_goes_in_circles_is_left(said: dict[str, str]) -> None:
    with (
        fake_s3(lambda _: page("logs/a", **said)) as (endpoint, seen),
        pytest.raises(StoreRefused, match="does not move forward"),
    ):
        list(reader(endpoint).versions())
    assert len(seen) <= 2


def test_a_listing_that_never_ends_is_left() -> None:
    number = iter(range(10**9))

    def endless(_: object) -> Reply:
        at = f"logs/{next(number):09d}"
        return page(at, IsTruncated="true", NextKeyMarker=at, NextVersionIdMarker=V)

    with fake_s3(endless) as (endpoint, seen):
        client = reader(endpoint).client
        with pytest.raises(StoreRefused, match="more objects than"):
            list(listed(client, Address("evidence", "logs"), "", most=5_000))
    assert len(seen) == 11


@pytest.mark.parametrize(
    "key", ["other/a", "log", "../logs/a", ""], ids=["elsewhere", "shorter", "up", "none"]
)
def test_a_listing_of_something_else_is_refused(key: str) -> None:
    with fake_s3(lambda _: page(key)) as (endpoint, _), pytest.raises(StoreRefused):
        list(reader(endpoint).versions())


@pytest.mark.parametrize(
    "entry",
    [
        {}, {"Key": "logs/a"}, {"Key": 7}, {"Key": None},
        {"Key": "logs/a", "Size": -1, "LastModified": "x"},
        {"Key": "logs/a", "Size": "1", "LastModified": "x"},
        {"Key": "logs/a", "Size": 1, "LastModified": STAMP},
        {"Key": "logs/a", "Size": 1, "LastModified": None, "VersionId": ""},
        None, "x", [],
    ],
)  # fmt: skip
def test_a_page_with_something_missing_is_refused(entry: object) -> None:
    said = {"Name": "evidence", "Prefix": "logs/", "Versions": [entry]}
    with pytest.raises(StoreRefused, match="makes no sense"):
        parse_page(said, Address("evidence", "logs"))


class _Paged:
    def __init__(self, bucket: Bucket, size: int) -> None:
        self._list: Callable[..., Any] = bucket.client.list_object_versions
        self._size = size

    def list_object_versions(self, **parameters: Any) -> Any:
        return self._list(**{**parameters, "MaxKeys": self._size})
