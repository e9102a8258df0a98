"""What has outlived its retention goes, exactly as planned, and the log still verifies."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bucket_stores import new_store
from support.clocks import DAY_US, Shifted
from support.old_store import LONG_AGO, SHORT, OldStore, make_in_bucket
from support.s3_servers import Server
from support.stores import OPTIONS, ORIGIN, chat, texts
from support.supplementing import destroy, person, survivors
from support.waiting import until

from logstore.disk import Disk
from logstore.errors import UsageError
from logstore.formats.custody import APPLIED, FINISHED, Placed
from logstore.formats.leaf import parse
from logstore.formats.pins import ObjectPin, ObjectSpan
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.query.engine import Engine
from logstore.query.explorer import Explorer
from logstore.query.filters import Filter
from logstore.query.forgetting import forget
from logstore.query.parts import GROUP
from logstore.storage.blobs import LocalBlobs
from logstore.storage.clock import SystemClock
from logstore.storage.custodian import planned
from logstore.storage.log import Log
from logstore.storage.orders import Order
from logstore.storage.retention import MOST_NAMES, Kept, day_before, plan
from logstore.verify.verifier import verify_store

ORDER = Order("ada", "the records are a year old")


def now_us() -> int:
    return SystemClock().wall_us()


def today() -> int:
    return day_before(now_us())


@pytest.fixture
def store(tmp_path: Path) -> OldStore:
    made = OldStore(tmp_path)
    made.make()
    return made


def applied(log: Log) -> None:
    made = log.custodian.plan(today())
    outcome = log.custodian.apply(made.digest, today(), ORDER)
    assert outcome.kept == ()
    assert set(outcome.removed) == {each.key for each in made.objects}


def test_a_plan_names_exactly_the_bodies_whose_time_is_up(store: OldStore) -> None:
    reader = store.reader(locked=True)
    bodies = [pin.body for pin in reader.pins if pin.body is not None]
    made = planned(reader, today(), now_us())
    assert [each.key for each in made.objects] == [body.key for body in bodies[:2]]
    assert made.size_bytes == sum(body.size for body in bodies[:2])
    assert [(each.first, each.last) for each in made.objects] == [
        (pin.first, pin.last) for pin in reader.pins[:2]
    ]
    again = planned(store.reader(), today(), now_us())
    assert again.digest == made.digest, "everybody sees the same plan"
    assert planned(reader, bodies[0].retain_until_us, now_us()).objects == (), "up to, not beyond"
    with pytest.raises(UsageError):
        planned(reader, now_us() + DAY_US, now_us())


def test_what_is_applied_is_gone_and_said_and_the_log_still_verifies(store: OldStore) -> None:
    before = store.reader().leaves(0, store.reader().size)
    with store.open() as log:
        applied(log)
    reader = store.reader()
    assert len(list(store.path.glob("body/**/*.parquet"))) == 1
    assert sorted(texts(reader).values()) == ["of today"]
    assert reader.leaves(0, len(before)) == before, "what was recorded is proven as before"
    report = store.verify()
    assert report.exit_code == 0
    expired = [f for f in report.findings if f.code == "body-expired"]
    assert len(expired) == 2
    (at,) = [each.at for each in reader.custody().removals]
    assert (
        f"retention rule: content is kept 200 days; removed as record {at} says" in expired[0].what
    )
    kinds = [parse(raw).kind for raw in reader.leaves(at, 10)]
    assert kinds[0] == APPLIED
    assert FINISHED in kinds
    ((_, _, body),) = list(reader.contents(at, 1))
    assert body.note["reason"] == ORDER.reason  # type: ignore[union-attr]
    assert verify_store(store.path, store.policy(), quick=True, workers=1).exit_code == 0


def test_an_old_plan_is_not_applied(store: OldStore) -> None:
    with store.open() as log:
        made = log.custodian.plan(today())
        first = made.objects[0].first
        hold = log.custodian.place(Placed([first, first]), ORDER).hold
        size = log.size
        for digest, until in (
            (made.digest, today()),
            (made.digest, today() - DAY_US),
            ("", today()),
        ):
            with pytest.raises(UsageError):
                log.custodian.apply(digest, until, ORDER)
        assert log.size == size
        assert len(texts(store.reader())) == 3
        log.custodian.release(hold.number, ORDER)
        applied(log)
        with pytest.raises(UsageError, match="nothing"):
            log.custodian.apply(made.digest, today(), ORDER)


def test_what_is_held_is_in_no_plan(store: OldStore) -> None:
    with store.open() as log:
        pins = store.reader().pins
        hold = log.custodian.place(Placed([0, 0], then_days=10), ORDER).hold
        made = log.custodian.plan(today())
        assert pins[0].body is not None
        assert made.held == (pins[0].body.key,)
        assert [each.first for each in made.objects] == [pins[1].first]
        applied(log)
        log.custodian.release(hold.number, ORDER)
        made = log.custodian.plan(today())
        assert made.objects == (), "kept for ten more days"
        assert made.held == ()
    assert sorted(texts(store.reader()).values()) == ["of today", "old 0"]
    assert store.verify().exit_code == 0


def test_what_was_released_goes_once_others_can_see_that_it_was(store: OldStore) -> None:
    with store.open() as log:
        hold = log.custodian.place(Placed([0, 0]), ORDER).hold
        log.seal()
        log.custodian.release(hold.number, ORDER)
        assert len(log.custodian.plan(today()).held) == 1
        log.seal()
        assert log.custodian.plan(today()).held == ()
        applied(log)
    assert store.verify().exit_code == 0


def test_a_body_that_is_gone_though_it_is_held_is_tampering(store: OldStore) -> None:
    with store.open() as log:
        hold = log.custodian.place(Placed([0, 0]), ORDER).hold
    body = store.reader().pins[0].body
    assert body is not None
    (store.path / body.key).unlink()
    report = store.verify()
    assert report.exit_code == 1
    assert f"though hold {hold.number} keeps it" in "".join(report.found)


def test_a_body_that_went_by_itself_when_its_time_was_up_is_remarked_on(store: OldStore) -> None:
    body = store.reader().pins[0].body
    assert body is not None
    (store.path / body.key).unlink()
    report = store.verify()
    assert report.exit_code == 0
    assert "no record says who removed it" in "".join(report.found)


class _Killed(BaseException):
    pass


class _Dies(LocalBlobs):
    """Dies before the second removal."""

    removed = 0

    def remove(self, pin: ObjectPin) -> str:
        if self.removed:
            raise _Killed
        self.removed += 1
        return super().remove(pin)


@pytest.mark.parametrize("held", [False, True])
def test_a_removal_that_was_broken_off_is_finished(store: OldStore, held: bool) -> None:
    with store.open() as log:
        log.custodian._blobs = _Dies(store.path, Disk(immutable=False))
        made = log.custodian.plan(today())
        with pytest.raises(_Killed):
            log.custodian.apply(made.digest, today(), ORDER)
    report = store.verify()
    assert report.exit_code == 0
    assert "removal-unfinished" in report.codes()
    assert sorted(texts(store.reader()).values()) == ["of today"], "not shown in between"
    with store.open() as log:
        if held:
            second = made.objects[1].first
            log.custodian.place(Placed([second, second]), ORDER)
        (outcome,) = log.custodian.finish("eve")
        assert len(outcome.removed) == (1 if held else 2)
        assert [key for key, _ in outcome.kept] == ([made.objects[1].key] if held else [])
        assert log.custodian.finish("eve") == []
    assert ("old 1" in texts(store.reader()).values()) == held
    assert store.verify().exit_code == 0
    assert "removal-unfinished" not in store.verify().codes()


class _NotMine(Disk):
    """Does not let go of the first body object: it is another user's."""

    def sys_unlink(self, path: Path) -> None:
        if "seg-000000000000" in path.name:
            raise PermissionError(1, "Operation not permitted", str(path))
        super().sys_unlink(path)


