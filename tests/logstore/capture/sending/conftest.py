"""An endpoint, a provider and a client of it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.fake_endpoint import FakeEndpoint, fake_endpoint
from support.fake_provider import FakeProvider, fake_provider
from support.sdk_twins import twin


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The environment of the machine is none of these tests' business."""
    for name in ("AIRCON_TOKEN", "AIRCON_SPOOL_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as provider:
        yield provider


@pytest.fixture
def sdk(provider: FakeProvider) -> Iterator[object]:
    made = twin(provider.url)
    yield made
    made.close()
