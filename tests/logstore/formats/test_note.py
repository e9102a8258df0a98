"""Signed notes: what others signed, what we sign, and what must never pass."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import CannotJudge, FormatError, TamperingFound, UsageError
from logstore.formats.checkpoint import open_checkpoint, peek_checkpoint
from logstore.formats.note import (
    MAX_NOTE,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    Signer,
    Verifier,
    add_signature,
    check_name,
    open_note,
    parse_note,
    parse_vkey,
    sign_note,
)

SIGNER = Signer("example.com/log", bytes(range(32)))
OTHER = Signer("example.com/other", bytes(32))

lines = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), max_size=30)
texts = st.lists(lines, max_size=5).map(lambda some: "".join(line + "\n" for line in [*some, "x"]))
names = st.text(
    st.characters(min_codepoint=0x21, exclude_characters="+", exclude_categories=["Cs", "Z"]),
    min_size=1,
    max_size=40,
).filter(lambda name: not any(char.isspace() for char in name))


@pytest.fixture(scope="module")
def sumdb(shared_data: Path) -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads((shared_data / "vectors/golang_sumdb.json").read_text())
    return vectors


@pytest.fixture(scope="module")
def formats(shared_data: Path) -> dict[str, Any]:
    path = shared_data / "vectors/transparency_dev_formats.json"
    vectors: dict[str, Any] = json.loads(path.read_text())
    return vectors


def test_notes_signed_by_the_go_checksum_tools_open_with_their_keys(sumdb: dict[str, Any]) -> None:
    neumann = parse_vkey(sumdb["keys"]["PeterNeumann"]["vkey"])
    root = parse_vkey(sumdb["keys"]["EnochRoot"]["vkey"])
    both = f"{sumdb['text']}\n{sumdb['sigs']['PeterNeumann']}{sumdb['sigs']['EnochRoot']}".encode()
    assert len(open_note(both, [neumann, root]).signatures) == 2
    assert [each.name for each in open_note(both, [root]).signatures] == ["EnochRoot"]
    assert open_note(both, [neumann]).text == sumdb["text"]
    assert parse_note(both).encode() == both
    with pytest.raises(CannotJudge):
        open_note(both, [])


def test_our_signatures_are_byte_for_byte_those_of_the_go_checksum_tools(
    sumdb: dict[str, Any],
) -> None:
    neumann, root = sumdb["keys"]["PeterNeumann"], sumdb["keys"]["EnochRoot"]
    seeds = {
        "PeterNeumann": base64.b64decode(neumann["skey"].split("+", 4)[4])[1:],
        "EnochRoot": bytes.fromhex(root["seed_hex"]),
    }
    for name, seed in seeds.items():
        signer = Signer(name, seed)
        assert signer.verifier().vkey() == sumdb["keys"][name]["vkey"]
        signed = sign_note(sumdb["text"], signer).decode()
        assert signed == f"{sumdb['text']}\n{sumdb['sigs'][name]}"


def test_the_go_checksum_database_checkpoint_opens_with_its_real_key(sumdb: dict[str, Any]) -> None:
    real = sumdb["sumdb_checkpoint"]
    note = open_note(real["note"].encode(), [parse_vkey(real["vkey"])])
    checkpoint = peek_checkpoint(real["note"].encode())
    assert (checkpoint.origin, checkpoint.size) == ("go.sum database tree", 35225469)
    assert note.text == checkpoint.text()
    # Its key name is not its origin; by our rule that key does not speak for this origin.
    with pytest.raises(CannotJudge, match="no trusted key of the log"):
        open_checkpoint(real["note"].encode(), [parse_vkey(real["vkey"])])


def test_the_example_of_the_specification_opens(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/c2sp_examples.json").read_text())["signed_note"]
    verifier = parse_vkey(vectors["vkey"])
    assert verifier.vkey() == vectors["vkey"]
    assert open_note(vectors["note"].encode(), [verifier]).text == "This is an example message.\n"


def test_no_piece_of_a_key_and_no_key_with_a_byte_raised_is_a_key(sumdb: dict[str, Any]) -> None:
    vkey = sumdb["keys"]["PeterNeumann"]["vkey"]
    bad = {vkey[a:b] for a in range(len(vkey)) for b in range(a, len(vkey) + 1)} - {vkey}
    bad |= {vkey[:at] + chr(ord(vkey[at]) + 1) + vkey[at + 1 :] for at in range(len(vkey))}
    bad |= set(sumdb["bad_vkeys"])
    for text in bad:
        with pytest.raises(FormatError):
            parse_vkey(text)
    assert len(bad) == 2257


def test_the_malformed_notes_of_the_go_tools_are_all_refused(sumdb: dict[str, Any]) -> None:
    text, signature = sumdb["text"], sumdb["sigs"]["PeterNeumann"]
    good = f"{text}\n{signature}".encode()
    parse_note(good)
    malformed = [
        text.encode(),
        f"{text}\n".encode(),
        good[:-1],
        b"\x01" + good,
        b"\xff" + good,
        good.replace("— PeterNeumann".encode(), "— Peter Neumann".encode()),
        good + b"not a signature\n",
        f"{text}\n{signature * 101}".encode(),
        good.replace(b"\n", b"\r\n"),
        b"",
        b"\n\n",
        f"{text}\n\u2014 PeterNeumann AAAA\n".encode(),
        f"{text}\n\u2014 PeterNeumann {signature.split()[2]} \n".encode(),
        good + "\u2014 PeterNeumann\n".encode(),
        good[:-3] + b"B=\n",
        b"x" * (MAX_NOTE + 1),
    ]
    for data in malformed:
        with pytest.raises(FormatError):
            parse_note(data)
    assert len(malformed) == 16
    assert len(parse_note(f"{text}\n{signature * MAX_SIGNATURES}".encode()).signatures) == 100


def test_a_published_key_with_a_wrong_key_id_is_refused(formats: dict[str, Any]) -> None:
    wrong = formats["cosig_vkey_mldsa44_do_not_use"]["vkey"]
    with pytest.raises(FormatError, match="key id"):
        parse_vkey(wrong)
    name, _, material = wrong.split("+", 2)
    verifier = parse_vkey(f"{name}+31236897+{material}")
    assert (verifier.type, len(verifier.public_key)) == (0x06, 1312)


def test_published_cosigner_keys_are_read_and_written_alike(formats: dict[str, Any]) -> None:
    keys = [parse_vkey(vkey) for vkey in formats["cosig_vkeys_good"]]
    assert [key.vkey() for key in keys] == formats["cosig_vkeys_good"]
    assert [key.type for key in keys] == [0x01, 0x04]


@given(text=texts)
def test_what_we_sign_opens_and_no_other_text_does(text: str) -> None:
    signed = sign_note(text, SIGNER, OTHER)
    note = open_note(signed, [SIGNER.verifier()])
    assert (note.text, len(note.signatures)) == (text, 1)
    assert parse_note(signed).encode() == signed
    altered = Note("x" + text, parse_note(signed).signatures).encode()
    with pytest.raises(TamperingFound, match="signature of"):
        open_note(altered, [SIGNER.verifier()])


@given(bit=st.integers(0, 8 * 63))
def test_a_known_key_with_one_bad_signature_condemns_the_whole_note(bit: int) -> None:
    signed = parse_note(sign_note("hello\n", SIGNER, OTHER))
    good, other = signed.signatures
    blob = bytearray(other.signature)
    blob[bit // 8] ^= 1 << bit % 8
    bad = NoteSignature(other.name, other.key_id, bytes(blob))
    data = Note("hello\n", (good, bad)).encode()
    with pytest.raises(TamperingFound):
        open_note(data, [SIGNER.verifier(), OTHER.verifier()])
    assert open_note(data, [SIGNER.verifier()]).signatures == (good,)
    twice = Note("hello\n", (other, bad)).encode()
    with pytest.raises(TamperingFound):
        open_note(twice, [OTHER.verifier()])


@given(name=names, seed=st.binary(min_size=32, max_size=32))
def test_any_key_comes_back_from_its_text(name: str, seed: bytes) -> None:
    verifier = Signer(name, seed).verifier()
    assert parse_vkey(verifier.vkey()) == verifier


def test_a_key_of_the_same_name_but_another_id_is_ignored_not_condemned() -> None:
    impostor = Signer("example.com/log", bytes([7]) * 32)
    signed = sign_note("hello\n", impostor)
    with pytest.raises(CannotJudge, match="no key you trust"):
        open_note(signed, [SIGNER.verifier()])


def test_signatures_of_wrong_length_and_foreign_kind_never_verify() -> None:
    verifier = SIGNER.verifier()
    for blob in (b"", bytes(63), bytes(65), bytes(72), bytes(2428)):
        assert not verifier.verify(b"hello\n", blob)
    cosigner = Verifier.of("w", 0x04, verifier.public_key)
    quantum = Verifier.of("w", 0x06, bytes(1312))
    assert not cosigner.verify(b"hello\n", b"\xff" * 72)
    assert not cosigner.verify(b"hello\n", bytes(72))
    assert not quantum.verify(b"no checkpoint\n", bytes(2428))
    assert not quantum.verify(b"log\n1\n" + base64.b64encode(bytes(32)) + b"\n", bytes(2428))
    assert not quantum.verify(b"\xff", bytes(2428))


def test_what_cannot_be_signed_is_refused_with_a_reason() -> None:
    with pytest.raises(UsageError, match="at least one signer"):
        sign_note("hello\n")
    with pytest.raises(FormatError, match="ends with a newline"):
        sign_note("hello", SIGNER)
    for text in ("tab\there\n", "nul\0\n", "half \ud800 pair\n", "cr\r\n"):
        with pytest.raises(FormatError, match="control characters"):
            sign_note(text, SIGNER)
    for name in ("", "a b", "a+b", "a\u00a0b", "a\u2028b", "a\n", "\ud800"):
        with pytest.raises(FormatError, match="key name"):
            check_name(name)
    with pytest.raises(FormatError, match="32 bytes"):
        Signer("short", bytes(31))


def test_keys_that_do_not_hold_together_are_refused() -> None:
    good = SIGNER.verifier()
    with pytest.raises(FormatError, match="key id"):
        Verifier(good.name, b"\0\0\0\0", good.type, good.public_key)
    with pytest.raises(FormatError, match="length"):
        Verifier(good.name, good.key_id, good.type, good.public_key + b"\0")
    for scheme in (0x00, 0x02, 0x05, 0xFF):
        with pytest.raises(FormatError, match="signature type"):
            Verifier.of("x", scheme, bytes(32))
    for text in ("", "a", "a+b", "a++", "a+00000000+", "a+00000000+é", "x" * 9000 + "+1+AA=="):
        with pytest.raises(FormatError):
            parse_vkey(text)


def test_a_signature_can_be_added_until_the_note_is_full() -> None:
    data = sign_note("hello\n", SIGNER)
    line = NoteSignature("w", b"\0\0\0\1", b"x")
    for _ in range(MAX_SIGNATURES - 1):
        data = add_signature(data, line)
    assert len(parse_note(data).signatures) == MAX_SIGNATURES
    with pytest.raises(FormatError, match="more than 100"):
        add_signature(data, line)


def test_a_text_may_hold_empty_lines_and_ends_at_the_last_one() -> None:
    text = "one\n\n\u2014 fake AAAAAAAA\n\ntwo\n"
    assert open_note(sign_note(text, SIGNER), [SIGNER.verifier()]).text == text


def test_two_trusted_keys_that_cannot_be_told_apart_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logstore.formats.schemes.key_id", lambda *_: b"same")
    twins = [Signer("twin", bytes([number]) * 32) for number in (1, 2)]
    with pytest.raises(UsageError, match="two trusted keys"):
        open_note(sign_note("hello\n", twins[0]), [twin.verifier() for twin in twins])
