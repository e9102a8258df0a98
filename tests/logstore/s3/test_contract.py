"""What holds on every server, however it differs from AWS; and where each one differs.

The same stories on moto, on Ceph's gateway over http and https, and on ministack.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.faulty_proxy import Fault, Wire, faulty
from support.rgw import credentials_of
from support.s3_habits import HABITS
from support.s3_servers import BRISK, Server, in_an_hour
from support.waiting import until

from logstore.errors import AirconError, StoreAway, StoreRefused
from logstore.s3.bucket import Bucket, Lock, Marker, NameTaken, Version
from logstore.s3.client import Patience, connect
from logstore.s3.versions import listed

A = "seal/log=a/seal-000000000000-7.json"
HOUR = Lock("COMPLIANCE", in_an_hour())
TWO_HOURS = Lock("COMPLIANCE", in_an_hour(2))
LARGE = bytes(range(256)) * 1024


@pytest.fixture
def kept(server: Server) -> Bucket:
    """A fresh bucket with Object Lock on each server in turn."""
    return server.new_bucket()


def raw(bucket: Bucket, call: str, name: str, **more: Any) -> dict[str, Any]:
    """A call that only a rival or an administrator makes."""
    where = {"Bucket": bucket.address.bucket, "Key": bucket.address.key(name)}
    answer: dict[str, Any] = getattr(bucket.client, call)(**where, **more)
    return answer


def does(call: Callable[[], object]) -> bool:
    """Whether the server refuses a call."""
    try:
        call()
    except StoreRefused:
        return True
    return False


# -- one object -------------------------------------------------------------------------------


def test_an_object_is_put_once_and_stays(kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=HOUR)
    fetched = kept.get(A, version.version_id)
    assert fetched.data == b"sealed"
    assert fetched.lock is not None
    assert fetched.lock.covers(HOUR)
    assert kept.history(A) == [version]


def test_a_large_object_is_locked_like_a_small_one(kept: Bucket) -> None:
    """The libraries' own uploads switch to parts at 8 MiB, where three servers lose the lock."""
    version = kept.put(A, LARGE * 36, lock=HOUR)
    assert version.size > 9_000_000
    with pytest.raises(StoreRefused):
        kept.delete_version(A, version.version_id)
    assert kept.get(A, version.version_id).data == LARGE * 36


def test_an_empty_object_is_an_object(kept: Bucket) -> None:
    version = kept.put(A, b"", lock=HOUR)
    assert kept.get(A, version.version_id).data == b""
    assert kept.put(A, b"", lock=HOUR) == version


def test_after_a_crash_the_same_put_finds_its_object(server: Server, kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=HOUR)
    reborn = Bucket(kept.remote, server.client())
    assert reborn.put(A, b"sealed", lock=HOUR) == version
    assert reborn.put(A, b"sealed", lock=TWO_HOURS, legal_hold=True) == version
    head = kept.head(A, version.version_id)
    assert head.lock is not None
    assert head.lock.covers(TWO_HOURS)
    assert head.hold
    assert len(kept.history(A)) == 1


def test_other_bytes_never_take_a_name(kept: Bucket) -> None:
    version = kept.put(A, b"theirs", lock=HOUR)
    with pytest.raises(NameTaken) as caught:
        kept.put(A, b"ours!!", lock=HOUR)
    assert caught.value.found == [version]
    assert kept.history(A) == [version]


@pytest.mark.parametrize("version_id", ["null", "garbage", "../x", "x" * 300, "\n", "é"])
def test_a_version_that_never_was_is_not_there(kept: Bucket, version_id: str) -> None:
    kept.put(A, b"sealed", lock=None)
    for call in (kept.get, kept.head):
        with pytest.raises(FileNotFoundError):
            call(A, version_id)


