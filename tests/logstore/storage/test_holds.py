"""Legal holds: what the log says is held is held in the bucket, whatever comes between."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.bucket_stores import BucketStore, Network
from support.clocks import DAY_US
from support.stores import ORIGIN, TestStore, chat
from support.supplementing import person, survivors

from logstore.errors import NotFound, StoreAway, StoreRefused, UsageError
from logstore.formats.custody import Placed
from logstore.formats.record import Record
from logstore.s3.bucket import LockMissing
from logstore.s3.capabilities import MEANINGS, Capabilities, Probe
from logstore.storage import layout
from logstore.storage.log import Log
from logstore.storage.orders import Order
from logstore.storage.probed import probed_record
from logstore.verify import bucketevidence

ORDER = Order("ada", "case 17: the regulator asked", "hold add --records 1-2")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification gives no hold any time to arrive."""
    monkeypatch.setattr(bucketevidence, "HOLD_GRACE_US", 0)


def filled(log: Log, *, segments: int = 3) -> None:
    for number in range(segments):
        log.append(chat(f"question {number}", "ada"))
        log.seal()


def held(store: BucketStore) -> set[str]:
    """Names of objects that the server shows as held."""
    names = set()
    for version in store.bucket.versions():
        if store.bucket.head(version.name, version.version_id).hold:
            names.add(version.name)
    return names


def objects(store: BucketStore, *segments: int) -> set[str]:
    """Names of everything that is held with some segments."""
    names = set()
    for number in segments:
        pin = store.reader().pins[number]
        names |= {pin.index.key, layout.seal_object(ORIGIN, pin.first, pin.count)}
        names |= {pin.body.key} if pin.body is not None else set()
    return names


def scope(first: int, last: int) -> Placed:
    return Placed([first, last])


def marker(store: BucketStore) -> Path:
    return store.path / layout.wal_directory(ORIGIN) / "guards.due"


def test_a_hold_on_sealed_records_holds_their_whole_segment_and_no_other(
    store: BucketStore,
) -> None:
    with store.create() as log:
        filled(log)
        index = store.reader().pins[1].first
        outcome = log.custodian.place(scope(index, index), ORDER)
    assert outcome.pending is None
    assert held(store) == objects(store, 1)
    assert outcome.objects == len(held(store))
    (hold,) = store.reader().custody().in_force
    assert (hold.number, hold.by, hold.scope.records) == (log.size - 1, "ada", [index, index])
    ((_, leaf, body),) = list(store.reader().contents(hold.number, 1))
    assert leaf.kind == "hold.placed"
    assert body.note == {"reason": ORDER.reason, "asked": ORDER.asked}  # type: ignore[union-attr]
    assert b"regulator" not in store.reader().leaves(hold.number, 1)[0], "why is not in clear"


def test_what_is_not_sealed_yet_is_held_when_it_is(store: BucketStore) -> None:
    with store.create() as log:
        filled(log, segments=1)
        receipt = log.append(chat("as yet unsealed", "ada"))
        log.custodian.place(scope(receipt.index, receipt.index), ORDER)
        assert held(store) == set()
        log.seal()
    assert held(store) == objects(store, 1)
    assert not marker(store).exists()


def test_a_hold_from_here_on_holds_all_that_comes(store: BucketStore) -> None:
    with store.create() as log:
        filled(log, segments=1)
        log.custodian.place(Placed([], onward=log.size), ORDER)
        filled(log, segments=2)
    with store.open() as log:  # and so does the next process
        log.append(chat("later", "ada"))
        log.seal()
    pins = store.reader().pins
    assert len(pins) == 4
    assert held(store) == objects(store, 1, 2, 3)


def test_release_lifts_what_no_other_hold_needs(store: BucketStore) -> None:
    with store.create() as log:
        filled(log, segments=3)
        pins = store.reader().pins
        one = log.custodian.place(scope(pins[0].first, pins[1].first), ORDER).hold
        log.custodian.place(scope(pins[1].first, pins[2].first), ORDER)
        outcome = log.custodian.release(one.number, Order("eve", "settled"))
        assert outcome.hold.released == log.size - 1
        with pytest.raises(NotFound):
            log.custodian.release(one.number, Order("eve", "again"))
    assert held(store) == objects(store, 1, 2)


def test_kept_for_some_time_after_the_matter_is_closed(store: BucketStore) -> None:
    with store.create() as log:
        filled(log, segments=1)
        first = store.reader().pins[0].first
        hold = log.custodian.place(Placed([first, first], then_days=1_000), ORDER).hold
        released = log.custodian.release(hold.number, ORDER).hold
    assert held(store) == set()
    for name in objects(store, 0):
        (version,) = store.bucket.history(name)
        lock = store.bucket.head(name, version.version_id).lock
        assert lock is not None
        assert lock.retain_until_us >= released.keep_until_us > 999 * DAY_US
    assert store.verify().exit_code == 0


