"""A15: what a crash may leave at the end of a write-ahead file, and what only tampering can."""

from __future__ import annotations

import pytest
from support.evidence import Evidence, flipped, named
from support.forging import groups_of, regrouped
from support.stores import chat

from logstore.formats import frame
from logstore.verify.walscan import is_torn, scan, wal_first


def wal(evidence: Evidence) -> str:
    return next(key for key in evidence.files("wal/") if key.endswith(".wal"))


def frames(data: bytes) -> list[frame.Frame]:
    return list(frame.scan(data))


def test_a_frame_torn_at_any_byte_is_remarked_on_not_called_tampering(evidence: Evidence) -> None:
    key = wal(evidence)
    data = (evidence.path / key).read_bytes()
    with evidence.open() as log:
        log.append(chat("in flight", "user-0"))
    whole = (evidence.path / key).read_bytes()
    for end in range(len(data) + 1, len(whole), 17):
        evidence.edit(key, lambda _, end=end: whole[:end])
        report = evidence.verify(quick=True, workers=1)
        assert report.exit_code == 0, (end, report.found)
        assert named(report, "torn-tail").file == key


def test_pages_that_never_reached_the_disk_are_remarked_on(evidence: Evidence) -> None:
    key = wal(evidence)
    with evidence.open() as log:
        log.append(chat("x" * 4000, "user-0"))
    whole = (evidence.path / key).read_bytes()
    last = frames(whole)[-1]
    page = -(-(last.start + 100) // 512) * 512
    evidence.edit(key, lambda _: whole[:page] + bytes(1024) + whole[page + 1024 :])
    assert named(evidence.verify(), "torn-tail")
    evidence.edit(key, lambda _: whole[: last.start] + bytes(len(whole) - last.start))
    assert named(evidence.verify(), "torn-tail")


def test_a_torn_end_hides_no_record_that_was_acknowledged(evidence: Evidence) -> None:
    """Tearing off the last group is what truncation looks like: memory tells them apart."""
    evidence.verify(seen=evidence.seen_path)
    evidence.edit(wal(evidence), lambda data: data[:-40])
    report = evidence.verify(seen=evidence.seen_path)
    assert report.exit_code == 1
    assert named(report, "truncated")
    assert named(evidence.verify(keys=evidence.keys()), "truncated")


@pytest.mark.parametrize("place", ["magic", "type", "length", "checksum", "payload"])
def test_a_whole_last_frame_that_was_changed_is_no_torn_write(
    evidence: Evidence, place: str
) -> None:
    key = wal(evidence)
    last = frames((evidence.path / key).read_bytes())[-1]
    offset = {"magic": 0, "type": 4, "length": 9, "checksum": 14, "payload": 60}[place]
    evidence.edit(key, lambda data: flipped(data, last.start + offset))
    report = evidence.verify()
    assert report.exit_code == 1
    assert named(report, "wal-damaged").file == key
    assert named(report, "wal-damaged").index == evidence.verify().logs[0].size


def test_damage_in_the_middle_is_named_with_the_record_it_hides(evidence: Evidence) -> None:
    key = wal(evidence)
    middle = frames((evidence.path / key).read_bytes())[2]
    _, groups = groups_of((evidence.path / key).read_bytes())
    for change in (
        lambda data: flipped(data, middle.start + 70),
        lambda data: data[: middle.start] + bytes(middle.end - middle.start) + data[middle.end :],
        lambda data: data[: middle.start] + data[middle.start + 30 :],
    ):
        kept = (evidence.path / key).read_bytes()
        evidence.edit(key, change)
        found = named(evidence.verify(), "wal-damaged")
        assert (found.file, found.index) == (key, groups[1].first)
        evidence.edit(key, lambda _, kept=kept: kept)


def test_a_duplicated_frame_is_named(evidence: Evidence) -> None:
    key = wal(evidence)
    last = frames((evidence.path / key).read_bytes())[-1]
    size = evidence.verify().logs[0].size
    evidence.edit(key, lambda data: data + data[last.start : last.end])
    found = named(evidence.verify(), "wal-misplaced")
    assert (found.file, found.index) == (key, size)


def test_groups_that_changed_places_are_named(evidence: Evidence) -> None:
    evidence.edit(wal(evidence), regrouped(lambda g: [g[0], g[2], g[1], *g[3:]]))
    assert named(evidence.verify(), "wal-misplaced").file == wal(evidence)


def test_a_group_left_out_is_named(evidence: Evidence) -> None:
    evidence.edit(wal(evidence), regrouped(lambda g: [g[0], *g[2:]]))
    found = named(evidence.verify(), "wal-misplaced")
    assert found.index == evidence.verify().logs[0].sealed + 1


def test_a_file_under_another_name_is_named(evidence: Evidence) -> None:
    key = wal(evidence)
    other = f"{key.rpartition('/')[0]}/{999:012d}.wal"
    (evidence.path / key).rename(evidence.path / other)
    report = evidence.verify()
    assert named(report, "wal-damaged").file == other
    assert named(report, "wal-misplaced").file == other


def test_a_second_file_is_named(evidence: Evidence) -> None:
    key = wal(evidence)
    other = f"{key.rpartition('/')[0]}/{999:012d}.wal"
    (evidence.path / other).write_bytes((evidence.path / key).read_bytes())
    assert named(evidence.verify(), "wal-damaged").file == other


def test_an_old_file_must_still_hold_what_was_sealed_from_it(evidence: Evidence) -> None:
    """A crash can leave one beside the sealed segment; it must not tell another story."""
    key = wal(evidence)
    kept = (evidence.path / key).read_bytes()
    with evidence.open() as log:
        log.seal()
    (evidence.path / key).write_bytes(kept)
    report = evidence.verify()
    assert report.exit_code == 0
    assert named(report, "wal-leftover").file == key
    evidence.edit(key, regrouped(lambda groups: groups[:-1]))
    assert named(evidence.verify(), "wal-damaged").file == key
    with evidence.open():
        assert not (evidence.path / key).exists(), "the writer clears it away"


def test_lock_files_hold_nothing(evidence: Evidence) -> None:
    for key in [k for k in evidence.files("wal/") if k.endswith(".lock")]:
        (evidence.path / key).write_bytes(b"smuggled")
        assert named(evidence.verify(), "extra-file").file == key
        (evidence.path / key).write_bytes(b"")


def test_what_can_be_torn() -> None:
    body = b"x" * 3000
    data = frame.encode(frame.WAL_GROUP, body)
    assert is_torn(data[:10], 0)
    assert is_torn(data[:-1], 0)
    assert is_torn(bytes(100), 0)
    assert not is_torn(b"junk" * 10, 0)
    assert not is_torn(b"junk", 0)
    assert not is_torn(data[:-1] + b"y", 0), "full length, no empty page: it was changed"
    assert is_torn(data[:512] + bytes(512) + data[1024:], 0)
    assert not is_torn(data[:100] + bytes(100) + data[200:], 0)


def test_names_of_write_ahead_files() -> None:
    assert wal_first("wal/log=x/000000000012.wal") == 12
    for name in ("12.wal", "00000000000a.wal", "000000000012.wal.old", "x/０00000000012.wal"):
        assert wal_first(name) is None


def test_scanning_names_what_is_no_group(evidence: Evidence) -> None:
    data = (evidence.path / wal(evidence)).read_bytes()
    first = wal_first(wal(evidence)) or 0
    origin = "logs.example.com/support"
    for extra in (frame.encode(frame.KEY_PAGE, b"x"), frame.encode(frame.WAL_GROUP, b"x")):
        found = scan(data + extra, "w", origin, first).findings
        assert [finding.code for finding in found] == ["wal-damaged"]
