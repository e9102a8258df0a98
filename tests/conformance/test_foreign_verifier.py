"""A verifier that others wrote (PyPI proofbundle) judges our proofs as we do."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from logstore.errors import AirconError
from logstore.formats import merkle
from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.formats.cosignature import Cosigner, Ed25519Cosigner, MldsaCosigner
from logstore.formats.note import Signer, add_signature
from logstore.formats.policy import Group, Policy, Witness
from logstore.formats.proof import TlogProof, check_tlog_proof, parse_tlog_proof

tlogproof = pytest.importorskip("proofbundle.tlogproof")

ORIGIN = "example.com/aircon"
LOG = Signer(ORIGIN, bytes(range(32)))
COSIGNERS: tuple[Cosigner, ...] = (
    Ed25519Cosigner("w.example/1", b"\1" * 32),
    MldsaCosigner("w.example/2", b"\2" * 32),
)
PLAIN = Policy((LOG.verifier(),))
QUORUM = Policy(
    (LOG.verifier(),),
    tuple(Witness(f"w{at}", each.verifier()) for at, each in enumerate(COSIGNERS)),
    (Group("both", 2, ("w0", "w1")),),
    "both",
)


@dataclass(frozen=True)
class Exhibit:
    proof: TlogProof
    leaf: bytes


def exhibit(dice: random.Random, *, cosigners: tuple[Cosigner, ...] = ()) -> Exhibit:
    leaves = [dice.randbytes(dice.randint(0, 80)) for _ in range(dice.randint(2, 300))]
    hashes, index = [merkle.leaf_hash(leaf) for leaf in leaves], dice.randrange(len(leaves))
    checkpoint = Checkpoint(ORIGIN, len(leaves), merkle.root(hashes))
    signed = sign_checkpoint(checkpoint, LOG)
    for cosigner in cosigners:
        signed = add_signature(signed, cosigner.cosign(checkpoint.text(), 1_763_850_000))
    path = tuple(merkle.inclusion_proof(hashes, index))
    return Exhibit(TlogProof(index, path, signed), leaves[index])


def theirs(data: bytes, leaf: bytes, *, witnesses: tuple[Cosigner, ...] = ()) -> bool:
    verdict = tlogproof.verify_tlog_proof(
        data.decode("utf-8", "replace"),
        leaf,
        LOG.verifier().vkey(),
        [witness.verifier().vkey() for witness in witnesses],
        threshold=len(witnesses),
        expected_origin=ORIGIN,
    )
    accepted: bool = verdict["ok"] is True
    return accepted


def ours(data: bytes, leaf: bytes, policy: Policy) -> bool:
    try:
        check_tlog_proof(parse_tlog_proof(data), merkle.leaf_hash(leaf), policy)
    except AirconError:
        return False
    return True


def alterations(case: Exhibit) -> list[tuple[str, bytes, bytes]]:
    proof, leaf = case.proof, case.leaf
    flipped = bytes([proof.hashes[0][0] ^ 1]) + proof.hashes[0][1:]
    size = int(proof.checkpoint.split(b"\n")[1])
    checkpoint = proof.checkpoint.replace(b"\n%d\n" % size, b"\n%d\n" % (size + 1), 1)
    return [
        ("leaf", proof.encode(), leaf + b"\0"),
        ("hash", replace(proof, hashes=(flipped, *proof.hashes[1:])).encode(), leaf),
        ("hash lost", replace(proof, hashes=proof.hashes[1:]).encode(), leaf),
        ("hash added", replace(proof, hashes=(*proof.hashes, flipped)).encode(), leaf),
        ("index", replace(proof, index=proof.index ^ 1).encode(), leaf),
        ("size", replace(proof, checkpoint=checkpoint).encode(), leaf),
        ("trailing newline", proof.encode() + b"\n", leaf),
        ("cut", proof.encode()[:-5], leaf),
    ]


def test_a_hundred_random_proofs_are_accepted_and_each_altered_one_refused_by_both() -> None:
    dice, judged = random.Random("a hundred proofs"), 0
    for _ in range(100):
        case = exhibit(dice)
        assert theirs(case.proof.encode(), case.leaf)
        assert ours(case.proof.encode(), case.leaf, PLAIN)
        for what, data, leaf in alterations(case):
            assert not theirs(data, leaf), what
            assert not ours(data, leaf, PLAIN), what
            judged += 1
    assert judged == 800


def test_a_quorum_of_an_ed25519_and_an_mldsa_witness_is_accepted_by_both() -> None:
    dice = random.Random("a quorum")
    for _ in range(5):
        case = exhibit(dice, cosigners=COSIGNERS)
        data = case.proof.encode()
        assert theirs(data, case.leaf, witnesses=COSIGNERS)
        assert ours(data, case.leaf, QUORUM)
        for cosigners in ((), COSIGNERS[:1], COSIGNERS[1:]):
            fewer = exhibit(dice, cosigners=cosigners)
            assert not theirs(fewer.proof.encode(), fewer.leaf, witnesses=COSIGNERS)
            assert not ours(fewer.proof.encode(), fewer.leaf, QUORUM)


def test_their_command_accepts_our_file_and_refuses_an_altered_leaf(tmp_path: Path) -> None:
    case = exhibit(random.Random("one file"))
    proof, leaf = tmp_path / "record.tlog-proof", tmp_path / "record.leaf"
    proof.write_bytes(case.proof.encode())
    verdicts = []
    for content in (case.leaf, case.leaf + b"\0"):
        leaf.write_bytes(content)
        command = [sys.executable, "-m", "proofbundle.cli", "verify-proof", str(proof)]
        command += ["--payload-file", str(leaf), "--log-vkey", LOG.verifier().vkey()]
        command += ["--expected-origin", ORIGIN]
        verdicts.append(subprocess.run(command, capture_output=True, check=False).returncode)
    assert verdicts[0] == 0
    assert verdicts[1] not in (0, 2), "refused, and not for a wrong call"
