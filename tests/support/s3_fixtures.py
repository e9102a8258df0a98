"""S3 servers as fixtures: started for the tests of one worker that ask, and stopped at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from support import rgw as ceph
from support import s3_servers
from support.certificates import certificates
from support.missing import missing
from support.s3_servers import CREDENTIALS, Server

KMS_REGION = "eu-central-1"
"""Where the tests' KMS keys are."""


@pytest.fixture
def s3_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test servers' credentials, and nothing that the machine is set up with."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    """moto: for what needs no lock to be enforced."""
    with s3_servers.moto() as server:
        yield server


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[Server]:
    """ministack: knows conditional puts and checksums that Ceph's gateway lacks."""
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


@pytest.fixture
def rgw(rgw_servers: dict[str, Server], s3_credentials: None) -> Server:
    """Ceph's gateway over http: a real server that enforces locks and signatures."""
    return rgw_servers["rgw-http"]


@pytest.fixture
def kms(
    moto_server: Server, s3_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """moto's KMS in the place of Amazon's, and a client for it in `KMS_REGION`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", moto_server.endpoint_url)
    client = boto3.session.Session().client("kms", region_name=KMS_REGION)
    yield client
    client.close()
