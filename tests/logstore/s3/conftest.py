"""Buckets for the tests of this floor."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.s3_servers import CREDENTIALS, Server, moto

from logstore.s3.bucket import Bucket


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test servers' credentials, and nothing that the machine is set up with."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    with moto() as server:
        yield server


@pytest.fixture
def bucket(moto_server: Server) -> Bucket:
    """A fresh bucket with Object Lock on moto: for what needs no lock to be enforced."""
    return moto_server.new_bucket()
