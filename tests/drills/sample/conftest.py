"""One sample of the usual size, made once for all tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drills.sample.generate import RECORDS, SEED, Manifest, generate


class Sample(NamedTuple):
    """A sample with its truth."""

    root: Path
    manifest: Manifest
    labels: list[dict[str, Any]]

    def story(self, name: str) -> dict[str, Any]:
        """The answers of a story."""
        return next(x for x in self.labels if x["kind"] == "story" and x["story"] == name)

    def labelled(self, name: str, *roles: str) -> list[dict[str, Any]]:
        """The interactions that play one of `roles` in a story."""
        return [
            x
            for x in self.labels
            if x["kind"] == "interaction" and x["story"] == name and x["role"] in roles
        ]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The sample that the repository holds, made afresh."""
    folder = tmp_path_factory.mktemp("sample")
    root, truth = folder / "logs", folder / "truth" / "labels.jsonl"
    manifest = generate(RECORDS, SEED, root, labels=truth)
    labels = [json.loads(line) for line in truth.read_bytes().split(b"\n")[:-1]]
    return Sample(root, manifest, labels)
