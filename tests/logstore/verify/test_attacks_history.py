"""A2-A6, A10, A11: records deleted, moved, added, cut; histories rewritten, forked, rolled back."""

from __future__ import annotations

import re
import shutil
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support.evidence import Evidence, make_evidence, named
from support.forging import chained, groups_of, parsed, regrouped, with_leaves
from support.stores import TestStore, chat

from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.formats.group import Group
from logstore.formats.note import Signer
from logstore.storage.seal import parse_seal
from logstore.storage.sealing import SegmentSealer
from logstore.verify.heads import SeenFile
from logstore.verify.verifier import verify_store


@pytest.fixture
def crowd(tmp_path: Path) -> Evidence:
    """Nothing sealed; one group commit of several records among others."""
    made = make_evidence(tmp_path, segments=0, tail=2)
    with made.open() as log:
        log.append_batch([chat(f"batch {n}", "user-0") for n in range(4)])
        log.append(chat("last", "user-0"))
    return made


def wal(evidence: Evidence) -> str:
    return next(key for key in evidence.files("wal/") if key.endswith(".wal"))


def batch(groups: list[Group]) -> int:
    return max(range(len(groups)), key=lambda n: len(groups[n].leaves))


def test_a_deleted_record_is_named(crowd: Evidence) -> None:
    def delete(groups: list[Group]) -> list[Group]:
        at = batch(groups)
        groups[at] = with_leaves(groups[at], groups[at].leaves[:1] + groups[at].leaves[2:])
        return groups[: at + 1]

    first = next(i for i, t in enumerate(bodies(crowd)) if t == 1)
    crowd.edit(wal(crowd), regrouped(delete))
    report = crowd.verify()
    assert report.exit_code == 1
    assert named(report, "chain-broken").index == first
    assert named(report, "index-wrong").index == first
    assert named(report, "root-wrong").file == wal(crowd)


def bodies(evidence: Evidence) -> list[int]:
    """For every unsealed record, its place within the group of several."""
    _, groups = groups_of((evidence.path / wal(evidence)).read_bytes())
    largest = max(len(each.leaves) for each in groups)
    return [n if len(g.leaves) == largest else -1 for g in groups for n in range(len(g.leaves))]


def test_records_that_changed_places_are_named(crowd: Evidence) -> None:
    def swap(groups: list[Group]) -> list[Group]:
        at = batch(groups)
        leaves = groups[at].leaves
        groups[at] = with_leaves(groups[at], [leaves[0], leaves[2], leaves[1], *leaves[3:]])
        return groups

    first = next(i for i, t in enumerate(bodies(crowd)) if t == 1)
    crowd.edit(wal(crowd), regrouped(swap))
    report = crowd.verify()
    assert named(report, "index-wrong").index == first
    assert named(report, "chain-broken").index == first
    assert named(report, "root-wrong").index is not None


def test_an_inserted_record_is_named(crowd: Evidence) -> None:
    def insert(groups: list[Group]) -> list[Group]:
        at = batch(groups)
        leaves = groups[at].leaves
        groups[at] = with_leaves(groups[at], [*leaves[:2], leaves[1], *leaves[2:]])
        return groups[: at + 1]

    place = next(i for i, t in enumerate(bodies(crowd)) if t == 2)
    crowd.edit(wal(crowd), regrouped(insert))
    report = crowd.verify()
    assert named(report, "index-wrong").index == place
    assert named(report, "root-wrong")


def test_a_rewritten_suffix_of_the_same_length_fails_by_its_root(crowd: Evidence) -> None:
    """The attacker mends index, chain and checksums; only the signature is out of reach."""

    def rewrite(groups: list[Group]) -> list[Group]:
        last = groups[-1]
        leaf = parsed(last.leaves)[0]
        forged = msgspec.structs.replace(leaf, clear={"gen_ai.request.model": "never-asked"})
        groups[-1] = with_leaves(last, chained([forged], leaf.prev, leaf.index))
        return groups

    before = crowd.verify().logs[0].size
    crowd.edit(wal(crowd), regrouped(rewrite))
    report = crowd.verify()
    assert report.logs[0].size == before
    assert report.codes() == {"root-wrong"}
    assert named(report, "root-wrong").index == before - 1


@pytest.mark.parametrize("quick", [True, False])
def test_a_tail_cut_at_a_group_is_caught_by_memory(evidence: Evidence, quick: bool) -> None:
    assert evidence.verify(seen=evidence.seen_path).exit_code == 0
    size = SeenFile(evidence.seen_path).heads[-1].size
    evidence.edit(wal(evidence), regrouped(lambda groups: groups[:-1]))
    assert evidence.verify(quick=quick).exit_code == 0, "nothing inside a store can show this"
    report = evidence.verify(quick=quick, seen=evidence.seen_path)
    assert report.exit_code == 1
    found = named(report, "truncated")
    assert str(size) in found.what
    assert found.index == size - 1


def test_a_tail_cut_at_a_group_is_caught_by_the_key_store(evidence: Evidence) -> None:
    evidence.edit(wal(evidence), regrouped(lambda groups: groups[:-1]))
    found = named(evidence.verify(keys=evidence.keys()), "truncated")
    assert "the key store" in found.what


