"""Ten thousand mutated inputs per parser: a refusal is a FormatError, comes fast, nothing else."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats import merkle, tiles
from logstore.formats.checkpoint import Checkpoint, parse_checkpoint_text, sign_checkpoint
from logstore.formats.cosignature import Cosigner, Ed25519Cosigner, MldsaCosigner
from logstore.formats.note import MAX_NOTE, Signer, add_signature, parse_note, parse_vkey
from logstore.formats.policy import Group, Policy, Witness, parse_policy
from logstore.formats.proof import TlogProof, parse_tlog_proof
from logstore.formats.tiles import Tile

ROUNDS = 10_000
LOG = Signer("example.com/log", bytes(range(32)))
COSIGNERS: tuple[Cosigner, ...] = (
    Ed25519Cosigner("w.example/1", b"\1" * 32),
    MldsaCosigner("w.example/2", b"\2" * 32),
)
CHECKPOINT = Checkpoint("example.com/log", 5, bytes(range(32)), ("more",))
SIGNED = sign_checkpoint(CHECKPOINT, LOG)
COSIGNED = add_signature(SIGNED, COSIGNERS[0].cosign(CHECKPOINT.text(), 1_763_850_000))
POLICY = Policy(
    (LOG.verifier(),),
    tuple(Witness(f"w{at}", cosigner.verifier()) for at, cosigner in enumerate(COSIGNERS)),
    (Group("g", 1, ("w0", "w1")),),
    "g",
)


@dataclass(frozen=True)
class Target:
    parse: Callable[[bytes], object]
    good: bytes
    again: Callable[[object], bytes] | None


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def frontier_bytes() -> bytes:
    frontier = merkle.Frontier()
    frontier.extend([merkle.leaf_hash(b"%d" % number) for number in range(11)])
    return frontier.to_bytes()


BUNDLE = Tile(tiles.ENTRIES, 0, 4)
TARGETS: dict[str, Target] = {
    "note": Target(parse_note, COSIGNED, lambda note: note.encode()),  # type: ignore[attr-defined]
    "vkey": Target(
        lambda data: parse_vkey(text(data)),
        LOG.verifier().vkey().encode(),
        lambda key: key.vkey().encode(),  # type: ignore[attr-defined]
    ),
    "checkpoint": Target(
        lambda data: parse_checkpoint_text(text(data)),
        CHECKPOINT.text().encode(),
        lambda checkpoint: checkpoint.text().encode(),  # type: ignore[attr-defined]
    ),
    "policy": Target(parse_policy, POLICY.text().encode(), None),
    "proof": Target(
        parse_tlog_proof,
        TlogProof(3, (bytes(32), bytes(range(32))), COSIGNED, b"leaf").encode(),
        lambda proof: proof.encode(),  # type: ignore[attr-defined]
    ),
    "tile path": Target(
        lambda data: tiles.parse_tile_path(text(data)),
        Tile(3, 1_234_067, 17).path().encode(),
        lambda tile: tile.path().encode(),  # type: ignore[attr-defined]
    ),
    "bundle": Target(
        lambda data: tiles.parse_bundle(data, BUNDLE),
        tiles.encode_bundle([b"one", b"", b"three", b"four" * 20]),
        tiles.encode_bundle,  # type: ignore[arg-type]
    ),
    "frontier": Target(
        merkle.Frontier.from_bytes,
        frontier_bytes(),
        lambda frontier: frontier.to_bytes(),  # type: ignore[attr-defined]
    ),
}


def mutate(good: bytes, dice: random.Random) -> bytes:
    data = bytearray(good)
    for _ in range(dice.randint(1, 4)):
        at, width = dice.randint(0, len(data)), dice.choice((0, 1, 1, 2, 7, 40))
        piece = dice.choice(
            (
                b"",
                bytes([dice.randrange(256)]),
                dice.choice((b"\n", b"\n\n", b" ", b"+", b"=", b"0", b"-1", b"\xe2\x80\x94 ")),
                bytes(data[: dice.randint(0, 60)]),
                dice.randbytes(dice.randint(0, 12)),
                b"9" * dice.randint(1, 30),
            )
        )
        data[at : at + width] = piece
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_ten_thousand_mutations_are_read_back_unchanged_or_refused_as_malformed(name: str) -> None:
    target, dice = TARGETS[name], random.Random(name)
    target.parse(target.good)
    refused = 0
    started = time.perf_counter()
    for _ in range(ROUNDS):
        data = mutate(target.good, dice)
        try:
            value = target.parse(data)
        except FormatError:
            refused += 1
        else:
            assert target.again is None or target.again(value) == data
    assert refused > ROUNDS // 10
    assert time.perf_counter() - started < 60


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=400))
def test_bytes_from_nowhere_are_refused_as_malformed_or_mean_one_thing(
    name: str, data: bytes
) -> None:
    target = TARGETS[name]
    try:
        value = target.parse(data)
    except FormatError:
        return
    assert target.again is None or target.again(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"\n" * MAX_NOTE,
        b"x\n\n" + b"\xe2\x80\x94 a AAAAAAAA\n" * 50_000,
        b"x" * (MAX_NOTE - 1) + b"\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n" + b"A\n" * 400_000,
        b"c2sp.org/tlog-proof@v1\nextra " + b"A" * 900_000 + b"\nindex 0\n\nx\n",
        b"9" * MAX_NOTE,
        b"group " * 160_000 + b"\n",
        b"witness w w\n" * 80_000,
        b"group g any " + b"a " * 490_000 + b"\n",
    ],
    ids=lambda data: data[:12].hex(),
)
@pytest.mark.parametrize("name", ["note", "vkey", "checkpoint", "policy", "proof", "tile path"])
def test_a_megabyte_of_nonsense_is_refused_at_once(name: str, data: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(FormatError):
        TARGETS[name].parse(data)
    assert time.perf_counter() - started < 10  # well under 1 s on an idle machine


def test_parsers_compare_with_their_own_spelling_even_when_a_reader_below_turns_lenient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lenient(text: str, what: str) -> bytes:
        return base64.b64decode(text)

    for module in ("checkpointtext", "note", "proof"):
        monkeypatch.setattr(f"logstore.formats.{module}.parse_base64", lenient)
    line = text(SIGNED).rpartition(" ")[2]
    loose = text(SIGNED).replace(line, " " + line.strip()[:20] + "!" + line[20:])
    for parse, data in (
        (parse_note, loose.replace("  ", " ").encode()),
        (lambda data: parse_checkpoint_text(text(data)), text_with_stray_bits()),
        (parse_tlog_proof, TARGETS["proof"].good.replace(b"bGVhZg==", b"bGVhZh==")),
    ):
        with pytest.raises(FormatError, match="one spelling"):
            parse(data)


def text_with_stray_bits() -> bytes:
    return CHECKPOINT.text().replace("Hh8=", "Hh9=").encode()