def test_an_object_over_a_taken_name_is_a_further_version(kept: Bucket) -> None:
    """The log goes on over a name that somebody took, and pins which version is its own."""
    theirs = raw(kept, "put_object", A, Body=b"theirs")["VersionId"]
    with pytest.raises(NameTaken):
        kept.put(A, b"ours!!", lock=HOUR)
    ours = kept.put_over(A, b"ours!!", lock=HOUR)
    assert [each.version_id for each in kept.history(A)] == [theirs, ours.version_id]
    with pytest.raises(StoreRefused):
        kept.delete_version(A, ours.version_id, bypass=True)
    raw(kept, "put_object", A, Body=b"above")
    again = kept.put_over(A, b"ours!!", lock=TWO_HOURS)
    assert again.version_id == ours.version_id
    assert len(kept.history(A)) == 3
    lock = kept.get(A, ours.version_id).lock
    assert lock is not None
    assert lock.covers(TWO_HOURS)


def test_how_the_bucket_is_set_up(server: Server, kept: Bucket) -> None:
    assert (kept.versioned(), kept.lockable()) == (True, True)
    plain = server.new_bucket(locked=False)
    assert (plain.versioned(), plain.lockable()) == (False, False)


def test_parts_of_an_object(kept: Bucket) -> None:
    version = kept.put(A, b"0123456789", lock=None)
    read = [kept.get_range(A, version.version_id, start, 4) for start in (0, 4, 8, 10, 99)]
    assert read == [b"0123", b"4567", b"89", b"", b""]


# -- answers that do not come ------------------------------------------------------------------


@contextlib.contextmanager
def over(wire: Wire, bucket: Bucket, patience: Patience) -> Iterator[Bucket]:
    """The same bucket over a wire that fails."""
    there = urlsplit(bucket.remote.endpoint_url or "")
    with faulty((str(there.hostname), int(there.port or 0)), wire) as port:
        endpoint = f"{there.scheme}://127.0.0.1:{port}"
        remote = type(bucket.remote)(
            bucket.address, endpoint, bucket.remote.region, bucket.remote.ca_bundle
        )
        client = connect(remote, patience)
        try:
            yield Bucket(remote, client)
        finally:
            client.close()


@pytest.mark.parametrize("fault", ["lose the answer", "never answer"])
def test_a_put_whose_answer_is_lost_is_ours(server: Server, kept: Bucket, fault: Fault) -> None:
    wire = Wire(fault, times=1)
    with over(wire, kept, Patience(connect_s=2, read_s=2, attempts=4)) as shaky:
        version = shaky.put(A, LARGE, lock=HOUR)
    assert wire.struck == 1
    found = kept.history(A)
    assert found[0].version_id == version.version_id
    assert (len(found) == 1) is HABITS["create-only"].of(server.name)
    assert kept.put(A, LARGE, lock=HOUR).version_id == version.version_id


def test_a_put_that_was_given_up_is_found_by_the_next_one(kept: Bucket) -> None:
    wire = Wire("lose the answer", times=99)
    with over(wire, kept, Patience(connect_s=2, read_s=2, attempts=2)) as shaky:
        with pytest.raises(StoreAway) as caught:
            shaky.put(A, LARGE, lock=HOUR)
        assert not isinstance(caught.value, StoreRefused)
    assert wire.struck == 2
    first = kept.history(A)[0]
    assert kept.put(A, LARGE, lock=HOUR).version_id == first.version_id


def test_bytes_damaged_on_the_way_never_count_as_put(kept: Bucket) -> None:
    wire = Wire("flip a byte", times=99)
    with (
        over(wire, kept, Patience(connect_s=2, read_s=5, attempts=2)) as shaky,
        pytest.raises(StoreAway),
    ):
        shaky.put(A, LARGE, lock=HOUR)
    assert wire.struck


# -- several writers ----------------------------------------------------------------------------


def test_of_racing_writers_one_wins_and_all_agree_who(server: Server, kept: Bucket) -> None:
    """Where the server lets all succeed, the order of the versions decides."""
    for turn in range(4):
        name = f"fence/{turn}"
        outcomes = _race(server, kept, name, [f"writer {n}".encode() for n in range(8)])
        winners = [each for each in outcomes if isinstance(each, Version)]
        losers = [each for each in outcomes if isinstance(each, NameTaken)]
        assert (len(winners), len(losers)) == (1, 7), outcomes
        first = winners[0].version_id
        assert {each.found[0].version_id for each in losers} == {first}
        assert kept.history(name)[0].version_id == first


