"""Survivors of an erasure stay readable under other keys; what was to go is gone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.faulty_disk import FaultyDisk, Killed
from support.stores import TestStore, chat, texts
from support.supplementing import destroy, keys_of, person, survivors

from logstore.errors import AirconError, KeyDestroyed, TamperingFound, UsageError
from logstore.formats.pins import SupplementPin
from logstore.storage.bodies import Unreadable
from logstore.storage.log import Log, Survivor
from logstore.storage.supplements import SupplementMaker
from logstore.verify.findings import Report
from logstore.verify.proving import check, disclose, prove
from logstore.verify.verifier import verify_store

SECRET = "maria's diagnosis is hypertension-4711"


def verified(store: TestStore, **options: object) -> Report:
    report = verify_store(store.path, store.policy(), workers=1, **options)  # type: ignore[arg-type]
    assert report.exit_code == 0, report.found
    return report


def shared_chat(log: Log) -> tuple[int, int]:
    """A conversation of two people nobody knew at capture: (maria's record, paul's)."""
    hers = log.append(chat(SECRET, conversation="shared")).index
    his = log.append(chat("paul's recipe", conversation="shared")).index
    return hers, his


def erase_maria(log: Log, his: int) -> SupplementPin:
    pin = log.supplement(survivors(log, {his: (person("paul"),)}))
    destroy(log, "shared")
    return pin


@pytest.mark.parametrize("sealed_before", [True, False])
@pytest.mark.parametrize("sealed_after", [True, False])
def test_of_a_shared_conversation_one_goes_and_the_other_stays(
    tmp_path: Path, sealed_before: bool, sealed_after: bool
) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        hers, his = shared_chat(log)
        if sealed_before:
            log.seal()
        erase_maria(log, his)
        if sealed_after:
            log.seal()
    assert texts(store.reader()) == {his: "paul's recipe"}
    ((_, _, _, gone),) = store.reader().disclosures(hers, 1)
    assert gone == Unreadable("destroyed")
    verified(store)
    verified(store, quick=True)
    summary = verified(store, keys=store.keys()).logs[0]
    if sealed_before or sealed_after:
        assert (summary.opened, summary.locked) == (1, 1 if sealed_before else 0)


def test_a_survivor_can_still_be_proven_and_disclosed_to_a_stranger(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        hers, his = shared_chat(log)
        log.seal()
        before = disclose(store.reader(), his)
        erase_maria(log, his)
        log.seal()
    reader = store.reader()
    assert disclose(reader, his) == before, "the commitment's nonce stays, so the disclosure does"
    result = check(prove(reader, his), store.policy(), disclosure=disclose(reader, his))
    assert result.exit_code == 0
    assert result.body is not None
    assert result.body.raw == b"paul's recipe"
    with pytest.raises(AirconError, match="destroyed"):
        disclose(reader, hers)


def test_neither_her_words_nor_any_key_stand_anywhere_on_disk(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        _, his = shared_chat(log)
        log.seal()
        log.supplement(survivors(log, {his: (person("paul"),)}))
        secrets = destroy(log, "shared")
        secrets += [entry.key for entry in keys_of(log, "paul", "subject")]
        log.seal()
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for needle in (b"hypertension", b"recipe", b"paul", *secrets):
            assert needle not in data, path


def test_a_survivor_of_several_people_needs_the_keys_of_all(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        _, his = shared_chat(log)
        log.seal()
        log.supplement(survivors(log, {his: (person("paul"), person("anna"))}))
        destroy(log, "shared")
        assert texts(store.reader()) == {his: "paul's recipe"}
        destroy(log, "anna", "subject")
    assert texts(store.reader()) == {}
    assert verified(store, keys=store.keys()).logs[0].opened == 0


def test_survivors_survive_again_and_the_newest_supplement_counts(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        hers, his = shared_chat(log)
        log.seal()
        log.supplement(survivors(log, {hers: (person("both"),), his: (person("both"),)}))
        destroy(log, "shared")
        log.seal()
        log.supplement(survivors(log, {his: (person("paul"),)}))
        destroy(log, "both", "subject")
    reader = store.reader()
    assert len(reader.supplements()) == 2
    assert texts(reader) == {his: "paul's recipe"}
    ((_, _, _, gone),) = reader.disclosures(hers, 1)
    assert gone == Unreadable("destroyed")
    verified(store, keys=store.keys())


def test_a_supplement_outlives_the_body_objects_it_took_from(tmp_path: Path) -> None:
    """Bounded retention drops whole objects; the survivors' own one is still there."""
    store = TestStore(tmp_path)
    with store.create() as log:
        hers, his = shared_chat(log)
        log.seal()
        log.supplement(survivors(log, {his: (person("paul"),)}))
    (segment,) = store.reader().pins
    assert segment.body is not None
    (store.path / segment.body.key).unlink()
    assert texts(store.reader()) == {his: "paul's recipe"}
    ((_, _, _, gone),) = store.reader().disclosures(hers, 1)
    assert gone == Unreadable("absent")
    report = verify_store(store.path, store.policy(), keys=store.keys(), workers=1)
    assert report.codes() == {"body-missing"}, report.found
    assert report.logs[0].opened == 1


