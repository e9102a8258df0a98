"""The attacker may do everything in the bucket, on a server that enforces locks: all is found."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.bucket_stores import BucketStore, Elsewhere, new_store, sealed_store
from support.s3_servers import Server, in_an_hour
from support.stores import chat

from logstore.s3.bucket import Lock

pytestmark = [pytest.mark.servers, pytest.mark.slow]

KINDS = ["index/", "body/", "seal/", "claim/", "log/", "store.json"]


@pytest.fixture
def store(rgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    return sealed_store(rgw, tmp_path / "writer", monkeypatch, 2)


@pytest.fixture
def auditor(store: BucketStore, tmp_path: Path) -> Elsewhere:
    there = store.elsewhere(tmp_path / "auditor")
    assert there.verify(seen=tmp_path / "auditor.seen").exit_code == 0
    return there


def admin(store: BucketStore) -> Any:
    """The owner of the bucket, with a client of their own."""
    return store.bucket.client


def place(store: BucketStore, kind: str) -> dict[str, str]:
    name = store.names(kind)[0]
    return {"Bucket": store.bucket.address.bucket, "Key": store.bucket.address.key(name)}


def still_read(auditor: Elsewhere) -> None:
    """The true records are read all the same, from a machine that has nothing cached."""
    shutil.rmtree(auditor.home / "cache", ignore_errors=True)
    shutil.rmtree(auditor.home / "copies", ignore_errors=True)
    reader = auditor.reader()
    mine = auditor.store.reader()
    assert reader.size == mine.sealed
    assert reader.leaves(0, reader.size) == mine.leaves(0, reader.size)


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_laid_over_an_object(store: BucketStore, auditor: Elsewhere, kind: str) -> None:
    at = place(store, kind)
    admin(store).put_object(**at, Body=b"another story")
    report = auditor.verify()
    assert report.exit_code == 1
    assert {f.file for f in report.findings if f.code == "shadow-version"} == {store.names(kind)[0]}
    still_read(auditor)


@pytest.mark.parametrize("kind", KINDS)
def test_a_delete_marker_over_an_object(store: BucketStore, auditor: Elsewhere, kind: str) -> None:
    at = place(store, kind)
    admin(store).delete_object(**at)
    report = auditor.verify()
    assert report.exit_code == 1
    assert "delete-marker" in report.codes()
    still_read(auditor)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_deletes_shortens_or_overwrites(store: BucketStore, kind: str) -> None:
    """What auditors under SEC rule 17a-4 ask of storage, the owner of the bucket included."""
    at = place(store, kind)
    version = store.bucket.history(store.names(kind)[0])[0]
    which = {**at, "VersionId": version.version_id}
    client = admin(store)
    true = client.get_object(**which)["Body"].read()
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**which)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**which, BypassGovernanceRetention=True)
    soon = Lock("COMPLIANCE", 0).date.replace(year=2027)
    for mode in ("COMPLIANCE", "GOVERNANCE"):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object_retention(**which, Retention={"Mode": mode, "RetainUntilDate": soon})
    client.put_object(**at, Body=b"overwritten")
    assert client.get_object(**which)["Body"].read() == true


@pytest.mark.parametrize(
    "name",
    [
        "index/log=logs.example.com_support/date=2026-11-25/seg-000000000099-7.parquet",
        "seal/log=logs.example.com_support/seal-000000000099-7.json",
        "claim/log=logs.example.com_support/claim-000000000099.note",
        "body/log=logs.example.com_support/date=2026-11-25/sup-000000000000-0123456789abcdef.parquet",
        "notes/../../escape",
        "a\x1b]0;title\x07name",
    ],
)
def test_an_object_that_nobody_sealed(store: BucketStore, auditor: Elsewhere, name: str) -> None:
    bucket, prefix = store.bucket.address.bucket, store.bucket.address.prefix
    admin(store).put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=b"PAR1 not ours")
    report = auditor.verify()
    assert report.exit_code == 1, report.found
    assert report.codes() & {"extra-file", "seal-changed"}
    still_read(auditor)


def test_a_copy_without_its_locks(store: BucketStore, auditor: Elsewhere, rgw: Server) -> None:
    """Everything was copied into another bucket: the bytes hold, and nothing keeps them there."""
    other = rgw.new_bucket()
    for name in store.names():
        data = store.bucket.get(name, store.bucket.history(name)[0].version_id).data
        admin(store).put_object(Bucket=other.address.bucket, Key=other.address.key(name), Body=data)
    copied = BucketStore(store.base, other).elsewhere(auditor.home.parent / "other")
    report = copied.verify()
    assert report.exit_code == 1
    assert report.codes() & {"lock-missing", "version-missing"}


def test_a_bucket_that_was_rolled_back(
    store: BucketStore, auditor: Elsewhere, rgw: Server, tmp_path: Path
) -> None:
    """An older state of the bucket, whole and signed, against what was verified before."""
    other = rgw.new_bucket()
    newest = max(store.names("seal/"))
    for name in store.names():
        if name != newest:
            data = store.bucket.get(name, store.bucket.history(name)[0].version_id).data
            admin(store).put_object(
                Bucket=other.address.bucket, Key=other.address.key(name), Body=data
            )
    copied = BucketStore(store.base, other).elsewhere(tmp_path / "later")
    report = copied.verify(seen=tmp_path / "auditor.seen")
    assert report.exit_code == 1
    assert "truncated" in report.codes()


# -- a log that was tried out under governance locks, and somebody with the right to override them


GONE = {
    "index/": {"file-missing"},
    "body/": {"body-missing", "file-missing"},
    "seal/": {"seal-missing"},
    "claim/": {"claim-missing"},
    "log/": {"log-file-changed"},
    "store.json": {"store-file-changed"},
}


@pytest.fixture
def governed(rgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    made = new_store(rgw, tmp_path / "governed", monkeypatch)
    made.mode = "GOVERNANCE"
    with made.create() as log:
        for number in range(2):
            log.append(chat(f"question {number}", "ada"))
            log.seal()
    assert made.elsewhere(tmp_path / "before").verify(seen=tmp_path / "seen").exit_code == 0
    return made


def override(store: BucketStore, name: str) -> dict[str, str]:
    version = store.bucket.history(name)[0]
    return {
        "Bucket": store.bucket.address.bucket,
        "Key": store.bucket.address.key(name),
        "VersionId": version.version_id,
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("replaced", [False, True])
def test_a_version_removed_by_who_overrides_its_lock(
    governed: BucketStore, tmp_path: Path, kind: str, *, replaced: bool
) -> None:
    name = governed.names(kind)[0]
    at = override(governed, name)
    admin(governed).delete_object(**at, BypassGovernanceRetention=True)
    assert governed.bucket.history(name) == []
    if replaced:
        at.pop("VersionId")
        admin(governed).put_object(**at, Body=b"another story")
    report = governed.elsewhere(tmp_path / "auditor").verify()
    assert report.exit_code == 1
    assert name in {f.file for f in report.findings if f.severity == "tampering"} or (
        "seal-missing" in report.codes()
    )
    if not replaced:
        assert report.codes() & GONE[kind], report.found


def test_the_newest_segment_removed_by_who_overrides_its_lock(
    governed: BucketStore, tmp_path: Path
) -> None:
    """Nothing that is left tells of it but what was remembered, and the writer's own tail."""
    for kind in ("index/", "body/", "seal/", "claim/"):
        at = override(governed, governed.names(kind)[-1])
        admin(governed).delete_object(**at, BypassGovernanceRetention=True)
    there = governed.elsewhere(tmp_path / "auditor")
    report = there.verify(seen=tmp_path / "seen")
    assert (report.exit_code, "truncated" in report.codes()) == (1, True)
    assert governed.verify().exit_code == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_shortened_by_who_overrides_it(
    governed: BucketStore, tmp_path: Path, kind: str
) -> None:
    name = governed.names(kind)[0]
    soon = Lock("GOVERNANCE", in_an_hour()).date
    admin(governed).put_object_retention(
        **override(governed, name),
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": soon},
        BypassGovernanceRetention=True,
    )
    report = governed.elsewhere(tmp_path / "auditor").verify()
    assert report.exit_code == 1
    assert {f.file for f in report.findings if f.code == "lock-shortened"} == {name}
