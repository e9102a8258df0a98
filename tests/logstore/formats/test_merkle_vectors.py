"""Foreign proof vectors: 98 inclusion and 98 consistency cases of transparency-dev/merkle."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from logstore.errors import FormatError
from logstore.formats import merkle
from logstore.formats.checkpoint import peek_checkpoint

Case = dict[str, Any]


def load(shared_data: Path, kind: str) -> list[Case]:
    folder = shared_data / "vectors/transparency-dev-merkle/testdata" / kind
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]


def accepted(check: Callable[[], None]) -> bool:
    try:
        check()
    except FormatError:
        return False
    return True


def unbase(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def proof_of(case: Case) -> list[bytes]:
    return [unbase(step) for step in case["proof"] or []]


def test_all_98_foreign_inclusion_proofs_get_the_verdict_their_authors_expect(
    shared_data: Path,
) -> None:
    cases = load(shared_data, "inclusion")
    for case in cases:
        verdict = accepted(
            partial(
                merkle.verify_inclusion,
                case["leafIdx"],
                case["treeSize"],
                unbase(case["leafHash"]),
                proof_of(case),
                unbase(case["root"]),
            )
        )
        assert verdict is not case["wantErr"], case
    assert len(cases) == 98
    assert sum(not case["wantErr"] for case in cases) == 6


def test_all_98_foreign_consistency_proofs_get_the_verdict_their_authors_expect(
    shared_data: Path,
) -> None:
    cases = load(shared_data, "consistency")
    for case in cases:
        verdict = accepted(
            partial(
                merkle.verify_consistency,
                case["size1"],
                case["size2"],
                proof_of(case),
                unbase(case["root1"]),
                unbase(case["root2"]),
            )
        )
        assert verdict is not case["wantErr"], case
    assert len(cases) == 98
    assert sum(not case["wantErr"] for case in cases) == 6
    assert all(case["wantErr"] for case in cases if case["size1"] == 0)
    assert sum(case["size1"] == 0 for case in cases) == 9


def test_a_foreign_consistency_proof_from_five_to_eight_records_holds(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/transparency_dev_witness.json").read_text())
    five, eight = (peek_checkpoint(vectors[name].encode()) for name in ("init", "next"))
    proof = [bytes.fromhex(step) for step in vectors["consistency_5_8_hex"]]
    assert (five.size, eight.size, len(proof)) == (5, 8, 4)
    merkle.verify_consistency(five.size, eight.size, proof, five.root, eight.root)
    assert not accepted(lambda: merkle.verify_consistency(5, 8, [], five.root, eight.root))
    assert not accepted(lambda: merkle.verify_consistency(8, 5, proof, eight.root, five.root))
    assert not accepted(lambda: merkle.verify_consistency(5, 5, proof, five.root, five.root))
