"""A24-A26: destroyed keys, exchanged keys, guessed content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from support.evidence import Evidence, named
from support.forging import regrouped
from support.stores import TestStore, chat, texts

from logstore.errors import KeyDestroyed, KeyUnavailable, TamperingFound
from logstore.formats import blocks, body
from logstore.formats.group import Group, Sealer
from logstore.formats.record import Record
from logstore.storage.bodies import Disclosure, Unreadable, check
from logstore.storage.seal import parse_seal
from logstore.verify import verifier
from logstore.verify.proving import disclose

SECRET = "my diagnosis is hypertension-4711"


def everything(base: Path) -> dict[str, bytes]:
    return {str(p.relative_to(base)): p.read_bytes() for p in base.rglob("*") if p.is_file()}


def holding(base: Path, needle: bytes) -> list[str]:
    return [name for name, data in everything(base).items() if needle in data]


@pytest.fixture
def patient(tmp_path: Path) -> Evidence:
    """One person among others, in a sealed segment and in the write-ahead log."""
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat(SECRET, "maria"))
        log.append(chat("a neighbour's question", "paul"))
        log.append(chat(f"both of us: {SECRET}", "maria", "paul"))
        log.seal()
        log.append(chat(f"again: {SECRET}", "maria"))
    return Evidence(tmp_path, store.policy())


def destroy_by_hand(evidence: Evidence) -> list[bytes]:
    """What an erasure does in the end: say so on the log, destroy the keys, seal what is open."""
    with evidence.open() as log:
        entries = log.keys.keys_of("maria")
        for entry in entries:
            log.append(Record("key.destroyed", "aircon", clear={"key": entry.id}))
        log.keys.destroy([entry.id for entry in entries])
        log.seal()
        log.append(chat("life goes on", "paul"))
    return [entry.key for entry in entries]


def test_after_a_key_is_destroyed_the_chain_verifies_and_the_content_is_gone(
    patient: Evidence,
) -> None:
    before = patient.verify(keys=patient.keys())
    assert before.exit_code == 0
    secrets = destroy_by_hand(patient)
    report = patient.verify(keys=patient.keys())
    assert report.exit_code == 0, report.found
    assert named(report, "body-destroyed").index is not None
    assert patient.verify().exit_code == 0
    readable = texts(patient.reader())
    assert sorted(readable.values()) == ["a neighbour's question", "life goes on"]
    for needle in (SECRET.encode(), b"hypertension", *secrets):
        assert holding(patient.base, needle) == []


def test_plaintext_identities_and_keys_are_on_disk_at_no_time(patient: Evidence) -> None:
    needles = [entry.key for entry in patient.keys().entries()]
    for needle in (SECRET.encode(), b"maria", b"neighbour", *needles):
        assert holding(patient.base, needle) == []


def restore_keys(evidence: Evidence, backup: Path) -> None:
    shutil.rmtree(evidence.keys_path)
    shutil.copytree(backup, evidence.keys_path)


def test_a_restored_key_store_can_not_bring_a_person_back(
    patient: Evidence, tmp_path: Path
) -> None:
    shutil.copytree(patient.keys_path, tmp_path / "backup")
    entry = patient.keys().keys_of("maria")[0]
    with patient.open() as log:
        log.append(Record("key.destroyed", "aircon", clear={"key": entry.id}))
        log.keys.destroy([entry.id])
    restore_keys(patient, tmp_path / "backup")
    assert patient.keys().key(entry.id), "the backup still had it"
    with patient.open() as log:
        with pytest.raises(KeyDestroyed):
            log.keys.key(entry.id)
        with pytest.raises(KeyDestroyed):
            log.append(chat("she writes again", "maria"))
    assert SECRET not in " ".join(texts(patient.reader()).values())
    assert patient.verify(keys=patient.keys()).exit_code == 0


def test_even_a_key_store_too_old_to_write_with_has_its_keys_destroyed(
    patient: Evidence, tmp_path: Path
) -> None:
    """Its write-ahead key is of a file sealed long since; what the log destroyed goes first."""
    shutil.copytree(patient.keys_path, tmp_path / "backup")
    identifier = patient.keys().keys_of("maria")[0].id
    destroy_by_hand(patient)
    restore_keys(patient, tmp_path / "backup")
    with contextlib.suppress(KeyUnavailable):
        patient.open().close()
    with pytest.raises(KeyDestroyed):
        patient.keys().key(identifier)
    assert SECRET not in " ".join(texts(patient.reader()).values())


def test_nobody_can_have_keys_destroyed_by_editing_a_seal(patient: Evidence) -> None:
    key = patient.keys().keys_of("paul")[0].id
    patient.edit(
        patient.one("seal/"),
        lambda data: msgspec.structs.replace(parse_seal(data), destroyed=[key]).encode(),
    )
    assert named(patient.verify(), "seal-changed").file == patient.one("seal/")
    with pytest.raises(TamperingFound):
        patient.open()
    assert patient.keys().key(key)


def test_content_dropped_without_a_record_that_says_so_is_named(patient: Evidence) -> None:
    with patient.open() as log:
        lost = log.append(chat("soon gone", "lara")).index
        log.keys.destroy([entry.id for entry in log.keys.keys_of("lara")])
        log.seal()
    report = patient.verify()
    assert report.exit_code == 1
    assert named(report, "body-missing").index == lost
    assert named(report, "body-missing").file == patient.files("body/")[-1]


def test_a_body_object_may_go_when_its_retention_has_passed(
    patient: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = patient.one("body/")
    (patient.path / key).unlink()
    early = named(patient.verify(), "body-missing")
    assert (early.file, early.index) == (key, 0)

    class Later:
        def wall_us(self) -> int:
            return 4_000_000_000_000_000

    monkeypatch.setattr(verifier, "SystemClock", Later)
    report = patient.verify()
    assert report.exit_code == 0
    assert named(report, "body-expired").file == key
    assert named(patient.verify(quick=True), "body-expired")


def test_a_ciphertext_that_opens_under_two_keys_is_caught_by_the_commitment(
    patient: Evidence,
) -> None:
    """GCM is not key-committing: a block may open under another key. What comes out must not count.

    The cheapest such forgery: the operator seals other words under the very key of the record.
    """
    reader = patient.reader()
    pin = reader.pins[0]
    leaf = next(leaf for _, leaf, _ in reader.contents(0, pin.count) if leaf.body is not None)
    assert leaf.body is not None
    context = blocks.BlockContext(reader.origin, pin.first, pin.count)
    keys = [patient.keys().key(each).key for each in leaf.body.keys]
    key = blocks.block_key(keys, leaf.body.keys, context)
    forged = os.urandom(32) + body.encode(body.Body(raw=b"what never was said"))
    block = blocks.seal(key, [(leaf.index, forged)], context.bind(leaf.body.keys, 0))
    ((_, opened),) = blocks.open_block(key, block, context.bind(leaf.body.keys, 0))
    assert opened == forged, "the cipher has nothing against it"
    assert check(leaf, opened) == Unreadable("tampered")
    with pytest.raises(KeyUnavailable):
        blocks.open_block(os.urandom(32), block, context.bind(leaf.body.keys, 0))


def test_an_exchanged_body_in_the_write_ahead_log_is_named(patient: Evidence) -> None:
    """Whoever has the write-ahead key can encrypt other words; the leaf says which were meant."""
    keys = patient.keys()
    reader = patient.reader()
    first = reader.tail.first
    aead = AESGCM(keys.wal_keys.read(first))
    wal = next(k for k in patient.files("wal/") if k.endswith(".wal"))
    index = reader.size - 1

    def exchange(groups: list[Group]) -> list[Group]:
        last = groups[-1]
        sealer = Sealer(reader.origin, aead)
        bodies = [b and b[:32] + body.encode(body.Body(raw=b"other")) for b in sealer.open(last)]
        sealed = encrypted(sealer, last, bodies)
        return [*groups[:-1], replace(last, sealed=sealed)]

    patient.edit(wal, regrouped(exchange))
    assert patient.verify().exit_code == 0, "without keys content is not judged, and it says so"
    assert any("this check opened none" in line for line in patient.verify().not_proven)
    found = named(patient.verify(keys=keys), "body-wrong")
    assert (found.file, found.index) == (wal, index)


def encrypted(sealer: Sealer, taken: Group, bodies: list[bytes | None]) -> bytes:
    """Bodies of a group commit, as docs/format.md says they are encrypted."""
    sizes = [0xFFFFFFFF if each is None else len(each) for each in bodies]
    plain = struct.pack(f"<{len(sizes)}I", *sizes) + b"".join(b for b in bodies if b is not None)
    nonce = os.urandom(12)
    bound = b"aircon/wal/v1\0" + sealer.origin.encode()
    bound += struct.pack("<QI", taken.first, len(bodies))
    return nonce + sealer.aead.encrypt(nonce, plain, bound)


def test_guessing_low_entropy_content_after_erasure_confirms_nothing(patient: Evidence) -> None:
    """A dictionary that holds the true prompt must not find any trace of it in what is left."""
    destroy_by_hand(patient)
    guesses = [SECRET, *(f"my diagnosis is {n}" for n in range(500))]
    left = b"\n".join(everything(patient.base).values())
    for guess in guesses:
        raw = guess.encode()
        content = body.encode(body.Body(raw=raw, format="aircon", subjects=["maria"]))
        for data in (raw, content, bytes(32) + content):
            for name in ("sha256", "sha1", "md5", "blake2b"):
                digest = hashlib.new(name, data)
                assert digest.digest() not in left
                assert digest.hexdigest().encode() not in left
    for identity in (
        b"maria",
        hashlib.sha256(b"maria").digest(),
        hashlib.sha256(b"maria").hexdigest().encode(),
    ):
        assert identity not in left


def test_content_of_a_destroyed_key_can_not_be_disclosed(patient: Evidence) -> None:
    index = next(i for i, text in texts(patient.reader()).items() if text == SECRET)
    assert SECRET.encode() in b64decode(json.loads(disclose(patient.reader(), index))["content"])
    destroy_by_hand(patient)
    with pytest.raises(KeyUnavailable, match="destroyed"):
        disclose(patient.reader(), index)


def test_a_disclosure_hands_over_content_and_no_key(patient: Evidence) -> None:
    reader = patient.reader()
    opened = next(o for _, leaf, _, o in reader.disclosures(0, 3) if leaf.body is not None)
    assert isinstance(opened, Disclosure)
    data = disclose(reader, 2)
    for entry in patient.keys().entries():
        assert entry.key not in data
        assert b64encode(entry.key) not in data
