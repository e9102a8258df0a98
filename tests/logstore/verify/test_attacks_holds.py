"""Legal holds and retention against whoever may do everything in the bucket, on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.bucket_stores import BucketStore, Elsewhere, new_store
from support.clocks import DAY_US, Shifted
from support.old_store import make_in_bucket
from support.s3_servers import Server
from support.stores import texts
from support.waiting import until

from logstore.formats.custody import Placed
from logstore.formats.pins import ObjectPin
from logstore.storage.clock import SystemClock
from logstore.storage.orders import Order
from logstore.verify import bucketevidence

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ORDER = Order("ada", "case 17")
IN_SECONDS = 5_000_000


@pytest.fixture
def store(rgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    """Content that is locked for seconds only; the first segment is under legal hold."""
    monkeypatch.setattr(bucketevidence, "HOLD_GRACE_US", 0)
    made = new_store(rgw, tmp_path / "writer", monkeypatch)
    make_in_bucket(made, Shifted(IN_SECONDS - 200 * DAY_US))
    with made.open() as log:
        assert log.custodian.place(Placed([0, 0]), ORDER).pending is None
        log.seal()
    pins = made.reader().pins
    last = max(pin.body.retain_until_us for pin in pins[:2] if pin.body is not None)
    until(lambda: now_us() > last + 1_500_000)
    return made


def now_us() -> int:
    return SystemClock().wall_us()


def body(store: BucketStore, segment: int) -> ObjectPin:
    found = store.reader().pins[segment].body
    assert found is not None
    return found


def version(store: BucketStore, pin: ObjectPin) -> dict[str, str]:
    address = store.bucket.address
    return {"Bucket": address.bucket, "Key": address.key(pin.key), "VersionId": pin.version}


def admin(store: BucketStore) -> Any:
    return store.bucket.client


def test_nobody_removes_what_is_held_once_its_retention_is_over(
    store: BucketStore, auditor: Elsewhere
) -> None:
    held, free = body(store, 0), body(store, 1)
    for bypass in (False, True):
        with pytest.raises(ClientError, match="AccessDenied"):
            admin(store).delete_object(**version(store, held), BypassGovernanceRetention=bypass)
    admin(store).delete_object(**version(store, free))
    report = auditor.verify()
    assert report.exit_code == 0, "that one's time was up"
    assert [f.file for f in report.findings if f.code == "body-expired"] == [free.key]


def test_a_hold_lifted_behind_the_logs_back_and_what_goes_then(
    store: BucketStore, auditor: Elsewhere
) -> None:
    held = body(store, 0)
    client = admin(store)
    client.put_object_legal_hold(**version(store, held), LegalHold={"Status": "OFF"})
    report = auditor.verify()
    assert report.exit_code == 1
    assert [f.file for f in report.findings if f.code == "hold-missing"] == [held.key]
    client.delete_object(**version(store, held))
    report = auditor.verify()
    assert report.exit_code == 1
    missing = [f for f in report.findings if f.code == "body-missing"]
    assert [f.file for f in missing] == [held.key]
    assert "though hold" in missing[0].what


@pytest.mark.parametrize("same", [False, True])
def test_something_put_where_content_was_removed(
    store: BucketStore, auditor: Elsewhere, same: bool
) -> None:
    pin = body(store, 1)
    data = store.bucket.get(pin.key, pin.version).data if same else b"another story"
    with store.open() as log:
        made = log.custodian.plan(now_us())
        assert [each.key for each in made.objects] == [pin.key]
        assert log.custodian.apply(made.digest, made.until_us, ORDER).kept == ()
        log.seal()
    assert auditor.verify().exit_code == 0
    address = store.bucket.address
    admin(store).put_object(Bucket=address.bucket, Key=address.key(pin.key), Body=data)
    report = auditor.verify()
    assert report.exit_code == (0 if same else 1)
    assert report.codes() >= ({"removed-still-here"} if same else {"file-changed"})
    assert "old 1" not in texts(store.reader()).values(), "the log says that it is gone"