def test_survivors_of_many_megabytes_take_several_blocks(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        said = {}
        for number in range(5):
            text = f"{number} " + os.urandom(3 * 2**19).hex()
            said[log.append(chat(text, conversation="shared")).index] = text
            log.append(chat("to go", conversation="shared"))
        log.seal()
        pin = log.supplement(survivors(log, dict.fromkeys(said, (person("paul"),))))
        destroy(log, "shared")
        log.seal()
    assert (pin.records, pin.count) == (5, 9)
    assert pq.ParquetFile(store.path / pin.body.key).metadata.num_rows > 3
    assert texts(store.reader()) == said
    assert verified(store, keys=store.keys()).logs[0].opened == 5


def test_it_is_kept_as_long_as_its_newest_record_and_no_longer(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        _, his = shared_chat(log)
        log.append(chat("much later", "anna"))
        log.seal()
        pin = log.supplement(survivors(log, {his: (person("paul"),)}))
        days = log.description.retention.body_days
    leaf = next(store.reader().contents(his, 1))[1]
    assert pin.body.retain_until_us == leaf.recorded_us + days * 86_400_000_000
    assert (pin.first, pin.count, pin.records) == (his, 1, 1)


def test_once_the_new_key_is_destroyed_too_nothing_is_read(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        _, his = shared_chat(log)
        log.seal()
        erase_maria(log, his)
        destroy(log, "paul", "subject")
    assert texts(store.reader()) == {}
    assert store.reader(locked=True).supplements(), "it is known of without any key"
    verified(store, keys=store.keys())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: [],
        lambda s: [*s, *s],
        lambda s: [Survivor(s[0].index, s[0].body, ())],
        lambda s: [Survivor(s[0].index, s[0].body[:-1] + b"?", s[0].owners)],
        lambda s: [Survivor(s[0].index - 1, s[0].body, s[0].owners)],
        lambda s: [Survivor(0, s[0].body, s[0].owners)],
        lambda s: [Survivor(-1, s[0].body, s[0].owners)],
        lambda s: [Survivor(10**9, s[0].body, s[0].owners)],
    ],
    ids=["none", "twice", "nobody's", "changed", "another's", "no-body", "before", "behind"],
)
def test_what_is_not_a_record_s_content_is_refused_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[list[Survivor]], list[Survivor]]
) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        _, his = shared_chat(log)
        log.seal()
        good = survivors(log, {his: (person("paul"),)})
        size = log.size
        with pytest.raises(UsageError):
            log.supplement(spoil(good))
        assert log.size == size
        assert keys_of(log, "paul", "subject") == []
    assert not list(store.path.rglob("sup-*"))
    verified(store)


