"""Supplements flipped, swapped, removed, smuggled in, or made false by whoever can sign."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.evidence import Evidence, flipped, named
from support.stores import TestStore, chat, texts
from support.supplementing import destroy, person, survivors

import logstore.storage.encoding
import logstore.storage.supplements
from logstore.errors import TamperingFound
from logstore.formats import body
from logstore.formats.pins import SupplementPin, to_clear
from logstore.formats.record import Record
from logstore.storage import bodies, indexing, segment
from logstore.storage.log import Log, Survivor
from logstore.storage.seal import Seal, parse_seal
from logstore.storage.supplements import SupplementMaker
from logstore.verify import verifier

YEARS = 3 * 366 * 86_400_000_000


def made(base: Path, *, seal: bool) -> Evidence:
    """Two supplements; the conversation they came from can not be opened any more."""
    base.mkdir(parents=True, exist_ok=True)
    with TestStore(base).create() as log:
        log.append(chat("to go", conversation="shared"))
        kept = [log.append(chat(f"keep {n}", conversation="shared")).index for n in range(2)]
        log.seal()
        for index in kept:
            log.supplement(survivors(log, {index: (person(f"owner-{index}"),)}))
        destroy(log, "shared")
        if seal:
            log.seal()
    return Evidence(base, TestStore(base).policy())


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Evidence]:
    base = tmp_path_factory.mktemp("supplements")
    return {seal: made(base / str(seal), seal=seal) for seal in (True, False)}


@pytest.fixture(params=[True, False], ids=["sealed", "unsealed"])
def attacked(
    request: pytest.FixtureRequest, templates: dict[bool, Evidence], tmp_path: Path
) -> Evidence:
    evidence = templates[request.param].copy(tmp_path)
    report = evidence.verify(keys=evidence.keys())
    assert report.exit_code == 0, report.found
    assert report.logs[0].opened == 2
    return evidence


def objects(evidence: Evidence) -> list[str]:
    return [key for key in evidence.files("body/") if "/sup-" in key]


def both(evidence: Evidence) -> list[set[str]]:
    """Codes of a full verification and of a quick one; both must exit alike."""
    reports = [evidence.verify(keys=evidence.keys()), evidence.verify(quick=True)]
    assert len({report.exit_code for report in reports}) == 1
    return [{f.code for f in r.findings if f.severity != "note"} for r in reports]


# -- whoever can write to the store ----------------------------------------------------------------


def test_no_byte_of_a_supplement_can_be_flipped(attacked: Evidence) -> None:
    key = objects(attacked)[0]
    size = (attacked.path / key).stat().st_size
    for at in range(0, size, 41):
        attacked.edit(key, lambda data, at=at: flipped(data, at))  # type: ignore[misc]
        report = attacked.verify(quick=True)
        assert report.exit_code == 1
        assert named(report, "file-changed").file == key
        attacked.edit(key, lambda data, at=at: flipped(data, at))  # type: ignore[misc]
    attacked.edit(key, lambda data: data + b"\0")
    assert both(attacked) == [{"file-changed"}] * 2
    with pytest.raises(TamperingFound):
        texts(attacked.reader())


def test_two_supplements_swapped_are_both_named(attacked: Evidence) -> None:
    first, second = (attacked.path / key for key in objects(attacked))
    shutil.move(first, attacked.base / "aside")
    shutil.move(second, first)
    shutil.move(attacked.base / "aside", second)
    report = attacked.verify()
    assert {f.file for f in report.findings if f.code == "file-changed"} == set(objects(attacked))
    assert both(attacked) == [{"file-changed"}] * 2


def test_a_supplement_removed_before_its_time_is_missed(
    attacked: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = objects(attacked)[0]
    (attacked.path / key).unlink()
    assert both(attacked) == [{"body-missing"}] * 2
    assert named(attacked.verify(), "body-missing").file == key
    now = verifier.SystemClock().wall_us()
    monkeypatch.setattr(verifier.SystemClock, "wall_us", lambda _: now + YEARS)
    report = attacked.verify(keys=attacked.keys())
    assert named(report, "body-expired").file == key
    assert report.exit_code == 0
    assert report.logs[0].opened == 1
    assert sorted(texts(attacked.reader()).values()) == ["keep 1"]


def test_a_false_staged_copy_does_not_stand_in_for_a_removed_one(attacked: Evidence) -> None:
    key = objects(attacked)[0]
    data = (attacked.path / key).read_bytes()
    (attacked.path / key).unlink()
    wal = attacked.one("wal/").rpartition("/")[0]
    folder = attacked.path / wal / "staging" / Path(key).stem
    folder.mkdir(parents=True)
    (folder / "body").write_bytes(flipped(data, 9))
    assert both(attacked) == [{"body-missing"}] * 2
    (folder / "body").write_bytes(data)
    assert both(attacked) == [set()] * 2, "pinned, whole, only not published yet"


def test_a_supplement_that_no_record_pins_is_a_stranger(attacked: Evidence) -> None:
    key = objects(attacked)[0]
    stranger = key.replace("/sup-", "/sup-0")[:-9] + ".parquet"
    shutil.copy(attacked.path / key, attacked.path / stranger)
    assert both(attacked) == [{"extra-file"}] * 2
    assert named(attacked.verify(), "extra-file").file == stranger


def _drop(seal: Seal) -> list[SupplementPin]:
    return seal.supplements[1:]


def _turn(seal: Seal) -> list[SupplementPin]:
    return seal.supplements[::-1]


def _double(seal: Seal) -> list[SupplementPin]:
    return [*seal.supplements, seal.supplements[0]]


def _stretch(seal: Seal) -> list[SupplementPin]:
    first = seal.supplements[0]
    return [msgspec.structs.replace(first, count=first.count + 1), *seal.supplements[1:]]


@pytest.mark.parametrize("change", [_drop, _turn, _double, _stretch, lambda _: []])
def test_the_seal_s_list_of_supplements_can_not_be_altered(
    templates: dict[bool, Evidence], tmp_path: Path, change: Callable[[Seal], list[SupplementPin]]
) -> None:
    evidence = templates[True].copy(tmp_path)
    key = evidence.files("seal/")[-1]

    def alter(data: bytes) -> bytes:
        seal = parse_seal(data)
        assert len(seal.supplements) == 2
        return msgspec.structs.replace(seal, supplements=change(seal)).encode()

    evidence.edit(key, alter)
    report = evidence.verify()
    assert report.exit_code == 1
    assert named(report, "seal-changed").file == key
    assert "extra-file" not in report.codes(), "its supplements are no strangers"
    with pytest.raises(TamperingFound):
        evidence.reader()
    with pytest.raises(TamperingFound):
        evidence.open()


# -- whoever can sign and pin ----------------------------------------------------------------------


@pytest.fixture
def forge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Log, int], object]], Evidence]:
    def forged(act: Callable[[Log, int], object]) -> Evidence:
        store = TestStore(tmp_path)
        with store.create() as log:
            log.append(chat("to go", conversation="shared"))
            index = log.append(chat("keep", conversation="shared")).index
            log.seal()
            act(log, index)
            monkeypatch.undo()
            log.seal()
        return Evidence(tmp_path, store.policy())

    return forged


def keep(log: Log, index: int) -> SupplementPin:
    return log.supplement(survivors(log, {index: (person("paul"),)}))


def test_the_forger_s_own_tools_make_honest_supplements(forge: Any) -> None:
    evidence = forge(keep)
    assert evidence.verify(keys=evidence.keys()).exit_code == 0


def test_content_that_the_record_never_had_is_named(
    forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(log: Log, index: int) -> None:
        monkeypatch.setattr(logstore.storage.supplements, "check", lambda *_: None)
        content = body.encode(body.Body(raw=b"keep", note={"put": "in his mouth"}))
        log.supplement([Survivor(index, bytes(32) + content, (person("paul"),))])

    evidence = forge(act)
    assert evidence.verify().exit_code == 0, "without the keys nobody can tell"
    found = named(evidence.verify(keys=evidence.keys()), "body-wrong")
    assert (found.file, found.index) == (objects(evidence)[0], 3)
    with evidence.open() as log:
        destroy(log, "shared")
    ((_, _, _, opened),) = evidence.reader().disclosures(3, 1)
    assert opened == bodies.Unreadable("tampered")


def test_content_for_a_record_that_has_none_is_named(
    forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(log: Log, _: int) -> None:
        monkeypatch.setattr(logstore.storage.supplements, "check", lambda *_: None)
        log.supplement([Survivor(0, bytes(64), (person("paul"),))])

    evidence = forge(act)
    found = named(evidence.verify(), "body-misplaced")
    assert (found.file, found.index) == (objects(evidence)[0], 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"records": 1, "count": 2}, "body-malformed"),
        ({"records": 2, "count": 2}, "body-malformed"),
        ({"first": 2}, "body-malformed"),
    ],
)
def test_a_pin_that_lies_about_what_is_in_it_is_named(
    forge: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], code: str
) -> None:
    stage = SupplementMaker._stage

    def lie(*given: Any) -> SupplementPin:
        return msgspec.structs.replace(stage(*given), **changes)

    def act(log: Log, index: int) -> None:
        monkeypatch.setattr(SupplementMaker, "_stage", lie)
        keep(log, index)

    evidence = forge(act)
    assert named(evidence.verify(), code).file == objects(evidence)[0]


@pytest.mark.parametrize(
    "lie",
    [
        lambda rows: [(1, *row[1:]) for row in rows],
        lambda rows: [(part, keys, [*at, *at], block) for part, keys, at, block in rows],
        lambda rows: [(part, (), at, block) for part, keys, at, block in rows],
        lambda rows: [],
    ],
    ids=["part", "twice", "no-keys", "empty"],
)
def test_blocks_that_do_not_add_up_are_named(
    forge: Any, monkeypatch: pytest.MonkeyPatch, lie: Callable[[list[Any]], list[Any]]
) -> None:
    parquet = segment._body_parquet

    def act(log: Log, index: int) -> None:
        monkeypatch.setattr(segment, "_body_parquet", lambda rows: parquet(lie(list(rows))))
        keep(log, index)

    evidence = forge(act)
    report = evidence.verify(keys=evidence.keys())
    assert report.exit_code == 1
    assert named(report, "body-malformed").file == objects(evidence)[0]


def test_a_block_that_holds_another_record_than_it_names_is_named(
    forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    block_object = segment.block_object

    def shifted(owned: dict[Any, list[Any]], *rest: Any) -> bytes:
        parquet = segment._body_parquet
        lie = {ids: [(offset + 1, data) for offset, data in e] for ids, e in owned.items()}

        def renamed(rows: list[Any]) -> bytes:
            return parquet((p, k, [i - 1 for i in at], block) for p, k, at, block in rows)

        monkeypatch.setattr(segment, "_body_parquet", renamed)
        return block_object(lie, *rest)

    def act(log: Log, index: int) -> None:
        monkeypatch.setattr(logstore.storage.supplements, "block_object", shifted)
        keep(log, index)

    evidence = forge(act)
    assert evidence.verify().exit_code == 0, "without the keys nobody can tell"
    found = named(evidence.verify(keys=evidence.keys()), "body-misplaced")
    assert found.file == objects(evidence)[0]


def test_a_new_key_that_no_record_announced_is_named(
    forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(log: Log, index: int) -> None:
        monkeypatch.setattr(logstore.storage.encoding, "_batches", lambda _: [])
        keep(log, index)

    evidence = forge(act)
    assert named(evidence.verify(), "key-not-announced").file == objects(evidence)[0]


def test_a_supplement_of_records_still_to_come_is_named(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        index = log.append(chat("keep", "paul")).index
        pin = keep(log, index)
        log.append(
            Record("supplement.sealed", "x", clear=to_clear(msgspec.structs.replace(pin, first=9)))
        )
        log.append_batch([chat("later", "paul") for _ in range(4)])
        log.seal()
    report = Evidence(tmp_path, store.policy()).verify()
    assert named(report, "body-malformed").index == 9


def test_a_list_that_a_signed_pin_falsifies_is_named(
    forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer leaves a supplement out of seal and pin: readers would never look into it."""

    def act(log: Log, index: int) -> None:
        keep(log, index)
        monkeypatch.setattr(indexing, "supplements_among", lambda _: [])
        log.seal()

    evidence = forge(act)
    report = evidence.verify()
    assert named(report, "seal-changed").file == evidence.files("seal/")[1]
    assert named(report, "extra-file").file == objects(evidence)[0]
