"""What a report says, and what it asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.evidence import Evidence, harmless, make_evidence, named
from support.stores import OPTIONS, ORIGIN, TestStore, chat

import logstore.verify.segmentpool
from logstore.errors import CannotJudge, NotFound, StoreAway
from logstore.formats.cosignature import Ed25519Cosigner
from logstore.formats.note import Signer
from logstore.formats.policy import Policy, Witness
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.storage.log import Log
from logstore.verify.findings import CODES, Finding, Report, in_order
from logstore.verify.segmentcheck import SegmentOutcome
from logstore.verify.verifier import verify_store


def test_a_clean_store_is_verified_to_its_newest_checkpoint(evidence: Evidence) -> None:
    report = evidence.verify(keys=evidence.keys(), seen=evidence.seen_path)
    reader = evidence.reader()
    (log,) = report.logs
    assert report.exit_code == 0
    assert report.findings == []
    assert (log.size, log.durable, log.signed, log.sealed) == (
        reader.size, reader.size, reader.size, reader.sealed,
    )  # fmt: skip
    assert (log.root, log.note) == (reader.checkpoint.root, reader.note)
    assert log.witnessed == 0
    assert report.records == reader.size
    assert report.files == len([k for k in evidence.files() if not k.endswith(".lock")])
    assert report.size_bytes == sum(
        (evidence.path / k).stat().st_size for k in evidence.files()
    ) - len((evidence.path / "store.json").read_bytes())


def test_a_report_says_what_was_asked_and_what_is_not_proven(evidence: Evidence) -> None:
    full = evidence.verify(keys=evidence.keys(), seen=evidence.seen_path)
    quick = evidence.verify(quick=True)
    assert len(full.requested) > len(quick.requested)
    assert any("quick" in line for line in quick.not_proven)
    assert any("rolled back" in line for line in quick.not_proven)
    assert not any("rolled back" in line for line in full.not_proven)
    for word in ("true", "captured", "key"):
        assert any(word in line for line in full.not_proven)


def test_processes_find_what_one_process_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logstore.verify.segmentpool, "WORTH_PROCESSES", 1)
    evidence = make_evidence(tmp_path, segments=3)
    alone = evidence.verify(workers=1, keys=evidence.keys())
    together = evidence.verify(workers=2, keys=evidence.keys())
    assert together == alone
    assert together.logs[0].opened == alone.logs[0].opened > 0
    key = evidence.files("index/")[1]
    evidence.edit(key, lambda data: data[:100] + b"x" + data[101:])
    assert evidence.verify(workers=2).findings == evidence.verify(workers=1).findings
    assert named(evidence.verify(workers=2), "file-changed").file == key


def test_a_worker_that_dies_is_no_verdict(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise CannotJudge("a process that checked a segment died")

    monkeypatch.setattr("logstore.verify.segmentpool.check_segments", die)
    report = evidence.verify()
    assert report.exit_code == 2


def test_progress_ends_at_its_total(evidence: Evidence) -> None:
    for quick in (True, False):
        steps: list[tuple[int, int]] = []
        evidence.verify(quick=quick, progress=lambda done, total, s=steps: s.append((done, total)))
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1] > 0


def test_a_quorum_that_nobody_reached_is_no_verdict(evidence: Evidence) -> None:
    witness = Ed25519Cosigner("witness.example/w", b"\1" * 32)
    policy = replace(evidence.trusted, witnesses=(Witness("w", witness.verifier()),), quorum="w")
    for quick in (True, False):
        report = verify_store(evidence.path, policy, quick=quick)
        assert report.exit_code == 2
        assert report.codes() == {"not-witnessed"}


def test_a_policy_of_other_logs_is_no_verdict(evidence: Evidence) -> None:
    stranger = Policy((Signer("elsewhere.example/log", bytes(32)).verifier(),))
    report = verify_store(evidence.path, stranger)
    assert report.exit_code == 2
    assert report.codes() == {"no-log", "unknown-log"}


def test_no_store_at_all_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify_store(tmp_path / "nothing", None)


def test_two_logs_in_one_store_are_both_verified(evidence: Evidence, tmp_path: Path) -> None:
    origin = "logs.example.com/agents"
    keys = KeyStore.create(tmp_path / "other.keys", NoHolder(), origin=origin)
    with Log.create(evidence.path, keys, options=OPTIONS) as log:
        log.append(chat("from another host", "user-9"))
        log.seal()
    both = Policy((*evidence.trusted.logs, keys.signer().verifier()))
    report = verify_store(evidence.path, both)
    assert report.exit_code == 0, report.found
    assert sorted(log.origin for log in report.logs) == sorted([origin, ORIGIN])
    report = evidence.verify()
    assert report.exit_code == 2
    assert named(report, "unknown-log").file == "log/log=logs.example.com_agents"
    key = next(k for k in evidence.files("index/") if "agents" in k)
    evidence.edit(key, lambda data: data + b"x")
    assert named(verify_store(evidence.path, both), "file-changed").file == key


def test_an_empty_log_has_one_record_and_verifies(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    report = verify_store(store.path, store.policy(), keys=store.keys())
    assert harmless(report)
    assert report.logs[0].size == 1


def test_bodies_whose_keys_are_elsewhere_are_counted_not_blamed(
    evidence: Evidence, tmp_path: Path
) -> None:
    other = KeyStore.create(tmp_path / "other.keys", NoHolder(), origin=ORIGIN)
    report = evidence.verify(keys=other)
    assert report.exit_code == 0
    assert (report.logs[0].opened, report.logs[0].locked) == (0, 11)


def test_the_worst_comes_first_and_nothing_twice() -> None:
    note = Finding("torn-tail", "n", "w", 9)
    bad = Finding("root-wrong", "b", "i", 3)
    file = Finding("file-changed", "f", "i", 3)
    report = Report([], in_order([note, bad, note, file, Finding("no-log", "x")]))
    assert [f.code for f in report.findings] == [
        "file-changed",
        "root-wrong",
        "no-log",
        "torn-tail",
    ]
    assert report.exit_code == 1
    assert report.of("note") == [note]
    assert report.found[0] == "file-changed: i, record 3: f"
    assert Finding("fork", "w", "", 3, 7).line() == "fork: records 3-7: w"
    assert Finding("no-log", "w").line() == "no-log: w"


def test_every_code_says_what_it_means() -> None:
    assert all(meaning and severity for severity, meaning in CODES.values())
    assert Report([], [Finding("no-policy", "w")]).exit_code == 2
    assert Report([], [Finding("torn-tail", "w")]).exit_code == 0


class _Away:
    """An engine whose store goes away while segments are checked."""

    unproven = ""

    def outcomes(self, *_: object) -> Iterator[SegmentOutcome]:
        raise StoreAway("the bucket does not answer")
        yield  # a generator, as every engine's is


def test_a_store_that_goes_away_while_it_is_verified_is_no_tampering(evidence: Evidence) -> None:
    with pytest.raises(StoreAway):
        verify_store(evidence.path, evidence.policy(), engine=_Away())
