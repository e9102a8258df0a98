"""What a test needs of the machine: without it CI fails, and everybody else skips."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """End the test, with the reason."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