class EventHolds:
    """Puts on a server's calls what Amazon documents of event holds: no server here has them."""

    def __init__(self, network: Network) -> None:
        self.days: dict[tuple[str, str], int] = {}
        self.released: set[tuple[str, str]] = set()
        network.calls["put_object_retention"] = self.put
        network.calls["head_object"] = self.head

    def put(self, real: Any, **asked: Any) -> Any:
        wanted = dict(asked["Retention"])
        place = (asked["Key"], asked["VersionId"])
        event, duration = wanted.pop("EventHold", ""), wanted.pop("EventHoldDuration", {})
        if event == "ON":
            self.days[place] = duration["Days"]
        elif event == "OFF":
            days = self.days.pop(place)
            self.released.add(place)
            wanted["RetainUntilDate"] = dt.datetime.now(dt.UTC) + dt.timedelta(days=days, minutes=1)
        return real(**{**asked, "Retention": wanted})

    def head(self, real: Any, **asked: Any) -> Any:
        answer = real(**asked)
        if (asked["Key"], asked.get("VersionId")) in self.days:
            answer["ObjectLockEventHold"] = "ON"
        return answer


def probed(*, event_hold: bool) -> Record:
    probes = tuple(
        Probe(name, meaning, name != "event-hold" or event_hold)
        for name, meaning in MEANINGS.items()
    )
    return probed_record(Capabilities("s3://bucket/logs", "", 1, probes), "ada")


def test_where_the_server_keeps_event_holds_the_days_after_the_release_are_left_to_it(
    store: BucketStore, network: Network
) -> None:
    server = EventHolds(network)
    with store.create() as log:
        log.append(probed(event_hold=True))
        filled(log, segments=2)
        first = store.reader().pins[0].first
        hold = log.custodian.place(Placed([first, first], then_days=1_000), ORDER).hold
        assert hold.scope.event
        mine = {store.bucket.address.key(name) for name in objects(store, 0)}
        assert {key for key, _ in server.days} == mine
        assert set(server.days.values()) == {1_000}
        released = log.custodian.release(hold.number, ORDER)
        assert released.pending is None
    assert (server.days, {key for key, _ in server.released}) == ({}, mine)
    assert held(store) == set()
    assert store.verify().exit_code == 0


@pytest.mark.parametrize("again", [False, True])
def test_event_holds_are_asked_for_only_where_the_newest_probing_found_them(
    store: BucketStore, network: Network, again: bool
) -> None:
    """A server that takes the header and keeps nothing, as every one here but Amazon does."""
    with store.create() as log:
        log.append(probed(event_hold=again))
        filled(log, segments=1)
        if again:
            log.append(probed(event_hold=False))
        first = store.reader().pins[0].first
        outcome = log.custodian.place(Placed([first, first], then_days=1_000), ORDER)
        assert not outcome.hold.scope.event
        assert outcome.pending is None
    assert held(store) == objects(store, 0)


def test_an_event_hold_that_does_not_show_is_not_believed(
    store: BucketStore, network: Network
) -> None:
    with store.create() as log:
        log.append(probed(event_hold=True))
        filled(log, segments=1)
        first = store.reader().pins[0].first
        outcome = log.custodian.place(Placed([first, first], then_days=1_000), ORDER)
        assert isinstance(outcome.pending, LockMissing)
        assert marker(store).exists()


def test_supplements_are_held_with_the_records_whose_content_they_hold(store: BucketStore) -> None:
    with store.create() as log:
        kept = log.append(chat("survives", conversation="shared")).index
        log.seal()
        log.custodian.place(scope(kept, kept), ORDER)
        pin = log.supplement(survivors(log, {kept: (person("ada"),)}))
    assert pin.body.key in held(store)
    assert store.verify().exit_code == 0


def test_while_the_bucket_is_away_a_hold_is_on_the_log_and_follows_later(
    store: BucketStore, network: Network, at_once: None
) -> None:
    with store.create() as log:
        filled(log, segments=1)
        first = store.reader().pins[0].first
        with network.away():
            outcome = log.custodian.place(scope(first, first), ORDER)
        assert outcome.pending is not None
        assert marker(store).exists()
        report = store.verify()
        assert report.exit_code == 1
        assert {f.file for f in report.findings} >= objects(store, 0)
        assert report.codes() >= {"hold-missing"}
        log.append(chat("more", "ada"))
        log.seal()
    assert held(store) == objects(store, 0, 1), "and the record that says why"
    assert not marker(store).exists()
    assert store.verify().exit_code == 0


