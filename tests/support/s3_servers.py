"""S3 servers on loopback for tests, and buckets with Object Lock on them.

Every server is reached with the same credentials, from the environment, as a user's would be.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from botocore.exceptions import ClientError
from support.client_programs import free_port
from support.waiting import until

from logstore.s3.address import Address
from logstore.s3.bucket import Bucket
from logstore.s3.client import S3, Patience, connect
from logstore.s3.remote import Remote

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What the environment of a test holds; whatever else it says of AWS is taken out."""

BRISK = Patience(connect_s=2, read_s=20, attempts=4)


@dataclass(frozen=True)
class Server:
    """A running S3 server.

    Attributes:
        name: which software, and how it is reached.
        endpoint_url: where it is.
        ca_bundle: the authority of its certificate, where it has one.
    """

    name: str
    endpoint_url: str
    ca_bundle: str | None = None

    def remote(self, bucket: str, prefix: str = "logs") -> Remote:
        """Where a bucket of it is."""
        return Remote(Address(bucket, prefix), self.endpoint_url, None, self.ca_bundle)

    def client(self, patience: Patience = BRISK) -> S3:
        """A client set up as ours is; made once, since that takes longer than most calls."""
        return _client(self.remote("any-bucket"), patience)

    def new_bucket(self, *, locked: bool = True, prefix: str = "logs") -> Bucket:
        """A fresh bucket, with Object Lock unless told otherwise."""
        name = f"evidence-{secrets.token_hex(6)}"
        client = self.client()
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)  # type: ignore[attr-defined]
        return Bucket(self.remote(name, prefix), client, pause=lambda _: None)


@functools.cache
def _client(remote: Remote, patience: Patience) -> S3:
    return connect(remote, patience)


@contextlib.contextmanager
def moto() -> Iterator[Server]:
    """moto's S3, a process of its own; it enforces no lock and no signature."""
    program = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1"]
    with _running("moto", program, "-p", {}) as server:
        yield server


def ministack_program() -> Path:
    """Where `make servers` installs ministack."""
    main = Path(sys.prefix)
    return main.with_name(f"{main.name}-servers") / "bin/ministack"


@contextlib.contextmanager
def ministack() -> Iterator[Server]:
    """ministack's S3, a process of its own, in memory; it checks no signature."""
    settings = {
        "BIND_HOST": "127.0.0.1", "SERVICES": "s3", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
    }  # fmt: skip
    with _running("ministack", [ministack_program()], "GATEWAY_PORT", settings) as server:
        yield server


@contextlib.contextmanager
def _running(
    name: str, program: list[str | Path], port_goes_in: str, environment: dict[str, str]
) -> Iterator[Server]:
    port = str(free_port())
    as_option = port_goes_in.startswith("-")
    process = subprocess.Popen(
        [*program, *([port_goes_in, port] if as_option else [])],
        env={"PATH": os.environ["PATH"], port_goes_in: port, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(endpoint) or process.poll() is not None)
        assert process.poll() is None, f"{name} did not start"
        yield Server(name, endpoint)
    finally:
        process.terminate()
        process.wait(30)


def answers(endpoint: str) -> bool:
    """Whether a server answers HTTP there."""
    try:
        httpx.get(endpoint, trust_env=False, timeout=5)
    except httpx.HTTPError:
        return False
    return True


class Meddled:
    """A client of which a test answers some calls itself; they are given the real call first."""

    def __init__(self, client: S3, **calls: Callable[..., Any]) -> None:
        self._client = client
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in self._calls:
            return real
        return functools.partial(self._calls[name], real)


def in_an_hour(hours: float = 1) -> int:
    """Microseconds since 1970, so many hours from now."""
    return time.time_ns() // 1000 + int(hours * 3600 * 1_000_000)


def client_error(code: str, status: int = 400, **headers: str) -> ClientError:
    """An error as botocore raises it."""
    about = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": about}, "PutObject")
