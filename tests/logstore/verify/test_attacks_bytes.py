"""A1, A22: no byte of a store can change, appear or vanish without the file being named."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.evidence import Evidence, make_evidence, named, write_flipped

import logstore.verify.verifier
from logstore.formats.custody import NOTHING
from logstore.formats.pins import SegmentPin
from logstore.storage.seal import parse_seal, pin_of
from logstore.verify.evidence import Directory
from logstore.verify.findings import Finding
from logstore.verify.hashing import hash_objects
from logstore.verify.keeping import Keepings
from logstore.verify.proving import leaf_of

MASKS = (0x01, 0x20, 0x80, 0xFF)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    made = make_evidence(tmp_path_factory.mktemp("tiny"), segments=1, each=2, tail=1)
    for key in made.files():
        (made.path / key).chmod(0o644)
    return made


def pin(evidence: Evidence) -> SegmentPin:
    seal = parse_seal((evidence.path / evidence.one("seal/")).read_bytes())
    return pin_of(leaf_of(seal.proof.encode()))[1]


def blamed(findings: list[Finding], key: str) -> bool:
    """Whether a file is named, or the log is short of records that a signature counts."""
    return any(f.severity == "tampering" and f.file == key for f in findings)


UNTOLD = Keepings(NOTHING, None, 0)
"""What a log says that says nothing."""


@pytest.mark.parametrize("kind", ["index/", "body/"])
def test_every_byte_of_a_sealed_object_counts(tiny: Evidence, kind: str) -> None:
    key, segment = tiny.one(kind), pin(tiny)
    missed = []
    for at in range((tiny.path / key).stat().st_size):
        back = write_flipped(tiny.path / key, at, MASKS[at % 4])
        found = hash_objects(
            Directory(tiny.path), [segment], workers=1, keepings=UNTOLD, progress=lambda _: None
        ).findings
        if [(f.code, f.file, f.index) for f in found] != [("file-changed", key, 0)]:
            missed.append(at)
        back()
    assert missed == []
    assert tiny.verify().exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["seal/", "wal/", "log/", "store.json"])
def test_every_byte_of_every_other_file_counts(
    tiny: Evidence, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logstore.verify.verifier, "_LOOKS", 0)  # one look: half the time
    missed = []
    for key in tiny.files(kind):
        for at in range((tiny.path / key).stat().st_size):
            back = write_flipped(tiny.path / key, at, MASKS[at % 4])
            report = tiny.verify(quick=True, workers=1)
            if report.exit_code != 1 or not blamed(report.findings, key):
                missed.append((key, at, report.found))
            back()
    assert missed == []
    assert tiny.verify().exit_code == 0


@pytest.mark.slow
def test_a_full_verification_misses_none_either(tiny: Evidence) -> None:
    draw, missed = random.Random(5), []
    for key in tiny.files():
        size = (tiny.path / key).stat().st_size
        for at in draw.sample(range(size), min(size, 60)):
            back = write_flipped(tiny.path / key, at, draw.randrange(1, 256))
            report = tiny.verify(workers=1, keys=tiny.keys())
            if report.exit_code != 1 or not blamed(report.findings, key):
                missed.append((key, at, report.found))
            back()
    assert missed == []


@pytest.mark.parametrize("quick", [True, False])
def test_a_byte_behind_the_end_of_any_file_counts(evidence: Evidence, quick: bool) -> None:
    for key in evidence.files():
        evidence.edit(key, lambda data: data + b"\n")
        report = evidence.verify(quick=quick)
        assert report.exit_code == 1, key
        assert blamed(report.findings, key), (key, report.found)
        evidence.edit(key, lambda data: data[:-1])
    assert evidence.verify(quick=quick).exit_code == 0


def test_any_file_cut_by_one_byte_is_named(evidence: Evidence) -> None:
    evidence.verify(seen=evidence.seen_path)
    for key in [k for k in evidence.files() if not k.endswith(".lock")]:
        kept = (evidence.path / key).read_bytes()
        evidence.edit(key, lambda data: data[:-1])
        report = evidence.verify(seen=evidence.seen_path)
        assert report.exit_code == 1, key
        assert blamed(report.findings, key) or "truncated" in report.codes(), report.found
        evidence.edit(key, lambda _, kept=kept: kept)


def test_any_missing_file_is_named(evidence: Evidence, tmp_path: Path) -> None:
    for key in [k for k in evidence.files() if not k.endswith(".lock")]:
        (evidence.path / key).rename(tmp_path / "aside")
        report = evidence.verify()
        assert report.exit_code == 1, key
        (tmp_path / "aside").rename(evidence.path / key)
    assert evidence.verify().exit_code == 0


@pytest.mark.parametrize(
    "key",
    [
        "index/log=logs.example.com_support/date=2026-01-01/seg-000000000004-1.parquet",
        "body/stray",
        "seal/log=logs.example.com_support/note.txt",
        "wal/log=logs.example.com_support/000000000001.wal.old",
        "log/log=logs.example.com_support/other.json",
        "index/.stray.0123456789ab.tmp",
        "README",
    ],
)
def test_an_extra_file_is_named(evidence: Evidence, key: str) -> None:
    source = (evidence.path / evidence.one("index/")).read_bytes()
    (evidence.path / key).parent.mkdir(parents=True, exist_ok=True)
    (evidence.path / key).write_bytes(source)
    assert named(evidence.verify(), "extra-file").file == key
    assert named(evidence.verify(quick=True), "extra-file").file == key


def test_a_link_in_place_of_a_file_or_folder_is_named(evidence: Evidence, tmp_path: Path) -> None:
    key = evidence.one("index/")
    (evidence.path / key).rename(tmp_path / "elsewhere")
    (evidence.path / key).symlink_to(tmp_path / "elsewhere")
    report = evidence.verify()
    assert named(report, "wrong-kind").file == key
    (evidence.path / key).unlink()
    (tmp_path / "elsewhere").rename(evidence.path / key)
    (evidence.path / "body").rename(tmp_path / "moved")
    (evidence.path / "body").symlink_to(tmp_path / "moved")
    assert named(evidence.verify(), "wrong-kind").file == "body"


def test_a_file_lent_by_another_log_of_the_store_is_not_judged_but_said(
    evidence: Evidence,
) -> None:
    other = evidence.path / "index" / "log=elsewhere" / "seg-0-1.parquet"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"anything")
    report = evidence.verify()
    assert report.exit_code == 2
    assert named(report, "unknown-log").file == "log/log=elsewhere"


def test_loose_permissions_are_remarked_on(evidence: Evidence) -> None:
    key = evidence.one("index/")
    (evidence.path / key).chmod(0o644)
    report = evidence.verify()
    assert report.exit_code == 0
    assert named(report, "writable").file == key
