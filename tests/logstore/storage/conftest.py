"""A server for stores in buckets."""

from __future__ import annotations

import pytest
from support.s3_servers import Server


@pytest.fixture
def server(moto_server: Server, s3_credentials: None) -> Server:
    """For what needs no lock to be enforced."""
    return moto_server
