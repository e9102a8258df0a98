"""The benches must not rot: a couple of them run, at sizes that take seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_benches_run_and_write_their_figures(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "--quick", "--records", "3000", "--json", figures]
    done = subprocess.run(
        [*command, "seal", "client", "prove", "verify", "reconcile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(figures.read_text())
    assert {row["bench"] for row in rows} == {"seal", "client", "prove", "verify", "reconcile"}
    assert all(row["value"] > 0 for row in rows)
    # Heading, machine, and one aligned line for each figure.
    assert len(done.stdout.splitlines()) == 2 + len(rows)


def test_an_unknown_bench_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "nonsense"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "nonsense" in done.stderr
