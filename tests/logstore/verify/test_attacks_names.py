"""The attacker plays with the names of small objects: what is gone, squatted or invented is named.

No lock needs to be enforced for this: where locks hold, some of it can not be done at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.bucket_stores import BucketStore, Elsewhere, sealed_store
from support.s3_servers import Server, in_an_hour
from support.stores import ORIGIN

from logstore.formats.cosigned import open_cosigned
from logstore.s3.bucket import Lock
from logstore.storage import layout
from logstore.verify.findings import Report

SLUG = "log=logs.example.com_support"
JUNK = b"junk"


@pytest.fixture
def store(
    moto_server: Server, s3_credentials: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BucketStore:
    return sealed_store(moto_server, tmp_path / "writer", monkeypatch, 3)


def lay(store: BucketStore, name: str, data: bytes = JUNK, times: int = 1) -> None:
    key = store.bucket.address.beginning + name
    for number in range(times):
        body = data if times == 1 else data + b" %d" % number
        store.bucket.client.put_object(Bucket=store.bucket.address.bucket, Key=key, Body=body)


def remove(store: BucketStore, name: str) -> None:
    """As where locks have run out, or were governance ones: moto lets them be weakened."""
    for version in store.bucket.history(name):
        weak = {"Mode": "GOVERNANCE", "RetainUntilDate": Lock("GOVERNANCE", in_an_hour()).date}
        store.bucket.client.put_object_retention(
            Bucket=store.bucket.address.bucket,
            Key=store.bucket.address.key(name),
            VersionId=version.version_id,
            Retention=weak,
        )
        store.bucket.delete_version(name, version.version_id, bypass=True)


def at(report: Report, code: str) -> list[tuple[str, int | None, int | None]]:
    return [(f.file, f.index, f.last) for f in report.findings if f.code == code]


# -- claims -----------------------------------------------------------------------------------


def test_a_claim_that_was_removed(store: BucketStore, auditor: Elsewhere) -> None:
    name = store.names("claim/")[1]
    first = layout.claim_first(name)
    remove(store, name)
    report = auditor.verify()
    assert report.exit_code == 1
    last = next(pin.last for pin in auditor.reader().pins if pin.first == first)
    assert at(report, "claim-missing") == [(name, first, last)]
    assert store.verify().codes() >= {"claim-missing"}


def test_a_claim_that_was_replaced(store: BucketStore, auditor: Elsewhere) -> None:
    name = store.names("claim/")[0]
    remove(store, name)
    lay(store, name)
    report = auditor.verify()
    assert [file for file, *_ in at(report, "claim-missing")] == [name]


def test_a_claim_may_go_when_its_time_is_over(
    store: BucketStore, auditor: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(store, store.names("claim/")[0])
    kept = auditor.reader().pins[0].index.retain_until_us
    monkeypatch.setattr("logstore.storage.clock.SystemClock.wall_us", lambda _: kept + 1)
    assert "claim-missing" not in auditor.verify().codes()


# -- seals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", ["end", "middle", "far"])
@pytest.mark.parametrize("count", [1, 7, 999_999_999_999])
def test_a_seal_that_nobody_signed_moves_nothing(
    store: BucketStore, auditor: Elsewhere, behind: str, count: int
) -> None:
    """What its name says of records is anybody's word."""
    sizes = auditor.reader().sealed
    first = {"end": sizes, "middle": 1, "far": 900_000_000_000}[behind]
    lay(store, f"seal/{SLUG}/seal-{first:012d}-{count}.json")
    for report in (auditor.verify(), auditor.verify(quick=True), store.verify()):
        assert report.exit_code == 1
        assert report.logs[0].sealed == sizes
        assert report.logs[0].segments == 3
        assert report.codes() & {"seal-missing", "truncated", "chain-broken"} == set()
        ((_, index, last),) = at(report, "seal-changed")
        assert (index, last) == ((sizes if behind == "end" else None), None)
    assert auditor.verify().logs[0].size == sizes
    assert store.verify().logs[0].size == store.reader().size


def test_the_newest_seal_overwritten_is_not_counted_as_sealed(
    store: BucketStore, auditor: Elsewhere
) -> None:
    name = store.names("seal/")[-1]
    first = layout.seal_range(name)
    assert first is not None
    whole = store.reader().size
    remove(store, name)
    lay(store, name)
    mine, theirs = store.verify(), auditor.verify()
    assert at(mine, "seal-changed") == [(name, first[0], sum(first) - 1)]
    assert at(theirs, "seal-changed") == [(name, first[0], None)]
    assert theirs.logs[0].sealed == theirs.logs[0].size == first[0]
    assert mine.logs[0].sealed == first[0]
    assert mine.logs[0].size == whole


# -- cosigned checkpoints ---------------------------------------------------------------------


def test_a_squat_in_front_of_a_cosigned_checkpoint(
    store: BucketStore, auditor: Elsewhere, tmp_path: Path
) -> None:
    note = store.reader().note
    policy = store.policy()
    one = open_cosigned(note, policy)
    name = layout.cosigned_object(ORIGIN, one.checkpoint.size, one.encode())
    lay(store, name, times=3)
    store.bucket.put_over(name, one.encode(), lock=Lock("COMPLIANCE", in_an_hour()))
    assert auditor.reader().cosigned._open(name) == one
    report = auditor.verify()
    assert report.exit_code == 1
    assert [file for file, *_ in at(report, "shadow-version")] == [name]
    assert report.codes() & {"cosigned-changed", "extra-file", "lock-missing"} == set()


# -- versions of the same bytes ---------------------------------------------------------------


def encrypted_by_the_server(
    store: BucketStore, *, checksums: bool
) -> dict[str, Callable[..., Any]]:
    """Under KMS an entity tag says nothing of the bytes."""

    def listing(real: Callable[..., Any], **asked: Any) -> Any:
        page = real(**asked)
        for each in page.get("Versions", ()):
            each["ETag"] = f'"{each["VersionId"][:32]:0<32}"'
        return page

    def looked(real: Callable[..., Any], **asked: Any) -> Any:
        answer = real(**asked)
        answer |= {"ServerSideEncryption": "aws:kms", "ETag": f'"{asked["VersionId"]}"'}
        if not checksums:
            answer.pop("ChecksumSHA256", None)
        return answer

    return {"list_object_versions": listing, "head_object": looked, "get_object": looked}


@pytest.mark.parametrize("checksums", [True, False])
def test_under_kms_the_same_bytes_put_twice_are_no_shadow(
    store: BucketStore, auditor: Elsewhere, *, checksums: bool
) -> None:
    name = store.names("index/")[0]
    first = store.bucket.history(name)[0]
    data = store.bucket.get(name, first.version_id).data
    key = {"Bucket": store.bucket.address.bucket, "Key": store.bucket.address.key(name)}
    store.bucket.client.put_object(**key, Body=data, ChecksumAlgorithm="SHA256")
    store.network.calls = encrypted_by_the_server(store, checksums=checksums)  # type: ignore[attr-defined]
    report = auditor.verify()
    assert [file for file, *_ in at(report, "written-twice")] == [name]
    assert "shadow-version" not in report.codes()
    # as large, noted as if it were the same, and other bytes
    noted = {"sha256": store.bucket.head(name, first.version_id).sha256}
    store.bucket.client.put_object(
        **key, Body=bytes(len(data)), Metadata=noted, ChecksumAlgorithm="SHA256"
    )
    again = auditor.verify()
    assert [file for file, *_ in at(again, "shadow-version")] == [name]
