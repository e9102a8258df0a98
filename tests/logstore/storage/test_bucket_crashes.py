"""The writer dies at every call to disk and bucket: nothing is lost, and one object is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.bucket_stores import BucketStore, Network, new_store
from support.faulty_disk import FaultyDisk, Mode
from support.lives import check_whole, run_until_death
from support.s3_servers import Server
from support.stores import chat

from logstore.s3.bucket import Version


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["before", "after", "power"])
def test_every_point_of_death_loses_nothing_and_doubles_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    total = points(server, tmp_path, monkeypatch)
    assert total >= 125, "the life is too short to prove much"
    for fatal in range(0, total, 17):
        store, acknowledged = fresh(server, tmp_path / f"{mode}-{fatal}", monkeypatch)
        disk = FaultyDisk(store.base, fatal, mode)
        mortal(store, disk)
        assert run_until_death(store, disk, acknowledged), f"call {fatal} was never reached"
        network_of(store).calls.clear()
        check_whole(store, acknowledged)
        one_of_each(store)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["before", "after"])
def test_every_death_at_the_bucket(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """Every single put, answered or not: the calls that a step of the test above may jump over."""
    store, acknowledged = fresh(server, tmp_path / "count", monkeypatch)
    disk = FaultyDisk(store.base)
    mortal(store, disk)
    run_until_death(store, disk, acknowledged)
    puts = [number for number, name in enumerate(disk.calls) if name == "put_object"]
    assert len(puts) >= 8
    for fatal in puts:
        store, acknowledged = fresh(server, tmp_path / f"{mode}-{fatal}", monkeypatch)
        disk = FaultyDisk(store.base, fatal, mode)
        mortal(store, disk)
        assert run_until_death(store, disk, acknowledged)
        network_of(store).calls.clear()
        check_whole(store, acknowledged)
        one_of_each(store)


def fresh(
    server: Server, base: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[BucketStore, dict[int, str]]:
    store = new_store(server, base, monkeypatch)
    acknowledged: dict[int, str] = {}
    with store.create() as log:
        for n in range(3):
            acknowledged[log.append(chat(f"before {n}", f"user-{n}")).index] = f"before {n}"
        log.seal()
        acknowledged[log.append(chat("unsealed", "user-9")).index] = "unsealed"
    return store, acknowledged


def points(server: Server, base: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    store, acknowledged = fresh(server, base / "count", monkeypatch)
    disk = FaultyDisk(store.base)
    mortal(store, disk)
    assert not run_until_death(store, disk, acknowledged)
    network_of(store).calls.clear()
    check_whole(store, acknowledged)
    one_of_each(store)
    return len(disk.calls)


def mortal(store: BucketStore, disk: FaultyDisk) -> None:
    """Let puts into the bucket be calls at which the process may die."""

    def put(real: Any, **asked: Any) -> Any:
        answers: list[Any] = []

        def act() -> int:
            answers.append(real(**asked))
            return 0

        disk._call("put_object", act, lambda: None)
        return answers[0]

    network_of(store).calls["put_object"] = put


def network_of(store: BucketStore) -> Network:
    found: Network = store.network  # type: ignore[attr-defined]
    return found


def one_of_each(store: BucketStore) -> None:
    """No name has two versions, and no two segments start at one record."""
    versions = [each for each in store.bucket.versions() if isinstance(each, Version)]
    names = [each.name for each in versions]
    assert len(names) == len(set(names)), "an object was put twice"
    assert len(names) == len(list(store.bucket.versions())), "there are delete markers"
    firsts = [name.rpartition("/")[2].split("-")[1] for name in names if name.startswith("index/")]
    assert len(firsts) == len(set(firsts)) == len(store.reader().pins)
