"""Long spans of time in whole days."""

from __future__ import annotations

import pytest

from console.durations import days
from logstore.errors import UsageError


@pytest.mark.parametrize(
    ("said", "meant"), [("10y", 3653), ("13m", 396), ("1m", 31), ("26w", 182), ("400d", 400)]
)
def test_spans(said: str, meant: int) -> None:
    assert days(said, "--retain-body") == meant


@pytest.mark.parametrize(
    "said", ["", "0d", "10", "y", "-1d", "1.5y", "10 y", "123456d", "1h", "١d"]
)
def test_anything_else_is_named_with_its_option(said: str) -> None:
    with pytest.raises(UsageError, match="--retain-body"):
        days(said, "--retain-body")
