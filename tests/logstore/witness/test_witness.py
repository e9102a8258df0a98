"""What a witness cosigns and what it refuses, on foreign vectors and on its own folder."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from logstore.disk import Disk
from logstore.errors import AirconError, CannotJudge, FormatError, NotDurable, NotFound, UsageError
from logstore.errors import TamperingFound as Tampering
from logstore.formats.addcheckpoint import AddCheckpoint
from logstore.formats.checkpoint import Checkpoint, peek_checkpoint, sign_checkpoint
from logstore.formats.cosigned import open_cosigned
from logstore.formats.merkle import consistency_proof, root
from logstore.formats.note import Signer, parse_vkey
from logstore.formats.policy import Policy, Witness
from logstore.keys.holders import NoHolder
from logstore.witness.book import WitnessBook
from logstore.witness.decision import decide

SIGNER = Signer("log.example/a", b"\7" * 32)
POLICY = Policy((SIGNER.verifier(),))
HASHES = [bytes([number]) * 32 for number in range(20)]
NOW = 1_790_000_000


def signed(size: int, hashes: list[bytes] = HASHES) -> bytes:
    return sign_checkpoint(Checkpoint("log.example/a", size, root(hashes[:size])), SIGNER)


def asked(old: int, size: int, hashes: list[bytes] = HASHES) -> AddCheckpoint:
    proof = consistency_proof(hashes[:size], old) if old else []
    return AddCheckpoint(old, tuple(proof), signed(size, hashes))


@pytest.fixture
def book(tmp_path: Path) -> WitnessBook:
    return WitnessBook.create(tmp_path / "w", "audit.example/w", NoHolder())


def sign(book: WitnessBook, request: AddCheckpoint) -> bytes:
    return book.cosign(request.encode(), POLICY, NoHolder(), NOW)


@pytest.fixture(scope="module")
def foreign(shared_data: Path) -> dict[str, Any]:
    path = shared_data / "vectors/transparency_dev_witness.json"
    vectors: dict[str, Any] = json.loads(path.read_text())
    return vectors


def test_the_update_cases_of_a_foreign_witness(foreign: dict[str, Any]) -> None:
    policy = Policy((parse_vkey(foreign["log_vkey"]),))
    five, eight = foreign["init"].encode(), foreign["next"].encode()
    known = peek_checkpoint(five)
    proof = tuple(map(bytes.fromhex, foreign["consistency_5_8_hex"]))
    assert decide(AddCheckpoint(0, (), five), None, policy) == known
    assert decide(AddCheckpoint(5, proof, eight), known, policy).size == 8
    assert decide(AddCheckpoint(5, (), five), known, policy) == known
    newest = peek_checkpoint(eight)
    refused: list[tuple[AddCheckpoint, Checkpoint | None, type[AirconError]]] = [
        (AddCheckpoint(4, proof, eight), known, CannotJudge),
        (AddCheckpoint(0, proof, eight), None, FormatError),
        (AddCheckpoint(5, (), eight), known, Tampering),
        (AddCheckpoint(5, (bytes(32),) * 4, eight), known, Tampering),
        (AddCheckpoint(8, (), five), newest, FormatError),
        (AddCheckpoint(5, (), five), newest, Tampering),
    ]
    for request, seen, error in refused:
        with pytest.raises(error):
            decide(request, seen, policy)


def test_whom_the_witness_does_not_know_it_does_not_serve(foreign: dict[str, Any]) -> None:
    stranger = Policy((parse_vkey(foreign["other_vkey"]),))
    with pytest.raises(CannotJudge, match="lists no log"):
        decide(AddCheckpoint(0, (), foreign["init"].encode()), None, stranger)
    impostor = parse_vkey(foreign["log_vkey"])
    forged = foreign["init"].replace("202fftz", "202fgtz").encode()
    with pytest.raises(Tampering):
        decide(AddCheckpoint(0, (), forged), None, Policy((impostor,)))


def test_one_size_with_two_roots_is_a_split_view(book: WitnessBook) -> None:
    sign(book, asked(0, 8))
    other = [*HASHES[:7], bytes(32)]
    with pytest.raises(Tampering, match="does not extend"):
        sign(book, AddCheckpoint(8, (), signed(8, other)))


def test_it_remembers_over_restarts_what_it_cosigned(book: WitnessBook) -> None:
    note = sign(book, asked(0, 5))
    witness = Witness("w", book.verifier)
    one = open_cosigned(note, Policy(POLICY.logs, (witness,), (), "w"))
    assert one.times == {"w": NOW}
    again = WitnessBook(book.path)
    assert again.newest("log.example/a") == one.checkpoint
    assert again.newest("log.example/b") is None
    with pytest.raises(CannotJudge, match="saw 5 last"):
        sign(again, asked(0, 8))
    sign(again, asked(5, 8))
    with pytest.raises(Tampering, match="cosigned 8"):
        sign(book, asked(0, 5))


def test_its_own_former_line_is_not_doubled(book: WitnessBook) -> None:
    note = sign(book, asked(0, 5))
    again = sign(book, AddCheckpoint(5, (), note))
    assert again.count(b"audit.example/w") == 1


def test_nothing_is_answered_that_could_not_be_remembered(tmp_path: Path) -> None:
    class Full(Disk):
        def sys_rename(self, source: Path, target: Path) -> None:
            raise OSError(errno.ENOSPC, "injected")

    WitnessBook.create(tmp_path / "w", "audit.example/w", NoHolder())
    with pytest.raises(NotDurable):
        sign(WitnessBook(tmp_path / "w", Full()), asked(0, 5))
    assert WitnessBook(tmp_path / "w").newest("log.example/a") is None


def test_a_witness_without_its_memory_signs_nothing(book: WitnessBook) -> None:
    sign(book, asked(0, 5))
    memory = book.path / "memory.json"
    whole = memory.read_bytes()
    for damage in (b"", b"{}", whole.replace(b"log.example/a\\n5", b"log.example/a\\n3")):
        assert damage != whole
        memory.write_bytes(damage)
        with pytest.raises(Tampering, match="memory"):
            sign(book, asked(5, 8))
    memory.unlink()
    with pytest.raises(Tampering, match="gone"):
        sign(book, asked(0, 8))


def test_there_is_one_witness_in_a_folder(book: WitnessBook, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        WitnessBook.create(book.path, "audit.example/other", NoHolder())
    with pytest.raises(NotFound):
        WitnessBook(tmp_path / "nowhere")
    (book.path / "witness.json").unlink()  # as after a crash between its two files
    assert WitnessBook.create(book.path, "audit.example/w2", NoHolder()).newest("x") is None


def test_growth_from_any_size_to_any_other() -> None:
    for old in range(1, 20):
        known = Checkpoint("log.example/a", old, root(HASHES[:old]))
        for size in range(old, 21):
            assert decide(asked(old, size), known, POLICY).size == size