def test_a_remembered_head_of_another_log_says_nothing(evidence: Evidence, tmp_path: Path) -> None:
    other = make_evidence(tmp_path / "other", segments=0, tail=30)
    (evidence.keys_path / "head").write_bytes((other.keys_path / "head").read_bytes())
    assert evidence.verify(keys_path=evidence.keys_path).exit_code == 0
    (evidence.keys_path / "head").write_bytes(b"\xff" * 9000)
    assert evidence.verify(keys_path=evidence.keys_path).exit_code == 0


def test_a_tail_cut_into_sealed_ground_contradicts_the_seals_themselves(
    evidence: Evidence,
) -> None:
    evidence.edit(wal(evidence), regrouped(lambda groups: groups[:0]))
    found = named(evidence.verify(), "truncated")
    assert found.file.startswith("seal/")
    assert found.index == evidence.verify().logs[0].sealed


def test_rolling_everything_back_to_an_older_copy_is_caught_by_memory(
    evidence: Evidence, tmp_path: Path
) -> None:
    shutil.copytree(evidence.path, tmp_path / "older")
    with evidence.open() as log:
        log.append(chat("what was rolled back", "user-0"))
        log.seal()
    assert evidence.verify(seen=evidence.seen_path).exit_code == 0
    newer = SeenFile(evidence.seen_path).heads[-1].size
    keys = evidence.keys()
    shutil.rmtree(evidence.path)
    (tmp_path / "older").rename(evidence.path)
    assert evidence.verify().exit_code == 0, "a whole older copy is right in itself"
    for options in (
        {"seen": evidence.seen_path},
        {"keys": keys},
        {"keys_path": evidence.keys_path},
        {"seen": evidence.seen_path, "quick": True},
    ):
        found = named(evidence.verify(**options), "truncated")
        assert str(newer) in found.what
        assert "found" in found.what


def test_a_store_without_its_log_is_missed_by_whoever_saw_it(evidence: Evidence) -> None:
    evidence.verify(seen=evidence.seen_path)
    for folder in ("log", "index", "body", "seal", "wal"):
        shutil.rmtree(evidence.path / folder)
    assert evidence.verify().exit_code == 2
    report = evidence.verify(seen=evidence.seen_path)
    assert report.exit_code == 1
    assert named(report, "truncated")


def test_two_histories_signed_by_one_key_are_a_fork(evidence: Evidence, tmp_path: Path) -> None:
    """A split view: the log's own key shows different people different records."""
    other = evidence.copy(tmp_path / "other")
    for store, text in ((evidence, "for the auditor"), (other, "for the customer")):
        with store.open() as log:
            log.append(chat(text, "user-0"))
    assert evidence.verify(seen=evidence.seen_path).exit_code == 0
    size = SeenFile(evidence.seen_path).heads[-1].size
    for quick in (True, False):
        report = other.verify(seen=evidence.seen_path, quick=quick)
        assert report.exit_code == 1
        assert named(report, "fork").index == size - 1
    with other.open() as log:
        log.append(chat("longer than the other", "user-0"))
        log.seal()
    for quick in (True, False):
        report = other.verify(seen=evidence.seen_path, quick=quick)
        assert named(report, "fork").index == size - 1, "the fork lies inside a sealed segment"


def test_a_rewrite_under_the_attackers_own_key_fails_by_policy(tmp_path: Path) -> None:
    honest = make_evidence(tmp_path / "honest")
    forged = make_evidence(tmp_path / "forged")
    assert forged.verify().exit_code == 0, "by its own key it is in order"
    for quick in (True, False):
        report = replace(forged, trusted=honest.trusted).verify(quick=quick)
        assert report.exit_code == 1
        assert {f.file for f in report.findings if f.code == "signature-wrong"} >= set(
            forged.files("seal/")
        )
    # Even when the attacker writes the trusted key into the log's own description.
    key = forged.one("log/")
    forged.edit(key, lambda _: (honest.path / key).read_bytes())
    assert replace(forged, trusted=honest.trusted).verify().exit_code == 1


def test_without_a_policy_nothing_is_verified(evidence: Evidence) -> None:
    report = verify_store(evidence.path, None)
    assert report.exit_code == 2
    assert report.codes() == {"no-policy"}


def test_a_seal_with_its_signature_stripped_fails(evidence: Evidence) -> None:
    def strip(data: bytes) -> bytes:
        seal = parse_seal(data)
        text = seal.checkpoint.split("\n\n")[0] + "\n\n"
        return msgspec.structs.replace(seal, checkpoint=text).encode()

    key = evidence.files("seal/")[1]
    evidence.edit(key, strip)
    for quick in (True, False):
        found = named(evidence.verify(quick=quick), "signature-wrong")
        assert found.file == key
        assert found.index is not None


