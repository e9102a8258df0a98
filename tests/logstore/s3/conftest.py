"""Buckets for the tests of this floor."""

from __future__ import annotations

import pytest
from support.s3_servers import Server

from logstore.s3.bucket import Bucket


@pytest.fixture(autouse=True)
def _credentials(s3_credentials: None) -> None:
    """Every test here asks a server."""


_REAL = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture(
    params=[
        "moto",
        pytest.param("rgw-http", marks=_REAL),
        pytest.param("rgw-https", marks=_REAL),
        pytest.param("ministack", marks=_REAL),
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    """Every server in turn: what a test says of it holds on all of them."""
    if request.param.startswith("rgw"):
        found: Server = request.getfixturevalue("rgw_servers")[request.param]
        return found
    single: Server = request.getfixturevalue(f"{request.param}_server")
    return single


@pytest.fixture
def bucket(moto_server: Server) -> Bucket:
    """A fresh bucket with Object Lock on moto: for what needs no lock to be enforced."""
    return moto_server.new_bucket()
