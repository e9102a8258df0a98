"""The policies of docs/iam at the bucket, on a server that enforces them, over https.

That the commands of each role need no more is tested in tests/console/test_roles.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.roles import Staff, role_policy, without
from support.s3_servers import Server, in_an_hour

from logstore.errors import StoreRefused
from logstore.s3.bucket import Bucket, Lock, NameTaken
from logstore.s3.capabilities import judge
from logstore.s3.probing import probe_bucket

pytestmark = [pytest.mark.servers, pytest.mark.slow]

A = "seal/log=a/seal-000000000000-7.json"
HOUR = Lock("COMPLIANCE", in_an_hour())


@pytest.fixture
def owners(rgw_servers: dict[str, Server], s3_credentials: None) -> Bucket:
    """The bucket, as its owner sees it."""
    return rgw_servers["rgw-https"].new_bucket(prefix="aircon")


@pytest.fixture
def staff(
    rgw_servers: dict[str, Server], s3_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Staff]:
    hired = Staff(rgw_servers["rgw-https"], monkeypatch)
    yield hired
    hired.dismiss()


@pytest.fixture
def become(owners: Bucket, staff: Staff) -> Callable[[str], Bucket]:
    """The same bucket, as somebody with a role sees it."""

    def other(role: str) -> Bucket:
        staff.allow(role, role_policy(role, owners.address))
        return staff.bucket(role, owners.remote)

    return other


def test_the_writer_writes_and_removes_nothing(become: Callable[[str], Bucket]) -> None:
    writer = become("writer")
    version = writer.put(A, b"sealed", lock=HOUR)
    assert writer.put(A, b"sealed", lock=Lock("COMPLIANCE", in_an_hour(2))) == version
    with pytest.raises(NameTaken):
        writer.put(A, b"other!", lock=HOUR)
    free = writer.put("free", b"not locked", lock=None)
    for attempt in (
        lambda: writer.delete_version("free", free.version_id),
        lambda: writer.delete_version("free", free.version_id, bypass=True),
    ):
        with pytest.raises(StoreRefused, match="access is denied"):
            attempt()
    assert writer.get("free", free.version_id).data == b"not locked"


def test_the_writer_makes_no_lock_longer_without_the_right_to(
    owners: Bucket, become: Callable[[str], Bucket], staff: Staff
) -> None:
    writer = become("writer")
    writer.put(A, b"sealed", lock=HOUR)
    staff.allow("writer", without(role_policy("writer", owners.address), "s3:PutObjectRetention"))
    with pytest.raises(StoreRefused, match="access is denied"):
        writer.put(A, b"sealed", lock=Lock("COMPLIANCE", in_an_hour(2)))


def test_the_writer_lifts_no_hold(owners: Bucket, become: Callable[[str], Bucket]) -> None:
    """Of what somebody else put. AWS lets it place holds only; Ceph, both on what it has put."""
    theirs = owners.put(A, b"sealed", lock=HOUR, legal_hold=True)
    writer = become("writer")
    with pytest.raises(StoreRefused, match="access is denied"):
        writer.set_legal_hold(A, theirs.version_id, on=False)
    own = writer.put("own", b"sealed", lock=HOUR)
    writer.set_legal_hold("own", own.version_id, on=True)
    assert writer.head("own", own.version_id).hold


def test_the_writer_stays_below_the_prefix(become: Callable[[str], Bucket]) -> None:
    client: Any = become("writer").client
    bucket = become("writer").address.bucket
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.put_object(Bucket=bucket, Key="elsewhere", Body=b"x")


def test_a_writer_who_may_see_the_settings_finds_out_that_the_bucket_is_fit(
    owners: Bucket, staff: Staff
) -> None:
    """As docs/iam says of a writer who makes the log, too."""
    policy = role_policy("writer", owners.address)
    settings = {
        "Effect": "Allow",
        "Action": ["s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"],
        "Resource": f"arn:aws:s3:::{owners.address.bucket}",
    }
    for statements, fit in (([], False), ([settings], True)):
        staff.allow("writer", {**policy, "Statement": [*policy["Statement"], *statements]})
        verdict = judge(probe_bucket(staff.bucket("writer", owners.remote)))
        assert verdict.fit is fit, verdict


def test_the_auditor_reads_everything_and_writes_nothing(
    owners: Bucket, become: Callable[[str], Bucket]
) -> None:
    version = owners.put(A, b"sealed", lock=HOUR, legal_hold=True)
    auditor = become("auditor")
    assert auditor.history(A) == [version]
    fetched = auditor.get(A, version.version_id)
    assert fetched.data == b"sealed"
    assert fetched.lock is not None
    assert fetched.hold
    with pytest.raises(StoreRefused, match="access is denied"):
        auditor.put("mine", b"x", lock=None)
    with pytest.raises(StoreRefused, match="access is denied"):
        auditor.set_legal_hold(A, version.version_id, on=False)


def test_what_is_gone_is_told_from_what_may_not_be_read(
    owners: Bucket, become: Callable[[str], Bucket], staff: Staff
) -> None:
    """A server says of both that access is denied to whoever may not list the whole bucket."""
    gone = owners.put(A, b"no longer kept", lock=None)
    owners.delete_version(A, gone.version_id)
    there = owners.put(A, b"still kept", lock=None)
    auditor = become("auditor")
    for ask in (
        lambda: auditor.head(A, gone.version_id),
        lambda: auditor.get(A, gone.version_id),
        lambda: auditor.get_range(A, gone.version_id, 0, 3),
    ):
        with pytest.raises(FileNotFoundError, match="it is not there"):
            ask()
    less = without(role_policy("auditor", owners.address), "s3:GetObjectVersion")
    staff.allow("auditor", less)
    with pytest.raises(StoreRefused, match="access is denied"):
        auditor.get(A, there.version_id)


def test_who_may_not_see_holds_is_not_taken_to_see_none(
    owners: Bucket, become: Callable[[str], Bucket]
) -> None:
    theirs = owners.put(A, b"sealed", lock=HOUR, legal_hold=True)
    responder, auditor = become("responder"), become("auditor")
    assert not responder.head(A, theirs.version_id).says_hold
    with pytest.raises(StoreRefused, match="access is denied"):
        responder.may_see_hold(A, theirs.version_id)
    assert auditor.head(A, theirs.version_id).hold
    auditor.may_see_hold(A, theirs.version_id)