def test_a_file_that_can_not_be_removed_is_kept_and_said(store: OldStore) -> None:
    with store.open(_NotMine(immutable=False)) as log:
        made = log.custodian.plan(today())
        outcome = log.custodian.apply(made.digest, today(), ORDER)
    assert outcome.removed == (made.objects[1].key,)
    ((key, why),) = outcome.kept
    assert (key, "not permitted" in why) == (made.objects[0].key, True)
    assert sorted(texts(store.reader()).values()) == ["of today", "old 0"]
    report = store.verify()
    assert (report.exit_code, "removal-unfinished" in report.codes()) == (0, False)


def test_an_object_that_was_put_back_is_named(store: OldStore) -> None:
    body = store.reader().pins[0].body
    assert body is not None
    data = (store.path / body.key).read_bytes()
    with store.open() as log:
        applied(log)
    (store.path / body.key).write_bytes(data)
    report = store.verify()
    assert report.exit_code == 0, "it is what was sealed"
    assert "removed-still-here" in report.codes()
    assert "old 0" not in texts(store.reader()).values()


def test_supplements_go_when_their_time_is_up(tmp_path: Path) -> None:
    store = OldStore(tmp_path)
    keys = KeyStore.create(store.keys_path, NoHolder(), origin=ORIGIN)
    made = Log.create(store.path, keys, retention=SHORT, options=OPTIONS, clock=LONG_AGO)
    with made as log:
        kept = log.append(chat("survives", conversation="shared")).index
        log.seal()
        log.supplement(survivors(log, {kept: (person("ada"),)}))
        destroy(log, "shared")
        log.seal()
    assert "survives" in texts(store.reader()).values()
    with store.open() as log:
        applied(log)
        log.seal()
    assert texts(store.reader()) == {}
    assert store.verify().exit_code == 0
    assert store.verify().codes() >= {"body-expired"}


