"""The policy of docs/s3.md, on a server that enforces policies: who may do what, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.rgw import credentials_of
from support.s3_servers import BRISK, Server, in_an_hour

from logstore.errors import StoreRefused
from logstore.s3.bucket import Bucket, Lock, NameTaken
from logstore.s3.capabilities import judge
from logstore.s3.client import connect
from logstore.s3.probing import probe_bucket

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "s3.md"
A = "seal/log=a/seal-000000000000-7.json"
HOUR = Lock("COMPLIANCE", in_an_hour())


@pytest.fixture
def owners(rgw_servers: dict[str, Server]) -> Bucket:
    """The owner's bucket, with the page's policy on it."""
    bucket = rgw_servers["rgw-https"].new_bucket(prefix="aircon")
    (policy,) = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    policy = policy.replace("arn:aws:iam::111122223333:user/", "arn:aws:iam:::user/")
    policy = policy.replace(":::evidence", f":::{bucket.address.bucket}")
    bucket.client.put_bucket_policy(Bucket=bucket.address.bucket, Policy=policy)  # type: ignore[attr-defined]
    assert json.loads(policy)
    return bucket


@pytest.fixture
def become(owners: Bucket, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Bucket]:
    """The same bucket, as somebody else sees it."""

    def other(name: str) -> Bucket:
        for variable, value in credentials_of(name).items():
            monkeypatch.setenv(variable, value)
        return Bucket(owners.remote, connect(owners.remote, BRISK))

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


def test_the_writer_lifts_no_hold(owners: Bucket, become: Callable[[str], Bucket]) -> None:
    """Of what somebody else put; on Ceph whoever put an object may hold and release it."""
    theirs = owners.put(A, b"sealed", lock=HOUR, legal_hold=True)
    writer = become("writer")
    with pytest.raises(StoreRefused, match="access is denied"):
        writer.set_legal_hold(A, theirs.version_id, on=False)
    own = writer.put("own", b"sealed", lock=HOUR)
    writer.set_legal_hold("own", own.version_id, on=True)
    assert writer.head("own", own.version_id).hold


def test_the_writer_can_find_out_that_the_bucket_is_fit(become: Callable[[str], Bucket]) -> None:
    verdict = judge(probe_bucket(become("writer")))
    assert verdict.fit, verdict


def test_the_writer_stays_below_the_prefix(become: Callable[[str], Bucket]) -> None:
    writer = become("writer")
    with pytest.raises(writer.client.exceptions.ClientError, match="AccessDenied"):  # type: ignore[attr-defined]
        writer.client.put_object(Bucket=writer.address.bucket, Key="elsewhere", Body=b"x")


@pytest.mark.parametrize(
    ("call", "more"),
    [
        ("delete_object", {"Key": f"aircon/{A}"}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
        ("put_object_lock_configuration",
         {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
        ("delete_bucket", {}),
        ("put_bucket_policy", {"Policy": "{}"}),
    ],
)  # fmt: skip
def test_the_writer_changes_no_rules(
    become: Callable[[str], Bucket], call: str, more: dict[str, Any]
) -> None:
    writer = become("writer")
    writer.put(A, b"sealed", lock=HOUR)
    with pytest.raises(writer.client.exceptions.ClientError, match="AccessDenied"):  # type: ignore[attr-defined]
        getattr(writer.client, call)(Bucket=writer.address.bucket, **more)


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
