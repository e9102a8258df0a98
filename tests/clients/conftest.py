"""The environment of the real client libraries, and where they talk to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def client_python() -> Path:
    """The interpreter of `make clients`; without it CI fails and everybody else skips."""
    main = Path(sys.prefix)
    python = main.with_name(f"{main.name}-clients") / "bin/python"
    if python.exists() and (python.parents[1] / ".installed").exists():
        return python
    missing = "the real client libraries are not installed: run `make clients`"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