def test_a_plan_takes_no_more_than_one_record_can_name(store: OldStore) -> None:
    reader = store.reader()
    many = [
        ObjectSpan(ObjectPin(f"body/{n:0>200}", 1, "00" * 32, "", 5), n, n + 1)
        for n in range(1_000)
    ]
    made = plan(Kept(ORIGIN, many, reader.custody()), today(), now_us())
    assert len(made.objects) + made.later == 1_000
    assert MOST_NAMES - 300 < sum(len(each.key) for each in made.objects) <= MOST_NAMES


def found(engine: Engine) -> int:
    """Records whose person is known: it stands in the content."""
    engine.refresh()
    explorer = Explorer(engine)
    return explorer.select(Filter(user="ada")).count


def test_the_working_copy_forgets_what_was_removed(store: OldStore, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with Engine.open(store.reader(), work=work) as engine:
        assert found(engine) == 3
        with store.open() as log:
            applied(log)
        assert found(engine) == 1, "nor in a console that was open all the time"
    with Engine.open(store.reader(), work=work) as engine:
        assert found(engine) == 1


def test_parts_of_the_working_copy_are_removed_without_opening_it(
    store: OldStore, tmp_path: Path
) -> None:
    parts = tmp_path / "work" / "parts"
    with store.open() as log:
        list(log.append_many(chat(f"many {number}", "ada") for number in range(GROUP)))
    with Engine.open(store.reader(), work=parts.parent) as engine:
        assert found(engine) == GROUP + 3
    before = {path.name for path in parts.glob("*.duckdb")}
    assert before
    assert forget(parts, [(10_000, 20_000)]) == 0
    assert forget(parts, [(0, 1)]) == 1
    assert {path.name for path in parts.glob("*.duckdb")} < before
    with Engine.open(store.reader(), work=parts.parent) as engine:
        assert found(engine) == GROUP + 3, "built anew, as nothing was removed from the log"
    assert forget(tmp_path / "nowhere", [(0, 1)]) == 0


# -- in a bucket ------------------------------------------------------------------------------


@pytest.mark.servers
@pytest.mark.slow
def test_a_server_that_still_locks_an_object_keeps_it_and_that_is_said(
    rgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(rgw, tmp_path / "writer", monkeypatch)
    in_seconds = Shifted(8_000_000 - 200 * DAY_US)  # retention of what is sealed ends in 8 s
    make_in_bucket(store, in_seconds)
    pins = store.reader().pins
    assert pins[0].body is not None
    assert pins[1].body is not None
    later = Shifted(400 * DAY_US)  # this machine's clock is wrong, the server's is not
    with Log.open(store.path, store.keys(), options=OPTIONS, clock=later) as log:
        soon = now_us() + 60_000_000
        made = log.custodian.plan(soon)
        outcome = log.custodian.apply(made.digest, soon, ORDER)
        assert outcome.removed == ()
        assert [key for key, _ in outcome.kept] == [pins[0].body.key, pins[1].body.key]
        assert "locked" in outcome.kept[0][1]
    assert len(texts(store.reader())) == 2
    until(lambda: now_us() > pins[1].body.retain_until_us + 2_000_000)  # type: ignore[union-attr]
    with store.open() as log:
        made = log.custodian.plan(now_us())
        assert log.custodian.apply(made.digest, made.until_us, ORDER).kept == ()
        log.seal()
    assert store.names(pins[0].body.key) == []
    assert texts(store.reader()) == {}
    auditor = store.elsewhere(tmp_path / "auditor").verify()
    assert auditor.exit_code == 0
    assert "body-expired" in auditor.codes()