def test_what_the_server_itself_says_to_racing_creates(server: Server, kept: Bucket) -> None:
    def create(number: int) -> bool:
        try:
            raw(kept, "put_object", A, Body=b"%d" % number, IfNoneMatch="*")
        except kept.client.exceptions.ClientError:  # type: ignore[attr-defined]
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        succeeded = sum(pool.map(create, range(8)))
    assert succeeded == (1 if HABITS["create-only"].of(server.name) else 8)


def test_writers_of_the_same_bytes_all_find_the_same_object(server: Server, kept: Bucket) -> None:
    outcomes = _race(server, kept, A, [b"the same"] * 6)
    assert {getattr(each, "version_id", each) for each in outcomes} == {
        kept.history(A)[0].version_id
    }


def test_one_bucket_serves_many_threads(kept: Bucket) -> None:
    names = [f"body/{n}" for n in range(24)]
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda name: kept.put(name, name.encode(), lock=HOUR), names))
    assert [each.name for each in made] == names
    assert sorted(each.name for each in kept.versions("body/")) == sorted(names)


def _race(server: Server, kept: Bucket, name: str, each: list[bytes]) -> list[object]:
    def put(data: bytes) -> object:
        try:
            return Bucket(kept.remote, server.client()).put(name, data, lock=HOUR)
        except AirconError as error:
            return error

    with ThreadPoolExecutor(len(each)) as pool:
        return list(pool.map(put, each))


# -- what protects an object ----------------------------------------------------------------------


def test_a_lock_is_lengthened_and_never_shortened(kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=HOUR)
    assert kept.extend_retention(A, version.version_id, TWO_HOURS).covers(TWO_HOURS)
    assert kept.extend_retention(A, version.version_id, HOUR).covers(TWO_HOURS)
    weaker = Lock("GOVERNANCE", in_an_hour())
    assert kept.extend_retention(A, version.version_id, weaker).mode == "COMPLIANCE"


