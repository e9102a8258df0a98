"""Counts, determinism and refusals of the generator."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from drills.sample.generate import generate

from .conftest import Sample


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_also_in_compressed_files(tmp_path: Path) -> None:
    first = generate(1500, 5, tmp_path / "a", labels=tmp_path / "a.jsonl")
    second = generate(1500, 5, tmp_path / "b", labels=tmp_path / "b.jsonl")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert first == second


def test_the_bytes_do_not_hang_on_pythons_hash_seed(tmp_path: Path) -> None:
    code = "import sys,pathlib;from drills.sample.generate import generate as g;"
    code += "g(1200,5,pathlib.Path(sys.argv[1]),labels=pathlib.Path(sys.argv[1]+'.jsonl'))"
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": seed})
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_writing_the_truth_or_not_does_not_change_the_logs(tmp_path: Path) -> None:
    generate(1200, 5, tmp_path / "a", labels=tmp_path / "a.jsonl")
    generate(1200, 5, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_seed_gives_other_victims(tmp_path: Path, sample: Sample) -> None:
    generate(5000, 8, tmp_path / "logs", labels=tmp_path / "labels.jsonl")
    people = sample.story("kb-image-leak")["people"]
    text = (tmp_path / "labels.jsonl").read_text(encoding="utf-8")
    assert not all(person in text for person in people)


@pytest.mark.parametrize("records", [1, 7, 100, 999, 2500])
def test_exactly_as_many_interactions_as_asked_for(tmp_path: Path, records: int) -> None:
    manifest = generate(records, 3, tmp_path / "logs")
    held = sum(entry.interactions for entry in manifest.files)
    assert held - manifest.copies == records
    assert manifest.records == records


def test_a_tiny_sample_is_everyday_traffic_only(tmp_path: Path) -> None:
    assert generate(100, 3, tmp_path / "logs").stories == []


def test_stories_grow_slower_than_the_traffic(tmp_path: Path, sample: Sample) -> None:
    large = generate(20_000, 3, tmp_path / "logs")
    assert sample.manifest.labelled < large.labelled < 4 * sample.manifest.labelled


def test_gzip_headers_carry_no_time_and_no_name(sample: Sample) -> None:
    packed = list(sample.root.rglob("*.gz"))
    assert packed
    for path in packed:
        assert path.read_bytes()[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00", path


def test_the_truth_may_not_lie_among_the_logs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="among the logs"):
        generate(10, 1, tmp_path / "logs", labels=tmp_path / "logs" / "labels.jsonl")
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError):
        generate(10, 1, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_progress_counts_up_to_the_end(tmp_path: Path) -> None:
    seen: list[int] = []
    generate(2600, 1, tmp_path / "logs", progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 2600
    assert len(seen) >= 3


def test_no_label_word_stands_in_a_log(sample: Sample) -> None:
    from support.sample_reading import plain

    stories = [name.encode() for name in sample.manifest.stories]
    for path in sample.root.rglob("*"):
        if path.is_file():
            data = plain(path)
            assert not [name for name in stories if name in data], path


@pytest.mark.slow
def test_memory_stays_flat_when_the_sample_grows(tmp_path: Path) -> None:
    def peak(records: int) -> int:
        tracemalloc.start()
        generate(records, 1, tmp_path / str(records))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    generate(200, 1, tmp_path / "warm")  # texts and caches are loaded once
    assert peak(12_000) < 1.5 * peak(3_000) + 4_000_000
