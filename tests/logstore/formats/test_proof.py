"""Offline proofs: one file that shows a stranger that a record is in the log."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import AirconError, CannotJudge, FormatError, TamperingFound
from logstore.formats import merkle
from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.formats.note import Signer
from logstore.formats.policy import Policy
from logstore.formats.proof import MAX_FILE, TlogProof, check_tlog_proof, parse_tlog_proof

LOG = Signer("example.com/log", bytes(range(32)))
POLICY = Policy((LOG.verifier(),))


def prove(size: int, index: int, extra: bytes | None = None) -> tuple[TlogProof, bytes]:
    hashes = [merkle.leaf_hash(b"%d" % number) for number in range(size)]
    checkpoint = sign_checkpoint(Checkpoint("example.com/log", size, merkle.root(hashes)), LOG)
    path = tuple(merkle.inclusion_proof(hashes, index))
    return TlogProof(index, path, checkpoint, extra), hashes[index]


@given(size=st.integers(1, 80), extra=st.none() | st.binary(min_size=1), data=st.data())
def test_a_proof_file_comes_back_and_holds_for_its_record_only(
    size: int, extra: bytes | None, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, leaf = prove(size, index, extra)
    read = parse_tlog_proof(proof.encode())
    assert read == proof
    assert check_tlog_proof(read, leaf, POLICY).size == size
    with pytest.raises(FormatError, match="another root"):
        check_tlog_proof(read, merkle.leaf_hash(b"other"), POLICY)


@given(at=st.integers(0), bit=st.integers(0, 7))
def test_no_flipped_bit_in_a_proof_file_passes(at: int, bit: int) -> None:
    proof, leaf = prove(21, 13)
    data = bytearray(proof.encode())
    data[at % len(data)] ^= 1 << bit
    with pytest.raises(AirconError):
        check_tlog_proof(parse_tlog_proof(bytes(data)), leaf, POLICY)


def test_every_flipped_bit_of_one_proof_file_is_caught() -> None:
    proof, leaf = prove(3, 1)
    good, tried = proof.encode(), 0
    for at in range(len(good)):
        for bit in range(8):
            data = bytearray(good)
            data[at] ^= 1 << bit
            with pytest.raises((FormatError, TamperingFound, CannotJudge)):
                check_tlog_proof(parse_tlog_proof(bytes(data)), leaf, POLICY)
            tried += 1
    assert tried == len(good) * 8


def test_foreign_malformed_proofs_are_refused_for_the_fault_they_were_made_for(
    shared_data: Path,
) -> None:
    path = shared_data / "vectors/transparency_dev_formats.json"
    cases = json.loads(path.read_text())["tlog_proof_bad"]
    proof, _ = prove(1, 0)
    parse_tlog_proof(proof.encode())
    for text in cases:
        with pytest.raises(FormatError):
            parse_tlog_proof(text.encode())
        # Their stand-in checkpoint would be refused anyway; with a real one only the fault is left.
        real = text.replace("checkpoint\n", "").encode() + proof.checkpoint
        with pytest.raises(FormatError):
            parse_tlog_proof(real)
    assert len(cases) == 7


def test_a_proof_in_any_other_spelling_is_refused() -> None:
    proof, _ = prove(5, 2, b"leaf")
    good = proof.encode()
    line = base64.b64encode(proof.hashes[0])
    bad = [
        good.replace(b"index 2", b"index 02"),
        good.replace(b"index 2", b"index  2"),
        good.replace(b"index 2", b"index 9223372036854775808"),
        good.replace(b"index 2\n", b""),
        good.replace(b"extra bGVhZg==", b"extra "),
        good.replace(b"extra bGVhZg==", b"extra bGVhZh=="),
        good.replace(b"extra bGVhZg==", b"extra bGVhZg==\nextra bGVhZg=="),
        good.replace(b"\n\n", b"\n", 1),
        good.replace(b"@v1", b"@v2"),
        good.replace(line, line + b" "),
        good.replace(line, (line + b"\n") * 61 + line),
        good.replace(line, base64.b64encode(bytes(31))),
        good + b"\n",
        good[:-1],
        b"\xef\xbb\xbf" + good,
        good.replace(b"\n", b"\r\n"),
        b"x" * (MAX_FILE + 1),
    ]
    for data in bad:
        with pytest.raises(FormatError):
            parse_tlog_proof(data)
    assert len(set(bad)) == 17
    assert good not in bad


def test_values_that_have_no_place_in_a_proof_are_refused() -> None:
    proof, _ = prove(2, 0)
    for index in (-1, 2**63):
        with pytest.raises(FormatError, match="out of range"):
            TlogProof(index, (), proof.checkpoint)
    for hashes in ((b"short",), (bytes(32),) * 64):
        with pytest.raises(FormatError, match="63 hashes"):
            TlogProof(0, hashes, proof.checkpoint)
    with pytest.raises(FormatError, match="leaves the line out"):
        TlogProof(0, (), proof.checkpoint, b"")
    with pytest.raises(FormatError):
        TlogProof(0, (), b"checkpoint\n")
    with pytest.raises(FormatError, match="allows"):
        TlogProof(0, (), proof.checkpoint, bytes(MAX_FILE)).encode()


def test_a_proof_of_an_unlisted_log_cannot_be_judged() -> None:
    proof, leaf = prove(4, 3)
    with pytest.raises(CannotJudge):
        check_tlog_proof(proof, leaf, Policy((Signer("another", bytes(32)).verifier(),)))
