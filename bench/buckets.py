"""A store in a bucket of a real server, beside plain boto3 and beside the same store locally.

The server is Ceph's gateway with its disk in memory, as the tests start it: what is measured is
what aircon adds, not a network. Plain boto3 moves the same bytes without any of
create-only, digests, locks, reading back and listing of versions.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import secrets
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from bench.report import Row, median, turns
from bench.setting import Setting
from bench.workload import ORIGIN, SEAL_BYTES, Bench, Load
from logstore.disk import Disk
from logstore.formats.body import Body
from logstore.formats.pins import ObjectPin
from logstore.formats.policy import Policy
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.query.engine import Engine
from logstore.s3.address import Address
from logstore.s3.remote import Remote
from logstore.storage import bucketblobs
from logstore.storage.bucketblobs import BucketBlobs
from logstore.storage.home import make_home, make_writer
from logstore.storage.log import Log, Options
from logstore.storage.logfile import Retention
from logstore.storage.reader import LogReader
from logstore.verify.verifier import verify_store


class Server(Protocol):
    """A running S3 server, as the tests' own support has it."""

    endpoint_url: str

    def client(self) -> Any:
        """boto3's client for it."""
        ...

    def new_bucket(self, *, prefix: str) -> Any:
        """A fresh bucket with Object Lock."""
        ...


_QUESTION = (
    "SELECT response_model, count(*), sum(input_tokens) FROM interactions"
    " GROUP BY response_model ORDER BY 2 DESC"
)
_MB = 1e6
_NEVER = 2**60
_PUT = 5  # segments that are put again and again: they must fit into the server's memory
_AT_ONCE = 4 * (os.cpu_count() or 1)  # connections, as verify has; no more is gained by either


def rows(setting: Setting) -> Iterator[Row]:
    """Publishing, verifying and asking."""
    load = Load(setting.sizes.batch * 3)
    local = Bench(setting.folder())
    with local.create(auto_seal=SEAL_BYTES) as log:
        deque(log.append_many(load.prepared(), group=2048), maxlen=0)
        log.seal()
    with _server(setting.folder()) as server:
        home = setting.folder() / "home"
        kept = _BucketStore(home, server, local)
        yield from kept.publishing(setting.sizes.runs)
        kept.fill(load)
        yield from kept.verifying(setting.sizes.runs)
        yield from kept.showing(setting.sizes.runs)
        yield from kept.asking(setting.sizes.runs)


