"""A verifier that others wrote accepts what we prove of a real store, and nothing else."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from support.stores import ORIGIN, TestStore, chat

from logstore.formats.policy import Policy
from logstore.storage.reader import LogReader
from logstore.verify.proving import check, leaf_of, prove

tlogproof = pytest.importorskip("proofbundle.tlogproof")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LogReader:
    """Three sealed segments and an unsealed tail."""
    store = TestStore(tmp_path_factory.mktemp("store"))
    with store.create() as log:
        for portion in (900, 1300, 250, 40):
            list(log.append_many(chat(f"问 {n} é", f"user-{n % 11}") for n in range(portion)))
            if portion != 40:
                log.seal()
    return store.reader()


def theirs(proof: bytes, leaf: bytes, policy: Policy) -> bool:
    verdict = tlogproof.verify_tlog_proof(
        proof.decode("utf-8", "replace"),
        leaf,
        policy.log_for(ORIGIN).vkey(),
        expected_origin=ORIGIN,
    )
    return verdict["ok"] is True


def places(reader: LogReader, count: int) -> list[int]:
    draw = random.Random(2026)
    unsealed = draw.sample(range(reader.sealed, reader.size), count // 5)
    return unsealed + draw.sample(range(reader.sealed), count - len(unsealed))


def test_it_accepts_a_hundred_random_proofs(reader: LogReader) -> None:
    chosen = places(reader, 100)
    assert len({pin.first for index in chosen for pin in reader.pins_in(index, index + 1)}) == 3
    assert any(index >= reader.sealed for index in chosen)
    for index in chosen:
        proof = prove(reader, index)
        assert theirs(proof, leaf_of(proof), reader.policy), index
        assert check(proof, reader.policy).exit_code == 0


def test_it_rejects_each_of_them_altered(reader: LogReader) -> None:
    draw = random.Random(7)
    for index in places(reader, 100):
        proof = prove(reader, index)
        leaf = leaf_of(proof)
        at = draw.randrange(len(leaf))
        changed = leaf[:at] + bytes([leaf[at] ^ 1]) + leaf[at + 1 :]
        assert not theirs(proof, changed, reader.policy)
        number = b"\nindex %d\n" % index
        moved = proof.replace(number, b"\nindex %d\n" % (index ^ 1))
        head, _, checkpoint = proof.partition(b"\n\n")
        lines = head.split(b"\n")
        short = b"\n".join(lines[:-1]) + b"\n\n" + checkpoint
        swapped = b"\n".join([*lines[:-2], lines[-1], lines[-2]]) + b"\n\n" + checkpoint
        size = b"\n%d\n" % reader.size
        larger = proof.replace(size, b"\n%d\n" % (reader.size + 1))
        unsigned = proof[: proof.rindex(b"\n\n") + 2]
        for altered in (moved, short, swapped, larger, unsigned):
            assert altered != proof
            assert not theirs(altered, leaf, reader.policy)
            assert check(altered, reader.policy).exit_code != 0


def test_its_command_line_takes_our_files_as_they_are(reader: LogReader, tmp_path: Path) -> None:
    proof = prove(reader, reader.size // 2)
    (tmp_path / "record.tlog-proof").write_bytes(proof)
    (tmp_path / "record.leaf").write_bytes(leaf_of(proof))
    program = Path(sys.executable).with_name("proofbundle")
    if not program.exists():
        pytest.skip("its command line is not installed")
    command = [
        program, "verify-proof", "--payload-file", tmp_path / "record.leaf",
        "--log-vkey", reader.policy.log_for(ORIGIN).vkey(), "--expected-origin", ORIGIN,
        tmp_path / "record.tlog-proof",
    ]  # fmt: skip
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    (tmp_path / "record.leaf").write_bytes(leaf_of(proof) + b" ")
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0