def test_an_owner_destroyed_before_leaves_no_half_made_keys(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        hers, his = shared_chat(log)
        log.append(chat("hello", "gone"))
        destroy(log, "gone", "subject")
        chosen = survivors(log, {hers: (person("new"),), his: (person("gone"),)})
        with pytest.raises(KeyDestroyed):
            log.supplement(chosen)
        assert keys_of(log, "new", "subject") == []
        log.append(chat("the log goes on", "paul"))
    assert len(texts(store.reader())) == 3


def test_a_second_process_opening_the_log_leaves_one_under_way_alone(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        _, his = shared_chat(log)
        log.seal()
        publish = log._sealing._supplements._publish

        def meddled(pin: SupplementPin) -> bool:
            with store.open() as other:
                other.append(chat("meanwhile", "anna"))
            assert verified(store, keys=store.keys()).codes() <= {"sealing-under-way"}
            return publish(pin)

        log._sealing._supplements._publish = meddled  # type: ignore[method-assign]
        erase_maria(log, his)
        log.seal()
    assert texts(store.reader())[his] == "paul's recipe"
    verified(store, keys=store.keys())


def pinned_and_dead(store: TestStore, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, int]:
    """The process died between pinning and publishing; (staging folder, survivor)."""

    def die(*_: object) -> None:
        raise Killed

    with store.create() as log:
        _, his = shared_chat(log)
        log.seal()
        monkeypatch.setattr(SupplementMaker, "_publish", die)
        with pytest.raises(Killed):
            log.supplement(survivors(log, {his: (person("paul"),)}))
    monkeypatch.undo()
    return next((store.path / "wal").rglob("staging/sup-*")), his


def test_what_somebody_put_in_place_of_a_staged_object_is_never_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TestStore(tmp_path)
    folder, his = pinned_and_dead(store, monkeypatch)
    data = (folder / "body").read_bytes()
    (folder / "body").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with store.open() as log:
        assert not list(store.path.rglob("sup-*")), "discarded, not given the name"
        report = verify_store(store.path, store.policy(), workers=1)
        assert {f.code for f in report.of("tampering")} == {"body-missing"}
        assert texts(store.reader())[his] == "paul's recipe", "the old keys still open it"
        log.supplement(survivors(log, {his: (person("paul"),)}))


def test_a_supplement_changed_under_its_maker_s_hands_is_not_reported_as_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = SupplementMaker._stage

    def meddled(maker: SupplementMaker, *given: Any) -> SupplementPin:
        pin = stage(maker, *given)
        (maker._folder(pin) / "body").write_bytes(b"PAR1")
        return pin

    monkeypatch.setattr(SupplementMaker, "_stage", meddled)
    store = TestStore(tmp_path)
    with store.create() as log:
        _, his = shared_chat(log)
        with pytest.raises(TamperingFound, match="being made"):
            log.supplement(survivors(log, {his: (person("paul"),)}))
    assert not list((store.path / "body").rglob("sup-*"))


def test_a_link_planted_among_the_staged_deletes_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TestStore(tmp_path)
    folder, his = pinned_and_dead(store, monkeypatch)
    precious = tmp_path / "elsewhere" / "precious"
    precious.parent.mkdir()
    precious.write_text("mine")
    (folder.parent / "sup-x").symlink_to(precious.parent)
    (folder.parent / "sup-y").write_text("a file where a folder belongs")
    with store.open() as log:
        log.seal()
    assert precious.read_text() == "mine"
    assert not list((store.path / "wal").rglob("staging/*"))
    assert texts(store.reader())[his] == "paul's recipe"
    verified(store, keys=store.keys())


# -- crashes ------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["before", "torn", "after", "power"])
def test_at_no_point_of_death_does_a_verifier_cry_tampering(tmp_path: Path, mode: str) -> None:
    fatal = 0
    while True:
        store = TestStore(tmp_path / f"{fatal}")
        store.base.mkdir()
        with store.create() as log:
            _, his = shared_chat(log)
            log.seal()
        disk = FaultyDisk(store.base, fatal, mode)  # type: ignore[arg-type]
        died = dies_making_one(store, disk, his)
        verified(store)
        assert texts(store.reader())[his] == "paul's recipe"
        store.open().close()
        assert not list(store.path.rglob("staging/*"))
        pins = store.reader().supplements()
        assert [p.name for p in store.path.rglob("sup-*")] == [
            Path(pin.body.key).name for pin in pins
        ]
        assert texts(store.reader())[his] == "paul's recipe"
        verified(store, keys=store.keys())
        if not died:
            break
        fatal += 1
    assert fatal > 15, "too few points to prove much"
    assert len(pins) == 1


def dies_making_one(store: TestStore, disk: FaultyDisk, his: int) -> bool:
    log = None
    try:
        log = store.open(disk)
        log.supplement(survivors(log, {his: (person("paul"),)}))
    except (Killed, AirconError):
        assert disk.dead
        return True
    finally:
        if log is not None:
            for pool in (log._tasks, log._background, log._flights):
                pool.shutdown()
            log._state.close()
    return False


# -- property ------------------------------

PEOPLE = ("ann", "ben", "cy")


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    step = st.tuples(
        st.sampled_from(["say", "say", "say", "seal", "rekey", "destroy"]),
        st.integers(0, 2),
        st.integers(0, 2),
    )
    return draw(st.lists(step, min_size=4, max_size=14))


@settings(max_examples=25, deadline=None)
@given(lives())
def test_exactly_what_some_living_keys_still_open_is_readable(
    steps: list[tuple[str, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as base:
        store = TestStore(Path(base))
        said: dict[int, str] = {}
        opened_by: dict[int, set[str]] = {}  # record -> owners, each of whom opens it
        dead: set[str] = set()
        with store.create() as log:
            for number, (what, a, b) in enumerate(steps):
                take(log, (what, a, b), number, said, opened_by, dead)
        due = {index: text for index, text in said.items() if opened_by[index] - dead}
        assert texts(store.reader()) == due
        verified(store)
        assert verified(store, keys=store.keys()).logs[0].opened >= len(due)


def take(
    log: Log,
    step: tuple[str, int, int],
    number: int,
    said: dict[int, str],
    opened_by: dict[int, set[str]],
    dead: set[str],
) -> None:
    what, a, b = step
    who, to = PEOPLE[a], PEOPLE[b]
    if what == "seal":
        log.seal()
    elif what == "say" and who not in dead:
        index = log.append(chat(f"{who} {number}", who)).index
        said[index], opened_by[index] = f"{who} {number}", {who}
    elif what == "rekey" and to not in dead:
        mine = [i for i, owners in opened_by.items() if who in owners and who not in dead]
        if mine:
            log.supplement(survivors(log, dict.fromkeys(mine, (person(to),))))
            for index in mine:
                opened_by[index].add(to)
    elif what == "destroy" and who not in dead and keys_of(log, who, "subject"):
        destroy(log, who, "subject")
        dead.add(who)
