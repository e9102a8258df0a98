"""Small real stores in a bucket: the writer's home, others' homes, calls that never arrive."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import EndpointConnectionError
from support.s3_servers import Meddled, Server
from support.stores import OPTIONS, ORIGIN, TestStore, chat

from logstore.disk import Disk
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.s3.bucket import Bucket, Mode
from logstore.s3.client import S3
from logstore.s3.remote import Remote
from logstore.storage.home import make_home, make_writer
from logstore.storage.log import Log
from logstore.storage.logfile import Retention
from logstore.storage.reader import LogReader
from logstore.verify.findings import Report
from logstore.verify.verifier import verify_store

KEPT = Retention(index_days=400, body_days=200, mode="COMPLIANCE")


@dataclass
class BucketStore(TestStore):
    """A store in a bucket with its writer's home in a temporary directory."""

    bucket: Bucket
    mode: Mode = "COMPLIANCE"

    @property
    def remote(self) -> Remote:
        return self.bucket.remote

    def create(self, disk: Disk | None = None) -> Log:
        make_home(self.path, self.remote, disk or Disk(immutable=False))
        make_writer(self.path, secrets.token_hex(8), self.mode, Disk(immutable=False))
        keys = KeyStore.create(self.keys_path, NoHolder(), origin=ORIGIN, disk=disk)
        kept = msgspec.structs.replace(KEPT, mode=self.mode)
        return Log.create(self.path, keys, retention=kept, options=OPTIONS, disk=disk)

    def elsewhere(self, base: Path) -> Elsewhere:
        """Another machine, that has the policy and the bucket's address and nothing else."""
        home = base / "home"
        make_home(home, self.remote, Disk(immutable=False))
        return Elsewhere(home, self)

    def stolen(self, base: Path) -> BucketStore:
        """A copy of everything on this machine, in the hands of a second writer."""
        shutil.copytree(self.base, base)
        return BucketStore(base, self.bucket)

    def names(self, prefix: str = "") -> list[str]:
        """Names of everything in the bucket, once for each version."""
        return sorted(entry.name for entry in self.bucket.versions(prefix))

    def verify(self, **options: Any) -> Report:
        return verify_store(self.path, self.policy(), workers=1, **options)


@dataclass
class Elsewhere:
    """An auditor's machine."""

    home: Path
    store: BucketStore

    def reader(self) -> LogReader:
        return LogReader.open(self.home, policy=self.store.policy())

    def verify(self, **options: Any) -> Report:
        return verify_store(self.home, self.store.policy(), workers=1, **options)


class Network:
    """Every connection of a test goes through here; it can be cut, and calls can be meddled with.

    Attributes:
        cut: no call arrives.
        calls: answers of the test's own, by operation, given the real call first.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.cut = False
        self.calls: dict[str, Callable[..., Any]] = {}

    def connect(self, remote: Remote, *_: object) -> S3:
        """In the place of `logstore.s3.client.connect`."""
        client = self._server.client()
        made: S3 = _Line(client, self)  # type: ignore[assignment]
        return made

    @contextmanager
    def away(self) -> Iterator[None]:
        """The network is gone for a while."""
        self.cut = True
        try:
            yield
        finally:
            self.cut = False


class _Line(Meddled):
    def __init__(self, client: S3, network: Network) -> None:
        super().__init__(client)
        self._network = network

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name == "meta":
            return real

        def call(**asked: Any) -> Any:
            if self._network.cut:
                raise EndpointConnectionError(endpoint_url="http://gone")
            mine = self._network.calls.get(name)
            return real(**asked) if mine is None else mine(real, **asked)

        return call


def new_store(server: Server, base: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    """A store that is not made yet, in a fresh bucket; its `network` can be cut."""
    network = Network(server)
    monkeypatch.setattr("logstore.s3.reading.connect", network.connect)
    base.mkdir(parents=True, exist_ok=True)
    made = BucketStore(base, server.new_bucket())
    made.network = network  # type: ignore[attr-defined]
    return made


def sealed_store(
    server: Server, base: Path, monkeypatch: pytest.MonkeyPatch, segments: int
) -> BucketStore:
    """`new_store`, made, with so many sealed segments of one question each."""
    made = new_store(server, base, monkeypatch)
    with made.create() as log:
        for number in range(segments):
            log.append(chat(f"question {number}", "ada"))
            log.seal()
    return made
