"""The environment of the real client libraries, and where they talk to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.missing import missing


@pytest.fixture(scope="session")
def client_python() -> Path:
    """The interpreter of `make clients`; without it CI fails and everybody else skips."""
    main = Path(sys.prefix)
    python = main.with_name(f"{main.name}-clients") / "bin/python"
    if not (python.exists() and (python.parents[1] / ".installed").exists()):
        missing("the real client libraries are not installed: run `make clients`")
    return python


@pytest.fixture(scope="session")
def rotel_agent(client_python: Path) -> Path:
    """The collector's program."""
    agents = [*client_python.parents[1].glob("lib/python*/site-packages/rotel/rotel-agent")]
    if not agents:
        missing("there is no wheel of Rotel for this platform")
    return agents[0]
