"""One record proven to a stranger, with or without its content."""

from __future__ import annotations

import json
import random
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from support.evidence import Evidence, flipped, make_evidence
from support.stores import ORIGIN, TestStore, chat

from logstore.errors import CannotJudge, KeyUnavailable, NotFound, TamperingFound
from logstore.formats.cosignature import Ed25519Cosigner
from logstore.formats.leaf import parse
from logstore.formats.note import Signer, add_signature
from logstore.formats.policy import Policy, Witness
from logstore.formats.proof import parse_tlog_proof
from logstore.verify.proving import check, disclose, leaf_of, prove


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Segments that end inside blocks of 1024 leaves, and a tail."""
    base = tmp_path_factory.mktemp("long")
    with TestStore(base).create() as log:
        for size in (700, 900, 1500, 400):
            list(log.append_many(chat(f"q{n}", f"user-{n % 7}") for n in range(size)))
            if size != 400:
                log.seal()
    return Evidence(base, TestStore(base).policy())


def test_every_kind_of_place_in_a_log_can_be_proven(long_log: Evidence) -> None:
    reader = long_log.reader()
    edges = {0, reader.size - 1, reader.sealed - 1, reader.sealed, 1023, 1024, 2047, 2048, 3071}
    edges |= {pin.first for pin in reader.pins} | {pin.last for pin in reader.pins}
    edges |= set(random.Random(1).sample(range(reader.size), 40))
    for index in edges:
        proof = prove(reader, index)
        result = check(proof, long_log.trusted)
        assert result.exit_code == 0, result.problem
        assert result.leaf == parse(leaf_of(proof))
        assert result.leaf is not None
        assert result.leaf.index == index
        assert result.checkpoint == reader.checkpoint


def test_every_record_of_a_small_log_at_every_size(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        policy = store.policy()
        for number in range(6):
            log.append(chat(f"q{number}", "user-0"))
            if number == 2:
                log.seal()
            reader = store.reader()
            for index in range(reader.size):
                assert check(prove(reader, index), policy).exit_code == 0


def test_a_log_that_ends_with_its_last_segment_can_be_proven(tmp_path: Path) -> None:
    evidence = make_evidence(tmp_path, segments=1, tail=0)
    reader = evidence.reader()
    for index in range(reader.size):
        assert check(prove(reader, index), evidence.trusted).exit_code == 0


def test_a_record_that_is_not_there_can_not_be_proven(evidence: Evidence) -> None:
    reader = evidence.reader()
    for index in (-1, reader.size):
        with pytest.raises(NotFound):
            prove(reader, index)
        with pytest.raises(NotFound):
            disclose(reader, index)


def test_no_proof_is_made_from_records_that_were_changed(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = evidence.reader()
    honest = reader.leaves
    monkeypatch.setattr(
        reader,
        "leaves",
        lambda *given: [leaf.replace(b"gpt-5", b"gpt-6") for leaf in honest(*given)],
    )
    with pytest.raises(TamperingFound):
        prove(reader, 2)


def test_any_changed_byte_of_a_proof_is_noticed(evidence: Evidence) -> None:
    proof = prove(evidence.reader(), 2)
    assert check(proof, evidence.trusted).exit_code == 0
    for at in range(len(proof)):
        assert check(flipped(proof, at, 1 + at % 255), evidence.trusted).exit_code != 0, at
    assert check(proof + b"\n", evidence.trusted).exit_code == 1
    assert check(proof[:-1], evidence.trusted).exit_code == 1
    assert check(b"", evidence.trusted).exit_code == 1


def test_a_proof_says_what_it_does_not_show(evidence: Evidence) -> None:
    result = check(prove(evidence.reader(), 2), evidence.trusted)
    said = " ".join(result.not_proven)
    for word in ("true", "captured", "key", "when", "content"):
        assert word in said


def test_a_proof_does_not_vouch_for_its_own_key(evidence: Evidence) -> None:
    proof = prove(evidence.reader(), 2)
    assert check(proof, None).exit_code == 2
    stranger = Policy((Signer("elsewhere.example/log", bytes(32)).verifier(),))
    assert check(proof, stranger).exit_code == 2
    impostor = Policy((Signer(ORIGIN, bytes(32)).verifier(),))
    assert check(proof, impostor).exit_code == 1


def test_a_quorum_is_asked_for_and_shown(evidence: Evidence) -> None:
    witness = Ed25519Cosigner("witness.example/w", b"\1" * 32)
    policy = replace(evidence.trusted, witnesses=(Witness("w", witness.verifier()),), quorum="w")
    data = prove(evidence.reader(), 2)
    assert check(data, policy).exit_code == 2
    proof = parse_tlog_proof(data)
    text = proof.checkpoint.split(b"\n\n")[0].decode() + "\n"
    signed = add_signature(proof.checkpoint, witness.cosign(text, 1_790_000_000))
    result = check(replace(proof, checkpoint=signed).encode(), policy)
    assert result.exit_code == 0
    assert result.witnessed == {"w": 1_790_000_000}


def test_disclosed_content_is_shown_to_be_the_record_s_own(evidence: Evidence) -> None:
    reader = evidence.reader()
    for index in (2, reader.size - 1):
        result = check(prove(reader, index), evidence.trusted, disclosure=disclose(reader, index))
        assert result.exit_code == 0, result.problem
        assert result.body is not None
        assert result.body.raw.startswith(b"question")
        assert not any("content" in line for line in result.not_proven)


def test_other_content_is_not(evidence: Evidence) -> None:
    reader = evidence.reader()
    proof, disclosure = prove(reader, 2), disclose(reader, 2)
    fields = json.loads(disclosure)
    content = b64decode(fields["content"])
    changes = [
        {"content": b64encode(content.replace(b"question", b"quession")).decode()},
        {"nonce": b64encode(bytes(32)).decode()},
        {"nonce": b64encode(bytes(31)).decode()},
        {"index": 4},
        {"origin": "elsewhere.example/log"},
        {"format": "aircon-disclosure/2"},
        {"more": 1},
    ]
    for change in changes:
        forged = json.dumps(fields | change, indent=1).encode() + b"\n"
        result = check(proof, evidence.trusted, disclosure=forged)
        assert result.exit_code == 1, change
        assert result.body is None
        assert result.leaf is None, "what failed shows nothing"
    for forged in (disclosure[:-1], disclosure + b" ", b"", b"[" * 100_000):
        assert check(proof, evidence.trusted, disclosure=forged).exit_code == 1


def test_a_disclosure_of_another_record_or_of_none_is_refused(evidence: Evidence) -> None:
    reader = evidence.reader()
    other = disclose(reader, 4)
    assert check(prove(reader, 2), evidence.trusted, disclosure=other).exit_code == 1
    assert check(prove(reader, 0), evidence.trusted, disclosure=other).exit_code == 1


def test_what_can_not_be_disclosed_says_why(evidence: Evidence) -> None:
    with pytest.raises(KeyUnavailable, match="no-body"):
        disclose(evidence.reader(), 0)
    with pytest.raises(CannotJudge):
        disclose(evidence.reader(locked=True), 2)