def test_an_object_is_locked_until_its_time_and_free_afterwards(kept: Bucket) -> None:
    soon = Lock("COMPLIANCE", time.time_ns() // 1000 + 2_000_000)
    version = kept.put(A, b"sealed", lock=soon)
    for bypass in (False, True):
        with pytest.raises(StoreRefused):
            kept.delete_version(A, version.version_id, bypass=bypass)
    assert kept.get(A, version.version_id).data == b"sealed"

    def removed() -> bool:
        time.sleep(0.3)
        return not does(lambda: kept.delete_version(A, version.version_id))

    until(removed, 30)
    assert soon.date.timestamp() <= time.time() + 1
    with pytest.raises(FileNotFoundError):
        kept.get(A, version.version_id)


def test_a_hold_keeps_what_no_lock_keeps(kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=None, legal_hold=True)
    with pytest.raises(StoreRefused):
        kept.delete_version(A, version.version_id, bypass=True)
    kept.set_legal_hold(A, version.version_id, on=False)
    kept.set_legal_hold(A, version.version_id, on=True)
    with pytest.raises(StoreRefused):
        kept.delete_version(A, version.version_id)
    kept.set_legal_hold(A, version.version_id, on=False)
    kept.delete_version(A, version.version_id)
    assert kept.history(A) == []


def test_that_nobody_ever_held_a_version_is_told_apart_from_not_being_told(kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=HOUR)
    kept.may_see_hold(A, version.version_id)
    assert not kept.head(A, version.version_id).hold
    for on in (True, False):
        kept.set_legal_hold(A, version.version_id, on=on)
        assert kept.head(A, version.version_id).says_hold
        kept.may_see_hold(A, version.version_id)


def test_a_bucket_without_object_lock_is_refused(server: Server) -> None:
    open_one = server.new_bucket(locked=False)
    open_one.client.put_bucket_versioning(  # type: ignore[attr-defined]
        Bucket=open_one.address.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    with pytest.raises(StoreRefused):
        open_one.put(A, b"sealed", lock=HOUR)


def test_a_lock_that_ends_in_the_past(server: Server, kept: Bucket) -> None:
    past = Lock("COMPLIANCE", time.time_ns() // 1000 - 3_600_000_000)
    refuses = does(lambda: kept.put(A, b"sealed", lock=past))
    assert refuses is HABITS["past-refused"].of(server.name)


@pytest.mark.servers
@pytest.mark.slow
def test_not_even_an_administrator_removes_what_is_locked(
    rgw_servers: dict[str, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = rgw_servers["rgw-http"].new_bucket()
    locked = bucket.put(A, b"sealed", lock=HOUR)
    free = bucket.put("free", b"sealed", lock=None)
    for name, value in credentials_of("administrator").items():
        monkeypatch.setenv(name, value)
    administrator = Bucket(bucket.remote, connect(bucket.remote, BRISK))
    administrator.delete_version("free", free.version_id)
    assert bucket.history("free") == [], "an administrator of every bucket"
    with pytest.raises(StoreRefused):
        administrator.delete_version(A, locked.version_id, bypass=True)
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": Lock("COMPLIANCE", in_an_hour(0.1)).date}
    # RGW 16.2 takes no retention from an administrator at all: MalformedXML, longer ones too.
    with pytest.raises(administrator.client.exceptions.ClientError):  # type: ignore[attr-defined]
        raw(
            administrator, "put_object_retention", A, VersionId=locked.version_id,
            Retention=shorter, BypassGovernanceRetention=True,
        )  # fmt: skip
    fetched = bucket.get(A, locked.version_id)
    assert fetched.data == b"sealed"
    assert fetched.lock is not None
    assert fetched.lock.covers(HOUR)


# -- what is laid on top ----------------------------------------------------------------------


def test_the_first_version_is_the_object_whatever_comes_later(kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=HOUR)
    shadows = [raw(kept, "put_object", A, Body=b"shadow %d" % n)["VersionId"] for n in range(3)]
    assert [each.version_id for each in kept.history(A)] == [version.version_id, *shadows]
    assert [each.latest for each in kept.versions()] == [True, False, False, False]
    assert kept.put(A, b"sealed", lock=HOUR).version_id == version.version_id
    assert kept.get(A, version.version_id).data == b"sealed"
    with pytest.raises(NameTaken):
        kept.put(A, b"shadow 2", lock=HOUR)


def test_a_delete_marker_hides_nothing_from_us(server: Server, kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=HOUR)
    raw(kept, "delete_object", A)
    entries = list(kept.versions())
    assert [type(each) for each in entries] == [Marker, Version]
    for call in (kept.get, kept.head):
        with pytest.raises(FileNotFoundError):
            call(A, entries[0].version_id)
    assert kept.get(A, version.version_id).data == b"sealed"
    assert kept.put(A, b"sealed", lock=HOUR).version_id == version.version_id
    try:
        raw(kept, "put_object", A, Body=b"a rival", IfNoneMatch="*")
        taken = True
    except kept.client.exceptions.ClientError:  # type: ignore[attr-defined]
        taken = False
    assert taken is HABITS["create-behind-marker"].of(server.name)
    with pytest.raises(NameTaken):
        kept.put(A, b"a rival", lock=HOUR)


# -- listings ------------------------------------------------------------------------------------


def test_a_listing_in_small_pages_is_the_same_listing(kept: Bucket) -> None:
    for number in range(5):
        for data in (b"one", b"two", b"three"):
            raw(kept, "put_object", f"a/{number}", Body=data)
        raw(kept, "delete_object", f"a/{number}")

    class Small:
        def list_object_versions(self, **asked: Any) -> Any:
            return kept.client.list_object_versions(**{**asked, "MaxKeys": 3})

    whole = list(kept.versions("a/"))
    assert len(whole) == 20
    paged = list(listed(Small(), kept.address, "a/"))  # type: ignore[arg-type]
    by_name = sorted(paged, key=lambda each: each.name)  # a page tells versions before markers
    assert sorted(map(str, paged)) == sorted(map(str, whole))
    assert [each.name for each in by_name] == [each.name for each in whole]


HOSTILE = ["a b&c=d%20+", "<b>&amp;", "é\N{RIGHT-TO-LEFT OVERRIDE}", "quote\"'`", "~$;|"]


def test_names_that_are_not_ours_are_told_as_they_are(server: Server, kept: Bucket) -> None:
    kept.put("a", b"ours", lock=HOUR)
    for name in HOSTILE:
        kept.client.put_object(Bucket=kept.address.bucket, Key=f"logs/{name}", Body=b"x")
    assert {each.name for each in kept.versions()} == {"a", *HOSTILE}


def test_control_characters_in_names(server: Server, kept: Bucket) -> None:
    name = "red\x1b[31m"
    kept.client.put_object(Bucket=kept.address.bucket, Key=f"logs/{name}", Body=b"x")
    try:
        told = [each.name for each in kept.versions()] == [name]
    except StoreAway:
        told = False
    assert told is HABITS["control-characters"].of(server.name)


@pytest.mark.servers
@pytest.mark.slow
def test_a_checksum_behind_the_body_is_why_ours_are_in_headers(
    rgw_servers: dict[str, Server],
) -> None:
    """Over https boto3 by default sends one there, which an old server refuses; over http not."""
    import boto3

    for server, says in ((rgw_servers["rgw-https"], "411"), (rgw_servers["rgw-http"], None)):
        bucket = server.new_bucket()
        usual = boto3.session.Session().client(
            "s3", endpoint_url=server.endpoint_url, verify=server.ca_bundle, region_name="us-east-1"
        )
        try:
            usual.put_object(Bucket=bucket.address.bucket, Key="a", Body=b"x")
            said = None
        except usual.exceptions.ClientError as error:
            said = str(error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert said == says


# -- who may, and when --------------------------------------------------------------------------


def test_a_wrong_secret(server: Server, kept: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    other = Bucket(kept.remote, connect(kept.remote, BRISK))
    refused = does(lambda: other.put(A, b"sealed", lock=HOUR))
    assert refused is HABITS["signature-checked"].of(server.name)
    if refused:
        with pytest.raises(StoreRefused, match="the secret key is not the one"):
            list(other.versions())


def test_a_clock_half_an_hour_behind(
    server: Server, kept: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = dt.timedelta(minutes=30)

    def then(remove_tzinfo: bool = True) -> dt.datetime:
        now = dt.datetime.now(dt.UTC) - behind
        return now.replace(tzinfo=None) if remove_tzinfo else now

    monkeypatch.setattr("botocore.auth.get_current_datetime", then)
    refused = does(lambda: kept.put(A, b"sealed", lock=HOUR))
    assert refused is HABITS["clock-checked"].of(server.name)
    if refused:
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - behind.total_seconds())
        with pytest.raises(StoreRefused, match=r"clock is (29|30) min \d+ s behind the server's"):
            list(kept.versions())


def test_every_server_tells_its_time(kept: Bucket) -> None:
    skew = kept.clock_skew()
    assert skew is not None
    assert abs(skew) < 5


def test_what_it_keeps_of_digests(server: Server, kept: Bucket) -> None:
    version = kept.put(A, b"sealed", lock=None)
    head = kept.head(A, version.version_id)
    assert (head.checksum == head.sha256) is HABITS["checksum-shown"].of(server.name)
    assert head.plain_etag


def test_parts_of_a_version(server: Server, kept: Bucket) -> None:
    version = kept.put(A, b"0123456789", lock=None)
    said = raw(kept, "get_object", A, VersionId=version.version_id, Range="bytes=2-4")
    only = said["Body"].read() == b"234"
    assert only is HABITS["ranges-of-versions"].of(server.name)


def test_a_bucket_that_is_not_there(server: Server, kept: Bucket) -> None:
    kept.client.delete_bucket(Bucket=kept.address.bucket)  # type: ignore[attr-defined]
    for call in (lambda: list(kept.versions()), lambda: kept.put(A, b"x", lock=HOUR)):
        with pytest.raises(StoreRefused, match="there is no such bucket"):
            call()
