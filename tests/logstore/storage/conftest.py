"""A server for stores in buckets."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bucket_stores import BucketStore, Network, new_store
from support.s3_servers import Server


@pytest.fixture
def server(moto_server: Server, s3_credentials: None) -> Server:
    """For what needs no lock to be enforced."""
    return moto_server


@pytest.fixture
def store(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    """A store in a fresh bucket, not made yet; a test of a directory has its own."""
    return new_store(server, tmp_path / "writer", monkeypatch)


@pytest.fixture
def network(store: BucketStore) -> Network:
    """Between that store and its bucket."""
    found: Network = store.network  # type: ignore[attr-defined]
    return found
