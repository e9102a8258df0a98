"""Buckets for the tests of this floor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import rgw as ceph
from support import s3_servers
from support.certificates import certificates
from support.missing import missing
from support.s3_servers import CREDENTIALS, Server

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
    with s3_servers.moto() as server:
        yield server


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[Server]:
    if not s3_servers.ministack_program().exists():
        missing("ministack is not installed: run `make servers`")
    with s3_servers.ministack() as server:
        yield server


@pytest.fixture(scope="session")
def rgw_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Ceph's gateway, one cluster for each worker: by name, http and https."""
    if not ceph.is_installed():
        missing(f"Ceph's S3 server is not installed ({', '.join(ceph.PROGRAMS)}): `make servers`")
    base: Path = tmp_path_factory.mktemp("ceph")
    (base / "cluster").mkdir()
    with ceph.rgw(base / "cluster", certificates(base / "tls")) as both:
        yield {server.name: server for server in both}


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
