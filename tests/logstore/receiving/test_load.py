"""Ten seconds of load at the highest rate: acknowledged and stored are the same number."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.serving import new_store, serving

from bench.processes import Server
from bench.serving import load

SECONDS = 10


@pytest.mark.slow
def test_what_is_acknowledged_under_load_is_stored_exactly_once(tmp_path: Path) -> None:
    with serving(new_store(tmp_path), "--seal-size", "16") as running:
        done = load(Server(running.url, running.process.pid), SECONDS)
        assert running.stop() == 0
        assert running.verify().returncode == 0
    assert done.spans > 1_000
    assert [each.refused for each in done.sent] == [0, 0]
    rows = running.sql(
        "SELECT count(*) AS records, count(DISTINCT response_id) AS ids FROM interactions"
    )
    assert rows == [{"records": done.spans, "ids": done.spans}]
