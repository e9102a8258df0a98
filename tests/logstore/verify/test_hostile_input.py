"""A23, A28: parsers of a verification never crash, hang or believe what strangers give them."""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.evidence import Evidence, named

from logstore.errors import FormatError
from logstore.formats import frame
from logstore.storage.logfile import from_clear, parse_log_file
from logstore.storage.seal import parse_seal
from logstore.verify.heads import SeenFile
from logstore.verify.proving import check, parse_disclosure
from logstore.verify.sequences import MAX_RUNS, Sequence
from logstore.verify.walscan import is_torn, scan

ORIGIN = "logs.example.com/support"

HOSTILE = [
    b"", b"\0", b"{}", b"[]", b"null", b"[" * 200_000, b'{"format":' * 50_000, b"\xff\xfe" * 100,
    b'{"format":"aircon-seal/1","format":"aircon-seal/1"}', b'{"first":1e400}',
    b'{"first":' + b"9" * 100_000 + b"}", b"A" * 3_000_000, b"\xed\xa0\x80", b'"\\ud800"',
]  # fmt: skip


@pytest.mark.parametrize("parser", [parse_seal, parse_log_file, parse_disclosure])
@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_strict_parsers_refuse_in_words(parser: object, data: bytes) -> None:
    with pytest.raises(FormatError):
        parser(data)  # type: ignore[operator]


@given(st.binary(max_size=400))
def test_scanning_any_bytes_ends_in_a_finding(data: bytes) -> None:
    found = scan(data, "w", ORIGIN, 0)
    assert [finding.code for finding in found.findings] == ["wal-damaged"]
    is_torn(data, 0)


@given(st.binary(max_size=300), st.integers(0, 255))
def test_any_group_payload_is_a_group_or_a_finding(payload: bytes, kind: int) -> None:
    head = b'{"format": "aircon-wal/1", "origin": "logs.example.com/support", "first": 0}'
    data = frame.encode(frame.WAL_HEADER, head) + frame.encode(kind, payload)
    found = scan(data, "w", ORIGIN, 0)
    assert bool(found.groups) != bool(found.findings)


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", ["seal/", "log/", "store.json", "index/", "body/"])
def test_no_file_of_a_store_can_crash_a_verification(
    evidence: Evidence, kind: str, data: bytes
) -> None:
    key = evidence.one(kind)
    evidence.edit(key, lambda _: data)
    began = time.monotonic()
    report = evidence.verify(quick=True, workers=1)
    assert report.exit_code == 1
    assert any(finding.file == key for finding in report.findings)
    assert time.monotonic() - began < 5


@pytest.mark.slow
def test_ten_thousand_random_mutations_neither_crash_nor_pass(evidence: Evidence) -> None:
    """Seals, proofs and write-ahead files with bytes changed, cut, doubled and moved."""
    draw = random.Random(11)
    seal = (evidence.path / evidence.one("seal/")).read_bytes()
    wal = next(k for k in evidence.files("wal/") if k.endswith(".wal"))
    data = (evidence.path / wal).read_bytes()
    first = int(wal[-16:-4])
    proof = parse_seal(seal).proof.encode()
    for _ in range(3400):
        changed = mutated(proof, draw)
        assert changed == proof or check(changed, evidence.trusted).exit_code != 0
        with contextlib.suppress(FormatError):
            parse_seal(mutated(seal, draw))
        changed = mutated(data, draw)
        found = scan(changed, wal, ORIGIN, first)
        assert found.findings or found.torn or len(changed) < len(data) or changed == data


def mutated(data: bytes, draw: random.Random) -> bytes:
    at, size = draw.randrange(len(data)), draw.randrange(1, 60)
    piece = data[at : at + size]
    match draw.randrange(5):
        case 0:
            return data[:at] + bytes([data[at] ^ draw.randrange(1, 256)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[at + size :]
        case 2:
            return data[:at] + piece + data[at:]
        case 3:
            return data[:at] + draw.randbytes(size) + data[at + size :]
        case _:
            other = draw.randrange(len(data))
            return data[:other] + piece + data[other:]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_memory_is_passed_over(evidence: Evidence, data: bytes) -> None:
    lines = [data, b'{"note":5}', b'{"note":"no checkpoint"}', b'{"note":"\\u0000"}', b"\xff"]
    evidence.seen_path.write_bytes(b"\n".join(lines))
    report = evidence.verify(seen=evidence.seen_path)
    assert report.exit_code == 0
    assert named(report, "seen-unreadable")
    assert len(SeenFile(evidence.seen_path).heads) == 1


@given(st.dictionaries(st.text(max_size=10), st.integers() | st.text(max_size=5), max_size=4))
def test_no_description_but_a_whole_one_is_taken_from_a_record(clear: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        from_clear(clear)


@settings(max_examples=200)
@given(st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=8))
def test_runs_of_numbers_are_those_of_the_set(portions: list[list[int]]) -> None:
    together, parts = Sequence(), []
    for portion in portions:
        part = Sequence()
        part.add(portion)
        parts.append(part)
        together.merge(part)
    numbers = [number for portion in portions for number in portion]
    have = set(numbers)
    missing = {n for a, b in together.gaps() for n in range(a, b + 1)}
    assert missing == (set(range(min(have), max(have))) - have if have else set())
    assert together.repeated == len(numbers) - len(have)


def test_scattered_numbers_are_given_up_on() -> None:
    numbers = Sequence()
    numbers.add(range(0, 4 * MAX_RUNS, 2))
    assert numbers.scattered
    assert numbers.gaps() == []
    numbers.add([1, 5])
    assert numbers.gaps() == []
