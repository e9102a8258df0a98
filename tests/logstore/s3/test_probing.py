"""Probing finds out what each server really does, and says whether evidence may go there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.s3_habits import HABITS
from support.s3_servers import Meddled, Server, client_error

from logstore.errors import StoreAway, StoreRefused
from logstore.s3 import probing
from logstore.s3.bucket import Bucket, Version
from logstore.s3.capabilities import MEANINGS, Capabilities, Probe, judge, probe
from logstore.s3.probing import PROBES, probe_bucket, sweep

FIT = {"rgw-http": True, "rgw-https": True, "ministack": True, "moto": False}


def meddled(bucket: Bucket, **calls: Callable[..., Any]) -> Bucket:
    return Bucket(bucket.remote, Meddled(bucket.client, **calls), pause=lambda _: None)  # type: ignore[arg-type]


def found(**differently: bool | None) -> Capabilities:
    """All held, but for some."""
    by_name = {name.replace("_", "-"): held for name, held in differently.items()}
    probes = tuple(probe(name, by_name.get(name, True)) for name in MEANINGS)
    return Capabilities("s3://evidence", "", 0, probes)


def test_what_each_server_does_comes_out(server: Server) -> None:
    capabilities = probe_bucket(server.new_bucket())
    seen = {each.name: each.held for each in capabilities.probes}
    assert seen == {name: HABITS[name].of(server.name) for name in MEANINGS}, capabilities
    assert all(each.means == MEANINGS[each.name] for each in capabilities.probes)
    assert judge(capabilities).fit is FIT[server.name]
    assert msgspec.json.decode(msgspec.json.encode(capabilities), type=Capabilities) == capabilities


def test_a_bucket_without_lock_is_not_fit(server: Server) -> None:
    capabilities = probe_bucket(server.new_bucket(locked=False))
    assert capabilities.held("versioning") is False
    assert capabilities.held("object-lock") is False
    assert {"versioning", "object-lock", "locked-put"} <= set(judge(capabilities).missing)


def test_evidence_is_not_touched_and_leftovers_go_later(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = server.new_bucket()
    version = bucket.put("store.json", b"{}", lock=None)
    probe_bucket(bucket)
    left = [each for each in bucket.versions() if each.name.startswith(PROBES)]
    assert len(left) < 20
    assert sweep(bucket) == 0, "another probing may be under way"
    monkeypatch.setattr(probing, "_OLD_S", -60)
    removed = sweep(bucket)
    still = [each for each in bucket.versions(PROBES) if isinstance(each, Version)]
    assert removed == len(left) - len(still) > 0
    assert all(bucket.head(each.name, each.version_id).lock for each in still)
    assert bucket.history("store.json") == [version]


def test_a_bucket_that_is_not_there_is_told(bucket: Bucket) -> None:
    bucket.client.delete_bucket(Bucket=bucket.address.bucket)  # type: ignore[attr-defined]
    with pytest.raises(StoreRefused, match="there is no such bucket"):
        probe_bucket(bucket)


def test_who_may_not_ask_is_told_what_could_not_be_found_out(bucket: Bucket) -> None:
    def denied(_: object, **__: object) -> Any:
        raise client_error("AccessDenied", 403)

    shut = meddled(bucket, get_bucket_versioning=denied, get_object_lock_configuration=denied)
    capabilities = probe_bucket(shut)
    assert capabilities.held("versioning") is None
    assert capabilities.held("object-lock") is None
    assert "access is denied" in next(
        each.detail for each in capabilities.probes if each.name == "versioning"
    )
    assert {"versioning", "object-lock"} <= set(judge(capabilities).missing)


def test_who_may_remove_nothing_finds_that_nothing_can_be_removed(bucket: Bucket) -> None:
    def denied(_: object, **__: object) -> Any:
        raise client_error("AccessDenied", 403)

    capabilities = probe_bucket(meddled(bucket, delete_object=denied))
    assert capabilities.held("delete-refused") is True
    assert capabilities.held("marker-visible") is None
    assert "marker-visible" not in judge(capabilities).missing


def test_a_server_that_says_no_and_removes_all_the_same_is_found_out(bucket: Bucket) -> None:
    def gone(_: object, **parameters: object) -> Any:
        raise client_error("NoSuchVersion", 404)

    capabilities = probe_bucket(meddled(bucket, get_object=gone))
    assert capabilities.held("delete-refused") is False
    assert not judge(capabilities).fit


def test_a_server_that_does_not_answer_a_probe_leaves_it_open(bucket: Bucket) -> None:
    def busy(_: object, **__: object) -> Any:
        raise client_error("SlowDown", 503)

    capabilities = probe_bucket(meddled(bucket, create_multipart_upload=busy))
    assert capabilities.held("multipart-locked") is None
    none_put = probe_bucket(meddled(bucket, put_object=busy))
    assert none_put.held("locked-put") is None
    assert none_put.held("delete-refused") is None
    with pytest.raises(StoreAway):
        probe_bucket(meddled(bucket, list_object_versions=busy))


def test_a_server_that_is_too_slow_proves_nothing(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the lock may have ended, a removal says nothing about locks."""
    monkeypatch.setattr(probing, "_IN_TIME_S", -1.0)
    capabilities = probe_bucket(bucket)
    assert capabilities.held("delete-refused") is None
    assert not judge(capabilities).fit


def test_a_listing_that_hides_what_lies_below_is_not_fit(bucket: Bucket) -> None:
    def newest_only(real: Callable[..., Any], **parameters: Any) -> Any:
        said = real(**parameters)
        said["Versions"] = [each for each in said.get("Versions", ()) if each["IsLatest"]]
        return said

    capabilities = probe_bucket(meddled(bucket, list_object_versions=newest_only))
    assert capabilities.held("shadow-visible") is False
    assert "shadow-visible" in judge(capabilities).missing


@pytest.mark.parametrize(
    "name",
    ["versioning", "object-lock", "locked-put", "lock-shown", "shorten-refused", "delete-refused",
     "bypass-refused"],
)  # fmt: skip
@pytest.mark.parametrize("held", [False, None])
def test_without_these_nothing_is_written(name: str, held: bool | None) -> None:
    verdict = judge(found(**{name: held}))
    assert not verdict.fit
    assert verdict.missing == (name,)


def test_one_digest_that_is_checked_is_enough() -> None:
    assert judge(found(wrong_md5_refused=False)).fit
    assert judge(found(wrong_sha256_refused=None)).fit
    neither = judge(found(wrong_md5_refused=False, wrong_sha256_refused=None))
    assert not neither.fit


@pytest.mark.parametrize("name", ["create-only", "extend", "legal-hold", "clock"])
def test_without_these_it_is_remarked(name: str) -> None:
    verdict = judge(found(**{name: False}))
    assert verdict.fit
    assert len(verdict.remarks) == 1


@given(st.dictionaries(st.sampled_from(sorted(MEANINGS)), st.sampled_from([False, None])))
def test_less_never_makes_a_server_fit(worse: dict[str, bool | None]) -> None:
    if not judge(found()).fit or judge(found(**worse)).fit:
        assert all(held is None or name not in _ALWAYS for name, held in worse.items())


_ALWAYS = {"versioning", "object-lock", "locked-put", "lock-shown", "shorten-refused",
           "delete-refused", "bypass-refused", "shadow-visible", "marker-visible"}  # fmt: skip


def test_what_is_not_there_is_not_known() -> None:
    empty = Capabilities("s3://evidence", "", 0, (Probe("extend", "", held=True),))
    assert empty.held("create-only") is None
    assert not judge(empty).fit