def test_a_hold_of_a_moment_ago_is_no_tampering(store: BucketStore, network: Network) -> None:
    with store.create() as log:
        filled(log, segments=1)
        first = store.reader().pins[0].first
        with network.away():
            log.custodian.place(scope(first, first), ORDER)
    report = store.verify()
    assert report.exit_code == 0
    assert "hold-pending" in report.codes()


def test_a_crash_between_the_log_and_the_bucket_is_made_good_on_opening(
    store: BucketStore, network: Network
) -> None:
    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with store.create() as log:
        filled(log, segments=2)
        first = store.reader().pins[1].first
        network.calls["put_object_legal_hold"] = killed
        with pytest.raises(KeyboardInterrupt):
            log.custodian.place(scope(first, first), ORDER)
    network.calls.clear()
    assert held(store) == set()
    store.open().close()
    assert held(store) == objects(store, 1)
    assert not marker(store).exists()


def test_a_writer_that_may_not_hold_goes_on_sealing_and_says_so(
    store: BucketStore, network: Network, at_once: None
) -> None:
    def denied(real: Any, **asked: Any) -> Any:
        said = {"Error": {"Code": "AccessDenied", "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": 403}}  # fmt: skip
        raise ClientError(said, "PutObjectLegalHold")  # type: ignore[arg-type]

    with store.create() as log:
        network.calls["put_object_legal_hold"] = denied
        outcome = log.custodian.place(Placed([], onward=0), ORDER)
        assert outcome.pending is None, "nothing is sealed yet"
        filled(log, segments=2)
        assert len(store.reader().pins) == 2
        more = log.custodian.place(scope(0, 0), ORDER)
        assert isinstance(more.pending, StoreRefused)
    assert marker(store).exists()
    assert store.verify().exit_code == 1
    network.calls.clear()
    store.open().close()
    assert held(store) == objects(store, 0, 1)
    assert store.verify().exit_code == 0


def test_whoever_lifts_a_hold_in_the_bucket_alone_is_found_out(
    store: BucketStore, tmp_path: Path, at_once: None
) -> None:
    with store.create() as log:
        filled(log, segments=2)
        first = store.reader().pins[0].first
        log.custodian.place(scope(first, first), ORDER)
        log.seal()  # auditors see holds that are sealed
    auditor = store.elsewhere(tmp_path / "auditor")
    assert auditor.verify().exit_code == 0
    body = store.reader().pins[0].body
    assert body is not None
    store.bucket.set_legal_hold(body.key, body.version, on=False)
    report = auditor.verify()
    assert report.exit_code == 1
    assert [f.file for f in report.findings if f.code == "hold-missing"] == [body.key]
    assert not marker(store).exists(), "nothing tells this machine"
    with store.open() as log:
        assert log.custodian.finish_holds() == len(objects(store, 0, 1))
    assert auditor.verify().exit_code == 0


def test_holds_that_can_not_be_finished_stay_due(store: BucketStore, network: Network) -> None:
    with store.create() as log:
        filled(log, segments=1)
        log.custodian.place(scope(0, 0), ORDER)
        with network.away(), pytest.raises(StoreAway):
            log.custodian.finish_holds()
        assert marker(store).exists()
        assert log.custodian.finish_holds() == len(objects(store, 0))
    assert not marker(store).exists()


def test_a_release_that_is_not_sealed_yet_is_no_broken_hold_to_who_is_elsewhere(
    store: BucketStore, tmp_path: Path, at_once: None
) -> None:
    with store.create() as log:
        filled(log, segments=1)
        hold = log.custodian.place(scope(0, 0), ORDER).hold
        log.seal()
        auditor = store.elsewhere(tmp_path / "auditor")
        outcome = log.custodian.release(hold.number, ORDER)
        assert outcome.pending is None
        assert held(store) == objects(store, 0, 1), "not before others can see why"
        assert marker(store).exists()
        assert auditor.verify().exit_code == store.verify().exit_code == 0
        log.seal()
        assert held(store) == set()
        assert not marker(store).exists()
    assert auditor.verify().exit_code == store.verify().exit_code == 0


def test_nothing_is_held_without_a_name_a_reason_or_records(store: BucketStore) -> None:
    with store.create() as log:
        filled(log, segments=1)
        size = log.size
        for order in (Order("", "why"), Order("ada", " ")):
            with pytest.raises(UsageError):
                log.custodian.place(scope(0, 0), order)
        for beyond in (scope(0, size), Placed([], onward=size + 1)):
            with pytest.raises(UsageError):
                log.custodian.place(beyond, ORDER)
        assert log.size == size
    assert not marker(store).exists()


def test_in_a_directory_holds_are_on_the_log_alone(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        filled(log, segments=2)
        outcome = log.custodian.place(scope(0, 0), ORDER)
        assert outcome.pending is None
        log.seal()
    (hold,) = store.reader().custody().in_force
    assert hold.covers(0, 1)
