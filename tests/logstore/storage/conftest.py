"""A server for stores in buckets."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.s3_servers import CREDENTIALS, Server, moto


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test servers' credentials, and nothing that the machine is set up with."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    with moto() as running:
        yield running


@pytest.fixture
def server(moto_server: Server, credentials: None) -> Server:
    """For what needs no lock to be enforced."""
    return moto_server
