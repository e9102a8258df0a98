"""One small store, made once and copied for every test that damages it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bucket_stores import BucketStore, Elsewhere
from support.evidence import Evidence, make_evidence

import logstore.verify.verifier


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return make_evidence(tmp_path_factory.mktemp("evidence"))


@pytest.fixture
def evidence(template: Evidence, tmp_path: Path) -> Evidence:
    return template.copy(tmp_path)


@pytest.fixture
def auditor(store: BucketStore, tmp_path: Path) -> Elsewhere:
    """Somebody with read rights elsewhere, who has found a test module's `store` good."""
    there = store.elsewhere(tmp_path / "auditor")
    assert there.verify().exit_code == 0
    return there


@pytest.fixture(autouse=True)
def looks_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else writes in these tests, so there is nothing to wait for."""
    monkeypatch.setattr(logstore.verify.verifier, "_PAUSE_S", 0)
