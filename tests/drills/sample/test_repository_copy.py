"""The sample in the repository is what the script makes, and its truth is kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.sample_reading import plain

from .conftest import Sample

_REPOSITORY = Path(__file__).resolve().parents[3]
_LOGS = _REPOSITORY / "sample-logs"
_TRUTH = _REPOSITORY / "drills" / "sample" / "truth"


def names(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def test_the_logs_are_as_the_script_makes_them(sample: Sample) -> None:
    # Compared inflated: another build of zlib packs the same content differently.
    assert names(_LOGS) == names(sample.root)
    for name in names(_LOGS):
        assert plain(_LOGS / name) == plain(sample.root / name), name


def test_the_truth_belongs_to_these_logs(sample: Sample) -> None:
    kept = (_TRUTH / "labels.jsonl").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line) for line in kept] == sample.labels
    manifest = json.loads((_TRUTH / "manifest.json").read_bytes())
    assert manifest["records"] == sample.manifest.records
    assert manifest["entries"] == sample.manifest.entries


@pytest.mark.parametrize("word", ["amber ledger", "KB-2417", "px.status", "forge-agent-07", "Ines"])
def test_the_readme_gives_no_story_away(word: str) -> None:
    assert word not in (_LOGS / "README.md").read_text(encoding="utf-8")
