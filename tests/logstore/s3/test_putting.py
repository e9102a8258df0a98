"""One name, one object for ever: the versions under the name decide, no answer does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from support.s3_servers import Meddled, client_error, in_an_hour

from logstore.errors import StoreAway, StoreRefused, TamperingFound, UsageError
from logstore.s3.bucket import Bucket, Lock, LockMissing, NameTaken
from logstore.s3.capabilities import PROBES
from logstore.s3.publishing import CONFLICT_TRIES

A = "seal/log=a/seal-000000000000-7.json"
HOUR = Lock("COMPLIANCE", in_an_hour())


def meddled(bucket: Bucket, **calls: Callable[..., Any]) -> Bucket:
    return Bucket(bucket.remote, Meddled(bucket.client, **calls), pause=lambda _: None)  # type: ignore[arg-type]


def refuse(*codes: str) -> Callable[..., Any]:
    """Answers the first calls with these errors, and does not make them."""
    left = list(codes)

    def answer(real: Callable[..., Any], **parameters: Any) -> Any:
        if left:
            raise client_error(left.pop(0))
        return real(**parameters)

    return answer


def lose_answer(times: int = 1) -> Callable[..., Any]:
    """The object is put, the answer lost, and botocore puts it again."""

    def answer(real: Callable[..., Any], **parameters: Any) -> Any:
        for _ in range(times):
            real(**parameters)
        return real(**parameters)

    return answer


def rival(bucket: Bucket, name: str, data: bytes, **more: Any) -> str:
    """Somebody else puts something, without our manners."""
    key = bucket.address.key(name)
    made = bucket.client.put_object(Bucket=bucket.address.bucket, Key=key, Body=data, **more)
    return str(made["VersionId"])


def test_an_object_is_put_locked_and_told(bucket: Bucket) -> None:
    version = bucket.put(A, b"sealed", lock=HOUR)
    assert (version.name, version.size, version.latest) == (A, 6, True)
    assert version.etag == hashlib.md5(b"sealed").hexdigest()
    head = bucket.head(A, version.version_id)
    assert head.lock is not None
    assert head.lock.covers(HOUR)
    assert head.sha256 == hashlib.sha256(b"sealed").hexdigest()
    assert len(head.nonce) == 32
    assert not head.hold
    assert bucket.history(A) == [version]


def test_it_is_one_put_with_every_digest_in_a_header(bucket: Bucket) -> None:
    asked: list[dict[str, Any]] = []

    def note(real: Callable[..., Any], **parameters: Any) -> Any:
        asked.append(parameters)
        return real(**parameters)

    meddled(bucket, put_object=note).put(A, b"x" * 9_000_000, lock=HOUR, legal_hold=True)
    (only,) = (put for put in asked if PROBES not in put["Key"])
    assert only["IfNoneMatch"] == "*"
    assert only["ChecksumSHA256"]
    assert only["ContentMD5"]
    assert only["ObjectLockMode"] == "COMPLIANCE"
    assert only["ObjectLockLegalHoldStatus"] == "ON"


def test_putting_the_same_again_finds_it_and_sends_nothing(bucket: Bucket) -> None:
    first = bucket.put(A, b"sealed", lock=HOUR)

    def never(*_: object, **__: object) -> Any:
        raise AssertionError("put again")

    assert meddled(bucket, put_object=never).put(A, b"sealed", lock=HOUR) == first


def test_other_bytes_under_the_name_are_told_and_left(bucket: Bucket) -> None:
    first = bucket.put(A, b"theirs", lock=HOUR)
    for data in (b"ours!!", b"ours, and longer", b""):
        with pytest.raises(NameTaken) as caught:
            bucket.put(A, data, lock=HOUR)
        assert caught.value.found == [first]
        assert isinstance(caught.value, TamperingFound)
    assert bucket.history(A) == [first]


def test_a_lost_answer_is_not_taken_for_a_rival(bucket: Bucket) -> None:
    """botocore puts again by itself, and is told that the name is taken: by its own first try."""
    version = meddled(bucket, put_object=lose_answer()).put(A, b"sealed", lock=HOUR)
    assert bucket.history(A) == [version]


def test_a_server_that_ignores_the_condition_still_has_one_first(bucket: Bucket) -> None:
    def careless(real: Callable[..., Any], **parameters: Any) -> Any:
        del parameters["IfNoneMatch"]
        return lose_answer(2)(real, **parameters)

    version = meddled(bucket, put_object=careless).put(A, b"sealed", lock=HOUR)
    found = bucket.history(A)
    assert len(found) == 3
    assert found[0] == version
    assert meddled(bucket, put_object=careless).put(A, b"sealed", lock=HOUR) == version


def test_a_rival_that_was_first_wins_though_the_server_took_both(bucket: Bucket) -> None:
    def late(real: Callable[..., Any], **parameters: Any) -> Any:
        theirs.append(rival(bucket, A, b"theirs"))
        del parameters["IfNoneMatch"]
        return real(**parameters)

    theirs: list[str] = []
    with pytest.raises(NameTaken) as caught:
        meddled(bucket, put_object=late).put(A, b"ours", lock=HOUR)
    assert [each.version_id for each in caught.value.found[:1]] == theirs
    assert len(caught.value.found) == 2


def test_a_rival_that_came_later_only_shadows(bucket: Bucket) -> None:
    def early(real: Callable[..., Any], **parameters: Any) -> Any:
        answer = real(**parameters)
        rival(bucket, A, b"theirs")
        return answer

    version = meddled(bucket, put_object=early).put(A, b"ours", lock=HOUR)
    assert bucket.get(A, version.version_id).data == b"ours"
    assert len(bucket.history(A)) == 2


def test_a_rival_behind_a_delete_marker_does_not_pass_for_first(bucket: Bucket) -> None:
    """Create-only succeeds behind a delete marker; the older version below it still counts."""
    first = bucket.put(A, b"sealed", lock=HOUR)
    bucket.client.delete_object(Bucket=bucket.address.bucket, Key=bucket.address.key(A))
    with pytest.raises(NameTaken) as caught:
        bucket.put(A, b"other!", lock=HOUR)
    assert [each.version_id for each in caught.value.found] == [first.version_id]
    assert bucket.put(A, b"sealed", lock=HOUR).version_id == first.version_id


def test_metadata_of_a_rival_is_no_proof(bucket: Bucket) -> None:
    """Whoever may put can say that it is ours: the bytes are looked at."""
    claimed = {"sha256": hashlib.sha256(b"ours!!").hexdigest(), "nonce": "00" * 16}
    rival(bucket, A, b"theirs", Metadata=claimed)
    with pytest.raises(NameTaken):
        bucket.put(A, b"ours!!", lock=HOUR)


@pytest.mark.parametrize("junk", ["", "x" * 1500, "zz", "../../etc/passwd", "<script>"])
def test_junk_in_metadata_is_left_out(bucket: Bucket, junk: str) -> None:
    version_id = rival(bucket, A, b"x", Metadata={"sha256": junk, "nonce": junk, "more": junk})
    head = bucket.head(A, version_id)
    assert (head.sha256, head.nonce) == ("", "")


def test_a_conflict_is_tried_again(bucket: Bucket) -> None:
    conflicts = refuse(*["ConditionalRequestConflict"] * (CONFLICT_TRIES - 1))
    assert meddled(bucket, put_object=conflicts).put(A, b"sealed", lock=HOUR).size == 6


def test_a_conflict_that_stays_is_given_up_for_now(bucket: Bucket) -> None:
    conflicts = refuse(*["ConditionalRequestConflict"] * CONFLICT_TRIES)
    with pytest.raises(StoreAway) as caught:
        meddled(bucket, put_object=conflicts).put(A, b"sealed", lock=HOUR)
    assert not isinstance(caught.value, StoreRefused)
    assert bucket.history(A) == []


def test_taken_and_not_listed_contradict_each_other(bucket: Bucket) -> None:
    with pytest.raises(StoreAway, match="does not list it"):
        meddled(bucket, put_object=refuse("PreconditionFailed")).put(A, b"sealed", lock=HOUR)


def test_an_answer_about_a_version_that_is_not_there(bucket: Bucket) -> None:
    def invent(real: Callable[..., Any], **parameters: Any) -> Any:
        return {**real(**parameters), "VersionId": "invented"}

    with pytest.raises(StoreAway, match="does not list it"):
        meddled(bucket, put_object=invent).put(A, b"sealed", lock=HOUR)


@pytest.mark.parametrize("call", ["head_object", "get_object"])
def test_a_version_that_is_removed_meanwhile(bucket: Bucket, call: str) -> None:
    """A rival that has the right takes its own version away while we look at it."""

    def gone(_: Callable[..., Any], **__: Any) -> Any:
        raise client_error("NoSuchVersion", 404)

    rival(bucket, A, b"theirs")
    with pytest.raises(StoreAway, match="is gone now"):
        meddled(bucket, **{call: gone}).put(A, b"ours!!", lock=HOUR)
    version = bucket.put_over(A, b"ours!!", lock=HOUR)
    assert bucket.history(A)[1] == version


@pytest.mark.parametrize(
    "shown",
    [
        {"ObjectLockMode": None},
        {"ObjectLockRetainUntilDate": None},
        {"ObjectLockMode": "GOVERNANCE"},
        {"ObjectLockMode": "FOREVER"},
    ],
)
def test_a_lock_that_is_not_shown_is_not_there(bucket: Bucket, shown: dict[str, Any]) -> None:
    def hide(real: Callable[..., Any], **parameters: Any) -> Any:
        return {**real(**parameters), **shown}

    with pytest.raises(LockMissing, match="was to be locked COMPLIANCE") as caught:
        meddled(bucket, head_object=hide).put(A, b"sealed", lock=HOUR)
    assert isinstance(caught.value, StoreRefused)


def test_a_legal_hold_that_is_not_shown_is_not_there(bucket: Bucket) -> None:
    def hide(real: Callable[..., Any], **parameters: Any) -> Any:
        return {**real(**parameters), "ObjectLockLegalHoldStatus": None}

    with pytest.raises(LockMissing, match="legal hold"):
        meddled(bucket, head_object=hide).put(A, b"sealed", lock=HOUR, legal_hold=True)


@pytest.mark.parametrize(
    "shown", [{"ETag": f'"{"0" * 32}"'}, {"ContentLength": 7}, {"ChecksumSHA256": "A" * 43 + "="}]
)
def test_other_bytes_stored_than_sent_are_noticed(bucket: Bucket, shown: dict[str, Any]) -> None:
    def lie(real: Callable[..., Any], **parameters: Any) -> Any:
        return {**real(**parameters), **shown}

    with pytest.raises(StoreRefused, match="other bytes"):
        meddled(bucket, head_object=lie).put(A, b"sealed", lock=HOUR)


def test_an_etag_under_kms_is_no_digest(bucket: Bucket) -> None:
    def encrypted(real: Callable[..., Any], **parameters: Any) -> Any:
        shown = {"ETag": f'"{"0" * 32}"', "ServerSideEncryption": "aws:kms"}
        return {**real(**parameters), **shown}

    assert meddled(bucket, head_object=encrypted).put(A, b"sealed", lock=HOUR).size == 6


def test_a_bucket_without_versions_is_refused(moto_server: Any) -> None:
    plain = moto_server.new_bucket(locked=False)
    with pytest.raises(StoreRefused, match="keeps no versions"):
        plain.put(A, b"sealed", lock=None)


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket) -> None:
    bucket.client.delete_bucket(Bucket=bucket.address.bucket)  # type: ignore[attr-defined]
    with pytest.raises(StoreRefused, match="there is no such bucket"):
        bucket.put(A, b"sealed", lock=HOUR)


def test_names_that_are_not_ours_are_never_put(bucket: Bucket) -> None:
    for name in ("../x", "/x", "a\nb", "a//b", ""):
        with pytest.raises(TamperingFound):
            bucket.put(name, b"", lock=HOUR)


def test_a_time_that_no_server_can_keep_is_refused(bucket: Bucket) -> None:
    with pytest.raises(UsageError, match="9999"):
        bucket.put(A, b"", lock=Lock("COMPLIANCE", 2**62))


@pytest.mark.parametrize(
    ("have", "want", "covers"),
    [
        (("COMPLIANCE", 5), ("COMPLIANCE", 5), True),
        (("COMPLIANCE", 4), ("COMPLIANCE", 5), False),
        (("COMPLIANCE", 5), ("GOVERNANCE", 5), True),
        (("GOVERNANCE", 9), ("COMPLIANCE", 5), False),
        (("GOVERNANCE", 5), ("GOVERNANCE", 5), True),
    ],
)
def test_which_lock_is_as_good(have: tuple[Any, int], want: tuple[Any, int], covers: bool) -> None:
    assert Lock(*have).covers(Lock(*want)) is covers


def test_a_lock_is_never_asked_for_shorter_than_meant() -> None:
    lock = Lock("COMPLIANCE", 1_000_000_000_000_001)
    assert lock.date.microsecond == 0
    assert lock.date.timestamp() == 1_000_000_001
