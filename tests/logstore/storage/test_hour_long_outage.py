"""An hour without the bucket, by a clock of the test's own: how often it is asked, what is kept."""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from support.bucket_stores import BucketStore, Network, new_store
from support.s3_servers import Server, client_error
from support.stores import chat, texts
from support.waiting import until

from logstore.errors import StoreRefused
from logstore.storage.log import Log, Options

HOUR_S = 3600.0
SMALL = Options(protect=False, auto_seal_bytes=20_000, busy_timeout_s=10)


@dataclass
class World:
    """What is outside, and when it is: time passes only while sealing waits for its next try.

    For an hour the network is gone; the credentials expire in the middle of it, and are renewed
    only twenty minutes after it is back.
    """

    now_s: float = 0.0
    until_s: float = 0.0
    tries: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> bool:
        """In the place of `Event.wait`: as long as the test lets time pass."""
        while self.now_s + seconds > self.until_s:
            if self.ended.wait(0.002):
                return True
        self.now_s += seconds
        return self.ended.is_set()

    def set(self) -> None:
        """In the place of `Event.set`."""
        self.ended.set()

    def is_set(self) -> bool:
        """In the place of `Event.is_set`."""
        return self.ended.is_set()

    def call(self, real: Any, **asked: Any) -> Any:
        """Any call to the server."""
        if self.now_s < HOUR_S:
            self.tries.append(self.now_s)
            raise EndpointConnectionError(endpoint_url="http://gone")
        if self.now_s < HOUR_S + 1200:
            raise client_error("ExpiredToken")
        return real(**asked)


@pytest.fixture
def store(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    made = new_store(server, tmp_path / "writer", monkeypatch)
    made.create().close()
    return made


def take(log: Log, minutes: range) -> None:
    """What comes in while so many minutes pass."""
    for minute in minutes:
        log.append(chat(f"minute {minute} " + "x" * 3000, "ada"))


def test_an_hour_without_the_bucket_and_credentials_that_expire_in_it(store: BucketStore) -> None:
    network: Network = store.network  # type: ignore[attr-defined]
    world = World()
    with store.open(options=SMALL) as log:
        log._background._end = world  # type: ignore[assignment]
        calls = ("put_object", "list_object_versions", "head_object", "get_object")
        network.calls = dict.fromkeys(calls, world.call)
        for minute in range(0, 60, 10):
            take(log, range(minute, minute + 10))
            world.until_s = (minute + 10) * 60.0
            until(lambda: world.until_s - world.now_s <= 60)
            assert log.away is not None
            assert log.waiting == len(log._state.waiting) > 0
        assert len(world.tries) <= 70, "asked again about once a minute, not in a rush"
        world.until_s = HOUR_S + 1000
        until(lambda: isinstance(log.away, StoreRefused))
        assert "have expired" in log.away.what
        assert "Renew the credentials" in (log.away.todo or "")
        take(log, range(60, 80))
        waiting = log.waiting
        assert waiting > 10
        world.until_s = HOUR_S + 1400
        until(lambda: log.away is None and log.waiting == 0)
        log.seal()
    minutes = [text.split()[1] for text in texts(store.reader()).values()]
    assert minutes == [str(minute) for minute in range(80)]
    report = store.verify()
    assert report.exit_code == 0, report.found
    assert "written-twice" not in report.codes()
    counted = collections.Counter(store.names())
    assert set(counted.values()) == {1}
    assert len(store.names("seal/")) >= waiting
