"""Checkpoints and cosignatures."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import CannotJudge, FormatError, TamperingFound, UsageError
from logstore.formats import merkle
from logstore.formats.checkpoint import (
    Checkpoint,
    open_checkpoint,
    parse_checkpoint_text,
    peek_checkpoint,
    sign_checkpoint,
)
from logstore.formats.cosignature import (
    Cosigner,
    Ed25519Cosigner,
    MldsaCosigner,
    MldsaLogSigner,
    cosignature_time,
    verify_cosignature,
)
from logstore.formats.note import (
    NoteSignature,
    Signer,
    add_signature,
    open_note,
    parse_note,
    parse_vkey,
)

LOG = Signer("example.com/log", bytes(range(32)))
CHECKPOINT = Checkpoint("example.com/log", 7, bytes(range(32)))
COSIGNERS: list[Cosigner] = [
    Ed25519Cosigner("w.example/1", b"\1" * 32),
    MldsaCosigner("w.example/2", b"\2" * 32),
]

plain = st.characters(min_codepoint=0x20, exclude_categories=["Cs"])
line = st.text(plain, min_size=1, max_size=60)


@given(
    origin=line,
    size=st.integers(1, merkle.MAX_SIZE),
    root=st.binary(min_size=32, max_size=32),
    extensions=st.lists(line, max_size=4),
)
def test_every_checkpoint_comes_back_from_its_text(
    origin: str, size: int, root: bytes, extensions: list[str]
) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert parse_checkpoint_text(checkpoint.text()) == checkpoint


def test_the_golden_checkpoint_of_the_go_tools_has_our_spelling(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/golang_sumdb.json").read_text())["tree_note"]
    checkpoint = parse_checkpoint_text(vectors["golden"])
    assert checkpoint.root == merkle.leaf_hash(vectors["record"].encode())
    assert (
        Checkpoint("go.sum database tree", vectors["n"], checkpoint.root).text()
        == (vectors["golden"])
    )


def test_foreign_malformed_checkpoints_are_all_refused(shared_data: Path) -> None:
    path = shared_data / "vectors/transparency_dev_formats.json"
    vectors: dict[str, Any] = json.loads(path.read_text())
    for text in vectors["checkpoint_bad"]:
        with pytest.raises(FormatError):
            parse_checkpoint_text(text)
    assert len(vectors["checkpoint_bad"]) == 7
    # That library lets a root hash have any length; ours is always SHA-256.
    for origin, size, root, text in vectors["checkpoint_good_marshal"]:
        with pytest.raises(FormatError, match="not 32"):
            Checkpoint(origin, size, base64.b64decode(root))
        with pytest.raises(FormatError, match="not 32"):
            parse_checkpoint_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n7\n",
        CHECKPOINT.text()[:-1],
        CHECKPOINT.text() + "\n",
        CHECKPOINT.text() + "x",
        CHECKPOINT.text() + "x\n" * 101,
        CHECKPOINT.text() + "\t\n",
        CHECKPOINT.text().replace("\n7\n", "\n07\n"),
        CHECKPOINT.text().replace("\n7\n", "\n+7\n"),
        CHECKPOINT.text().replace("\n7\n", "\n٧\n"),
        CHECKPOINT.text().replace("\n7\n", "\n9223372036854775808\n"),
        CHECKPOINT.text().replace("\n7\n", "\n0\n"),
        CHECKPOINT.text().replace("8=\n", "9=\n"),
        CHECKPOINT.text().replace("8=\n", "8\n"),
        "x" * 256 + "\n" + CHECKPOINT.text().split("\n", 1)[1],
    ],
)
def test_a_checkpoint_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_checkpoint_text(text)


def test_the_empty_log_has_one_root_only() -> None:
    empty = Checkpoint("log", 0, merkle.EMPTY_ROOT)
    assert parse_checkpoint_text(empty.text()) == empty
    with pytest.raises(FormatError, match="empty log"):
        Checkpoint("log", 0, bytes(32))
    for size in (-1, 2**63):
        with pytest.raises(FormatError, match="out of range"):
            Checkpoint("log", size, bytes(32))


def test_a_checkpoint_opens_with_the_key_of_its_origin_and_no_other() -> None:
    signed = sign_checkpoint(CHECKPOINT, LOG)
    assert open_checkpoint(signed, [LOG.verifier()]) == CHECKPOINT
    assert peek_checkpoint(signed) == CHECKPOINT
    with pytest.raises(CannotJudge):
        open_checkpoint(signed, [Signer("example.com/log", b"\x09" * 32).verifier()])
    with pytest.raises(FormatError, match="origin as its name"):
        sign_checkpoint(CHECKPOINT, Signer("another", bytes(32)))
    with pytest.raises(UsageError):
        sign_checkpoint(CHECKPOINT)
    altered = signed.replace(b"\n7\n", b"\n8\n")
    with pytest.raises(TamperingFound):
        open_checkpoint(altered, [LOG.verifier()])


def test_a_witness_alone_does_not_make_a_checkpoint_the_logs_own() -> None:
    witness = COSIGNERS[0]
    signed = sign_checkpoint(CHECKPOINT, LOG)
    cosigned = add_signature(signed, witness.cosign(CHECKPOINT.text(), 1_700_000_000))
    with pytest.raises(CannotJudge, match="no trusted key of the log"):
        open_checkpoint(cosigned, [witness.verifier()])
    both = [LOG.verifier(), witness.verifier()]
    assert open_checkpoint(cosigned, both) == CHECKPOINT


@pytest.mark.parametrize("cosigner", COSIGNERS, ids=["ed25519", "mldsa44"])
def test_a_cosignature_tells_its_time_and_fails_for_any_other_text_or_time(
    cosigner: Cosigner,
) -> None:
    text, verifier = CHECKPOINT.text(), cosigner.verifier()
    made = cosigner.cosign(text, 1_763_850_000)
    assert verify_cosignature(verifier, text, made) == 1_763_850_000
    assert parse_vkey(verifier.vkey()) == verifier
    later = NoteSignature(
        made.name, made.key_id, (1_763_850_001).to_bytes(8, "big") + made.signature[8:]
    )
    for other_text, other in (
        (text.replace("\n7\n", "\n8\n"), made),
        (text.replace(".com", ".org"), made),
        (text, later),
        (text, NoteSignature(made.name, made.key_id, made.signature[:-1])),
    ):
        with pytest.raises(TamperingFound):
            verify_cosignature(verifier, other_text, other)
    with pytest.raises(FormatError, match="signature line is not"):
        verify_cosignature(verifier, text, NoteSignature("x", made.key_id, made.signature))
    with pytest.raises(FormatError):
        verify_cosignature(verifier, "no checkpoint\n", made)


@pytest.mark.parametrize("cosigner", COSIGNERS, ids=["ed25519", "mldsa44"])
def test_cosigners_refuse_what_they_cannot_vouch_for(cosigner: Cosigner) -> None:
    with pytest.raises(FormatError):
        cosigner.cosign("no checkpoint\n", 1)
    for moment in (0, -1, 2**63):
        with pytest.raises(FormatError):
            cosigner.cosign(CHECKPOINT.text(), moment)
    with pytest.raises(FormatError, match="32 bytes"):
        type(cosigner)("x", bytes(31))  # type: ignore[call-arg]


def test_ed25519_cosignatures_cover_extension_lines_and_mldsa_ones_do_not() -> None:
    longer = Checkpoint(CHECKPOINT.origin, CHECKPOINT.size, CHECKPOINT.root, ("more",)).text()
    ed25519, mldsa = (each.cosign(longer, 5) for each in COSIGNERS)
    with pytest.raises(TamperingFound):
        verify_cosignature(COSIGNERS[0].verifier(), CHECKPOINT.text(), ed25519)
    assert verify_cosignature(COSIGNERS[1].verifier(), CHECKPOINT.text(), mldsa) == 5


def test_an_mldsa_cosigner_name_must_fit_its_length_byte() -> None:
    cosigner = MldsaCosigner("w" * 256, bytes(32))
    with pytest.raises(FormatError, match="255"):
        cosigner.cosign(CHECKPOINT.text(), 1)


def test_a_log_may_add_a_second_signature_against_quantum_computers() -> None:
    second = MldsaLogSigner(MldsaCosigner(LOG.verifier().name, b"\3" * 32), 1_763_850_000)
    signed = sign_checkpoint(CHECKPOINT, LOG, second)
    for keys in ([LOG.verifier()], [second.verifier()], [LOG.verifier(), second.verifier()]):
        assert open_checkpoint(signed, keys) == CHECKPOINT


def test_cosignatures_of_foreign_witnesses_and_mirrors_verify(shared_data: Path) -> None:
    path = shared_data / "vectors/sunlight_skylight_cosignatures.json"
    vectors: dict[str, Any] = json.loads(path.read_text())
    checked = 0
    for who in ("witness", "mirror", "witness2"):
        data = vectors[f"{who}_checkpoint"].encode()
        for vkey in vectors[f"{who}_vkeys"]:
            verifier = parse_vkey(vkey)
            note = open_note(data, [verifier])
            assert verify_cosignature(verifier, note.text, note.signatures[0]) > 1_760_000_000
            altered = data.replace(b"\n300\n", b"\n301\n")
            with pytest.raises(TamperingFound):
                open_note(altered, [verifier])
            checked += 1
    assert checked == 3


def test_the_time_of_a_foreign_cosignature_is_read_as_its_authors_read_it(
    shared_data: Path,
) -> None:
    path = shared_data / "vectors/transparency_dev_formats.json"
    vector = json.loads(path.read_text())["cosig_timestamp"]
    blob = base64.b64decode(vector["sig"])
    signature = NoteSignature("x", blob[:4], blob[4:])
    assert cosignature_time(signature) == vector["unix"]
    with pytest.raises(FormatError):
        cosignature_time(NoteSignature("x", blob[:4], b"\xff" * 72))
    with pytest.raises(FormatError):
        cosignature_time(NoteSignature("x", blob[:4], bytes(8)))


def test_checkpoints_of_a_foreign_witness_test_open_and_are_consistent(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/transparency_dev_witness.json").read_text())
    log, other = parse_vkey(vectors["log_vkey"]), parse_vkey(vectors["other_vkey"])
    older, newer = (open_checkpoint(vectors[k].encode(), [log]) for k in ("init", "next"))
    proof = [bytes.fromhex(step) for step in vectors["consistency_5_8_hex"]]
    merkle.verify_consistency(older.size, newer.size, proof, older.root, newer.root)
    with pytest.raises(CannotJudge):
        open_checkpoint(vectors["init"].encode(), [other])
    seed = base64.b64decode(vectors["log_skey"].split("+", 4)[4])[1:]
    assert sign_checkpoint(newer, Signer("monkeys", seed)) == vectors["next"].encode()
    witness = base64.b64decode(vectors["witness_skey"].split("+", 4)[4])[1:]
    assert Signer("witness", witness).verifier().vkey() == vectors["witness_vkey"]


def test_a_plain_log_key_is_no_cosigner() -> None:
    signed = parse_note(sign_checkpoint(CHECKPOINT, LOG))
    with pytest.raises(FormatError, match="not a cosigner"):
        verify_cosignature(LOG.verifier(), signed.text, signed.signatures[0])