class _BucketStore:
    """One bucket with what is measured in it."""

    def __init__(self, home: Path, server: Server, local: Bench) -> None:
        self._home = home
        self._server = server
        self._local = local
        self._bucket = server.new_bucket(prefix="bench").address.bucket
        self._pins = [
            pin
            for each in local.reader().pins[:_PUT]
            for pin in (each.index, each.body)
            if pin is not None
        ]
        self._size = sum(pin.size for pin in self._pins)
        self._policy = local.policy()
        self._keys: KeyStore | None = None

    # -- publishing ---------------------------------------------------------------------------

    def publishing(self, runs: int) -> Iterator[Row]:
        """Megabytes a second of sealed objects under lock."""
        ours, plain = _rates([self._publish, self._upload], runs)
        what = f"publish under lock, {len(self._pins)} objects of {self._size / _MB:.0f} MB"
        yield Row(what, ours.wall, "MB/s", "boto3 put_object", plain.wall, ">= 0.8x")
        yield Row("the same, our processor time", ours.cpu, "MB/CPU s", "boto3", plain.cpu)

    def _publish(self) -> _Rate:
        home = self._home.with_name(secrets.token_hex(8))
        remote = self._remote(home.name)
        make_home(home, remote, Disk(immutable=False))
        make_writer(home, secrets.token_hex(8), "COMPLIANCE", Disk(immutable=False))
        blobs = BucketBlobs(home, remote, Disk(immutable=False))
        blobs.bucket.versions()  # the connection is there, as it is for boto3
        staged = [self._staged(home, pin) for pin in self._pins]
        until = time.time_ns() // 1000 + 60_000_000
        clock = _Clock()
        for at in range(0, len(staged), 2):  # index and body of a segment, as sealing does
            pins = [
                msgspec.structs.replace(p, retain_until_us=until) for p in self._pins[at : at + 2]
            ]
            blobs.publish_all(list(zip(pins, staged[at : at + 2], strict=True)))
        return clock.rate(self._size)

    def _staged(self, home: Path, pin: ObjectPin) -> Path:
        path = home / secrets.token_hex(8)
        shutil.copyfile(self._local.store / pin.key, path)
        return path

    def _upload(self) -> _Rate:
        client: Any = self._server.client()
        prefix = secrets.token_hex(8)
        clock = _Clock()
        for pin in self._pins:
            data = (self._local.store / pin.key).read_bytes()
            client.put_object(Bucket=self._bucket, Key=f"{prefix}/{pin.key}", Body=data)
        return clock.rate(self._size)

    # -- verifying ----------------------------------------------------------------------------

    def fill(self, load: Load) -> None:
        """The same records as a log in the bucket."""
        make_home(self._home, self._remote("log"), Disk(immutable=False))
        make_writer(self._home, secrets.token_hex(8), "COMPLIANCE", Disk(immutable=False))
        options = Options(protect=False, auto_seal_bytes=SEAL_BYTES)
        kept = Retention(index_days=1, body_days=1, mode="COMPLIANCE")
        keys = KeyStore.create(self._home.with_name("bucket.keys"), NoHolder(), origin=ORIGIN)
        self._policy, self._keys = Policy((keys.signer().verifier(),)), keys
        with Log.create(self._home, keys, retention=kept, options=options) as log:
            deque(log.append_many(load.prepared(), group=2048), maxlen=0)
            log.seal()

    def verifying(self, runs: int) -> Iterator[Row]:
        """Megabytes a second from the bucket, hashed and with every lock looked at."""
        ours, plain, hashed = _rates(
            [self._verify, self._download, lambda: self._download(hashlib.sha256)], runs
        )
        what, peer = "verify --quick a bucket", f"boto3 get_object x {_AT_ONCE}"
        yield Row(what, ours.wall, "MB/s", peer, plain.wall, ">= 0.8x")
        yield Row(what, ours.wall, "MB/s", f"{peer} + SHA-256", hashed.wall)
        yield Row(
            "the same, our processor time", ours.cpu, "MB/CPU s", "boto3 + SHA-256", hashed.cpu
        )

    def _verify(self) -> _Rate:
        home = self._elsewhere()
        clock = _Clock()
        report = verify_store(home, self._policy, quick=True)
        rate = clock.rate(report.size_bytes)
        if report.exit_code:
            raise AssertionError(report.findings)
        return rate

    def _download(self, look: Callable[[bytes], object] = len) -> _Rate:
        client: Any = self._server.client()
        listed = client.list_objects_v2(Bucket=self._bucket, Prefix="log/")["Contents"]

        def get(key: str) -> int:
            data = client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            look(data)
            return len(data)

        clock = _Clock()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            size = sum(pool.map(get, [each["Key"] for each in listed]))
        return clock.rate(size)

    # -- one record ---------------------------------------------------------------------------

    def showing(self, runs: int) -> Iterator[Row]:
        """One record with its content on a machine that has nothing: in parts, and in wholes."""
        fetched = {worth: self._show(worth)[1] for worth in (bucketblobs.WORTH_PARTS, _NEVER)}
        parts, wholes = fetched.values()
        what = "show one record, nothing in the cache"
        yield Row(f"{what}: fetched", parts, "MB", "whole objects", wholes, "<= 0.25x")
        parts, wholes = turns(
            [lambda: self._show(bucketblobs.WORTH_PARTS)[0], lambda: self._show(_NEVER)[0]], runs
        )
        yield Row(what, parts, "ms", "whole objects", wholes, "<= 1x")

    def _show(self, worth: int) -> tuple[float, float]:
        """Milliseconds behind opening the log, and megabytes of answers."""
        worth, bucketblobs.WORTH_PARTS = bucketblobs.WORTH_PARTS, worth
        try:
            reader = LogReader.open(self._elsewhere(), policy=self._policy, keys=self._keys)
            pin = reader.pins[len(reader.pins) // 2]
            fetched = _Fetched(cast("BucketBlobs", reader.blobs).bucket.client)
            start = time.perf_counter()
            [(_, _, body)] = reader.contents(pin.first + pin.count // 3, 1)
            seconds = time.perf_counter() - start
        finally:
            bucketblobs.WORTH_PARTS = worth
        if not isinstance(body, Body):
            raise TypeError(body)
        return seconds * 1e3, fetched.size / _MB

    # -- asking -------------------------------------------------------------------------------

    def asking(self, runs: int) -> Iterator[Row]:
        """Seconds from nothing to an answer over clear columns."""
        warm = self._elsewhere()
        self._ask(warm)
        cold, kept, local = turns(
            [
                lambda: self._ask(self._elsewhere()),
                lambda: self._ask(warm),
                lambda: self._ask(self._local.store),
            ],
            runs,
        )
        yield Row("first answer, nothing in the cache", cold, "ms", "the same store, local", local)
        yield Row("first answer, cached", kept, "ms", "the same store, local", local, "<= 1.1x")
        kept, local = self._again(warm, runs), self._again(self._local.store, runs)
        yield Row("next answer, cached", kept, "ms", "the same store, local", local, "<= 1.1x")

    def _ask(self, store: Path) -> float:
        start = time.perf_counter()
        reader = self._reader(store)
        with Engine.open(reader, work=store.with_name("work")) as engine:
            engine.sql(_QUESTION)
        return (time.perf_counter() - start) * 1e3

    def _again(self, store: Path, runs: int) -> float:
        reader = self._reader(store)
        with Engine.open(reader, work=store.with_name("work")) as engine:
            engine.sql(_QUESTION)

            def one() -> float:
                start = time.perf_counter()
                engine.sql(_QUESTION)
                return (time.perf_counter() - start) * 1e3

            return median(one() for _ in range(runs * 3))

    def _reader(self, store: Path) -> LogReader:
        local = store == self._local.store
        return LogReader.open(store, policy=self._local.policy() if local else self._policy)

    def _elsewhere(self) -> Path:
        home = self._home.with_name(secrets.token_hex(8))
        make_home(home, self._remote("log"), Disk(immutable=False))
        return home

    def _remote(self, prefix: str) -> Remote:
        return Remote(Address(self._bucket, prefix), self._server.endpoint_url)


@dataclass(frozen=True)
class _Rate:
    """Megabytes a second, and a second of this process's processor time."""

    wall: float
    cpu: float


class _Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def rate(self, size: int) -> _Rate:
        """Of so many bytes until now."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return _Rate(size / wall / _MB, size / cpu / _MB)


def _rates(acts: Sequence[Callable[[], _Rate]], runs: int) -> list[_Rate]:
    """Medians of measurements taken in turn."""
    taken = [[act() for act in acts] for _ in range(runs)]
    columns = zip(*taken, strict=True)
    return [_Rate(median(r.wall for r in each), median(r.cpu for r in each)) for each in columns]


class _Fetched:
    """Counts the bytes of objects that a client is sent."""

    def __init__(self, client: Any) -> None:
        self.size = 0
        client.meta.events.register("after-call.s3.GetObject", self._count)

    def _count(self, parsed: dict[str, Any], **_: object) -> None:
        self.size += parsed["ContentLength"]


@contextmanager
def _server(folder: Path) -> Iterator[Server]:
    """Ceph's gateway; `make servers` installs it."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
    rgw, tls, servers = (
        importlib.import_module(f"support.{name}") for name in ("rgw", "certificates", "s3_servers")
    )
    os.environ.update(servers.CREDENTIALS)
    (folder / "cluster").mkdir()
    with rgw.rgw(folder / "cluster", tls.certificates(folder / "tls")) as both:
        yield cast("Server", both[0])
