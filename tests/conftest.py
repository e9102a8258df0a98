"""Fixtures that every test may use."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["support.s3_fixtures"]

# Time limits per example measure the machine's other load, not our code.
settings.register_profile("aircon", deadline=None)
settings.load_profile("aircon")

# A shell starts what it puts in the background with Ctrl+C ignored; tests send it all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Foreign test material beside the checkout; its tests skip where it is absent."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return data
