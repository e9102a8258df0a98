"""A stranger checks a proof with two files and no store, and sees every alteration."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest
from support.commands import Aircon

from console.__main__ import main


@pytest.fixture
def proof(aircon: Aircon, made_store: Path, tmp_path: Path) -> tuple[Path, Path, list[str]]:
    """The proof of maria's first record, its disclosed content, and whom to trust."""
    index = str(aircon("search", "refund policy", "--json").objects[0]["index"])
    files = tmp_path / "r.tlog-proof", tmp_path / "r.content"
    words = ["prove", index, "-o", str(files[0]), "--disclose", str(files[1]), "--reason", "court"]
    made = aircon(*words, "--json")
    assert made.code == 0
    assert "can read the content" in made.err
    return *files, ["--policy", str(made_store.with_name("evidence.policy"))]


def test_a_proof_is_checked_without_the_store(
    aircon: Aircon, proof: tuple[Path, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, content, trust = proof
    monkeypatch.setenv("AIRCON_STORE", "/nowhere")
    told = aircon("check", str(file), *trust, "--json")
    assert told.code == 0
    assert told.objects[0]["verdict"] == "proven"
    assert told.objects[0]["content"] is None
    assert told.objects[0]["record"]["kind"] == "interaction"  # type: ignore[index]
    disclosed = aircon("check", str(file), *trust, "--disclosure", str(content), "--json")
    raw = base64.b64decode(disclosed.objects[0]["content"]["raw"])  # type: ignore[index]
    assert b"refund policy?" in raw
    assert aircon("check", str(file), *trust).out.startswith("PROVEN\n")


def test_the_proof_alone_tells_no_content(proof: tuple[Path, Path, list[str]]) -> None:
    assert b"refund" not in proof[0].read_bytes()
    assert b"maria" not in proof[0].read_bytes()


def test_a_verifier_key_is_as_good_as_a_policy(
    aircon: Aircon, made_store: Path, proof: tuple[Path, Path, list[str]]
) -> None:
    policy = made_store.with_name("evidence.policy").read_text().split()
    assert aircon("check", str(proof[0]), "--vkey", policy[policy.index("log") + 1]).code == 0


def test_any_changed_byte_of_a_proof_is_seen(
    aircon: Aircon, proof: tuple[Path, Path, list[str]]
) -> None:
    file, content, trust = proof
    whole = file.read_bytes()
    dice = random.Random(7)
    for at in dice.sample(range(len(whole)), 60):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert aircon("check", str(file), *trust).code in (1, 2), f"byte {at}"
    file.write_bytes(whole)
    other = content.read_bytes()
    for at in dice.sample(range(len(other)), 20):
        content.write_bytes(other[:at] + bytes([other[at] ^ 1]) + other[at + 1 :])
        assert aircon("check", str(file), *trust, "--disclosure", str(content)).code == 1


def test_a_stranger_to_the_policy_cannot_be_judged(
    aircon: Aircon, proof: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    assert main(["init", str(tmp_path / "other"), "--insecure-no-passphrase"]) == 0
    answer = aircon("check", str(proof[0]), "--policy", str(tmp_path / "other.policy"))
    assert answer.code == 2
    assert "CANNOT JUDGE" in answer.out


def test_whom_to_trust_must_be_said(aircon: Aircon, proof: tuple[Path, Path, list[str]]) -> None:
    assert aircon("check", str(proof[0])).code == 3
    assert aircon("check", str(proof[0]), *proof[2], "--vkey", "x").code == 3
    assert aircon("check", "/nowhere", *proof[2]).code == 3
    assert aircon("check", str(proof[0]), "--vkey", "not a key").code == 3


def test_proving_needs_no_key_but_disclosing_does_and_is_recorded(
    aircon: Aircon, made_store: Path, proof: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    gone = ["--keys", str(tmp_path / "gone")]
    assert aircon("prove", "0", "-o", str(tmp_path / "a"), *gone).code == 0
    assert aircon("prove", "0", "-o", str(tmp_path / "a"), *gone).code == 3  # never overwrites
    refused = aircon("prove", "0", "-o", str(tmp_path / "b"), "--disclose", "c", *gone)
    assert refused.code == 3
    said = aircon("sql", "SELECT note FROM events WHERE kind = 'access.export'", "--json")
    assert any("court" in str(row["note"]) for row in said.objects)
