"""Our own client around the real packages of OpenAI and Anthropic."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "tests" / "logstore" / "capture" / "sending" / "real_packages.py"

# The tests' own packages first: only what they do not have comes from the clients' environment.
BESIDE = "import sys, pytest; sys.path.append(sys.argv[1]); sys.exit(pytest.main(sys.argv[2:]))"


def test_the_real_packages_are_recorded_in_every_way(client_python: Path) -> None:
    (packages,) = client_python.parents[1].glob("lib/python*/site-packages")
    words = ["-n", "0", "-p", "no:cacheprovider", "-q", str(STORY)]
    done = subprocess.run(
        [sys.executable, "-c", BESIDE, packages, *words],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(r"^\d+ passed in", said, re.MULTILINE), said  # and nothing was skipped