def test_a_group_with_anothers_signature_or_none_fails(evidence: Evidence) -> None:
    stranger = Signer("logs.example.com/support", bytes(32))

    def resign(note: bytes) -> bytes:
        origin, size, root = re.findall(rb"[^\n]+", note)[:3]
        head = Checkpoint(origin.decode(), int(size), b64decode(root))
        return sign_checkpoint(head, stranger)

    for change in (resign, lambda note: note.split(b"\n\n")[0] + b"\n\n", lambda _: b""):
        copy = (evidence.path / wal(evidence)).read_bytes()
        evidence.edit(
            wal(evidence),
            regrouped(lambda g, change=change: [*g[:-1], replace(g[-1], note=change(g[-1].note))]),
        )
        for quick in (True, False):
            found = named(evidence.verify(quick=quick), "signature-wrong")
            assert found.file == wal(evidence)
            assert found.index == evidence.verify().logs[0].size - 1
        evidence.edit(wal(evidence), lambda _, copy=copy: copy)


def test_a_missing_seal_in_the_middle_is_named(evidence: Evidence) -> None:
    key = evidence.files("seal/")[0]
    last = parse_seal((evidence.path / key).read_bytes()).end - 1
    (evidence.path / key).unlink()
    found = named(evidence.verify(), "seal-missing")
    assert (found.index, found.last) == (0, last)


def test_a_missing_last_seal_is_named_by_the_record_that_proves_it_existed(
    evidence: Evidence,
) -> None:
    key = evidence.files("seal/")[-1]
    seal = parse_seal((evidence.path / key).read_bytes())
    (evidence.path / key).unlink()
    report = evidence.verify()
    found = named(report, "seal-missing")
    assert (found.index, found.last) == (seal.first, seal.end - 1)
    assert named(report, "wal-misplaced").index == seal.first


def test_a_seal_of_another_place_or_store_fails(evidence: Evidence, tmp_path: Path) -> None:
    first, second = evidence.files("seal/")
    evidence.edit(second, lambda _: (evidence.path / first).read_bytes())
    found = named(evidence.verify(), "seal-changed")
    assert found.file == second


@pytest.mark.parametrize("member", ["frontier", "blocks", "destroyed", "count"])
def test_a_seal_whose_helps_are_false_fails(evidence: Evidence, member: str) -> None:
    changes = {
        "frontier": bytes(40),
        "blocks": [bytes(32)],
        "destroyed": ["0" * 32],
        "count": 1,
    }
    key = evidence.files("seal/")[0]
    evidence.edit(
        key,
        lambda data: msgspec.structs.replace(
            parse_seal(data), **{member: changes[member]}
        ).encode(),
    )
    report = evidence.verify()
    assert report.exit_code == 1
    assert named(report, "seal-changed").file == key


def test_the_description_of_the_log_can_not_be_changed(evidence: Evidence) -> None:
    key = evidence.one("log/")
    evidence.edit(key, lambda data: data.replace(b'"body_days": 396', b'"body_days": 3'))
    for quick in (True, False):
        found = named(evidence.verify(quick=quick), "log-file-changed")
        assert (found.file, found.index) == (key, 0)


def test_memory_is_only_added_to_and_only_when_all_is_well(evidence: Evidence) -> None:
    evidence.verify(seen=evidence.seen_path)
    first = evidence.seen_path.read_bytes()
    evidence.verify(seen=evidence.seen_path)
    assert evidence.seen_path.read_bytes() == first, "nothing new to remember"
    with evidence.open() as log:
        log.append(chat("more", "user-0"))
    key = evidence.one("body/")
    kept = (evidence.path / key).read_bytes()
    evidence.edit(key, lambda data: data[:-1])
    evidence.verify(seen=evidence.seen_path)
    assert evidence.seen_path.read_bytes() == first, "a bad store is not remembered"
    evidence.edit(key, lambda _: kept)
    evidence.verify(seen=evidence.seen_path)
    second = evidence.seen_path.read_bytes()
    assert second.startswith(first)
    assert len(SeenFile(evidence.seen_path).heads) == 2


def test_a_torn_line_of_memory_is_remarked_on_and_passed_over(evidence: Evidence) -> None:
    evidence.verify(seen=evidence.seen_path)
    whole = evidence.seen_path.read_bytes()
    evidence.seen_path.write_bytes(whole + whole[:50])
    with evidence.open() as log:
        log.append(chat("more", "user-0"))
    report = evidence.verify(seen=evidence.seen_path)
    assert report.exit_code == 0
    assert named(report, "seen-unreadable")
    assert [h.size for h in SeenFile(evidence.seen_path).heads][-1] == report.logs[0].signed


def test_a_crash_between_publishing_and_discarding_is_no_tampering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer dies at each step of sealing: verification stays quiet at every one."""
    steps = ("publish", "publish_seal", "discard")
    codes = []
    for number, step in enumerate(steps):
        made = make_evidence(tmp_path / str(number), segments=0, tail=3)

        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(SegmentSealer, step, die)
            log = made.open()
            with pytest.raises(KeyboardInterrupt):
                log.seal()
            log.close()
        report = made.verify(keys=made.keys())
        assert report.exit_code == 0, report.found
        codes.append(report.codes())
    assert codes[1] >= {"sealing-under-way"}
    assert TestStore(tmp_path / "1").open().size
