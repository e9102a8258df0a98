"""The process dies at every write, flush, link, rename and unlink: nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faulty_disk import FaultyDisk, Killed, Mode
from support.lives import abandon, check_whole, run_until_death
from support.stores import OPTIONS, ORIGIN, TestStore, chat

from logstore.errors import AirconError, UsageError
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.storage.log import Log


def fresh(base: Path, name: str) -> tuple[TestStore, dict[int, str]]:
    store = TestStore(base / name)
    store.base.mkdir()
    acknowledged: dict[int, str] = {}
    with store.create() as log:
        for n in range(3):
            acknowledged[log.append(chat(f"before {n}", f"user-{n}")).index] = f"before {n}"
        log.seal()
        acknowledged[log.append(chat("unsealed", "user-9")).index] = "unsealed"
    return store, acknowledged


def points(base: Path) -> int:
    store, acknowledged = fresh(base, "count")
    disk = FaultyDisk(store.base)
    assert not run_until_death(store, disk, acknowledged)
    check_whole(store, acknowledged)
    return len(disk.calls)


def deaths(total: int, mode: Mode, step: int = 1) -> Iterator[tuple[int, Mode]]:
    for fatal in range(0, total, step):
        yield fatal, mode


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["before", "torn", "after", "power"])
def test_every_point_of_death_loses_nothing_acknowledged(tmp_path: Path, mode: Mode) -> None:
    total = points(tmp_path)
    assert total >= 125, "the life is too short to prove much"
    for fatal, how in deaths(total, mode):
        store, acknowledged = fresh(tmp_path, f"{mode}-{fatal}")
        disk = FaultyDisk(store.base, fatal, how)
        assert run_until_death(store, disk, acknowledged), f"call {fatal} was never reached"
        check_whole(store, acknowledged)


@pytest.mark.slow
def test_a_second_death_during_recovery_loses_nothing_either(tmp_path: Path) -> None:
    total = points(tmp_path)
    recovered_at_once = 0
    for fatal, mode in deaths(total, "power", step=7):
        for again in range(0, 40, 3):
            store, acknowledged = fresh(tmp_path, f"{fatal}-{again}")
            assert run_until_death(store, FaultyDisk(store.base, fatal, mode), acknowledged)
            second = FaultyDisk(store.base, again, "torn")
            try:
                abandon(store.open(second))
                recovered_at_once += 1
            except (Killed, AirconError):
                assert second.dead
            check_whole(store, acknowledged)
            if not second.dead:
                break
    assert recovered_at_once > 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["before", "torn", "after", "power"])
def test_a_store_whose_making_died_can_be_made_again(tmp_path: Path, mode: Mode) -> None:
    first = TestStore(tmp_path / "whole")
    first.base.mkdir()
    whole = FaultyDisk(first.base)
    abandon(first.create(whole))
    for fatal in range(len(whole.calls)):
        store = TestStore(tmp_path / f"{mode}-{fatal}")
        store.base.mkdir()
        with pytest.raises((Killed, AirconError)):
            store.create(FaultyDisk(store.base, fatal, mode))
        log = recreate(store)
        acknowledged = {log.append(chat("first", "user-1")).index: "first"}
        log.close()
        check_whole(store, acknowledged)


def recreate(store: TestStore) -> Log:
    """What `aircon init` does after a crash: keep a key store that exists, finish the log."""
    keys = KeyStore.open_or_create(store.keys_path, NoHolder(), origin=ORIGIN)
    try:
        return Log.create(store.path, keys, options=OPTIONS)
    except UsageError:
        return Log.open(store.path, keys, options=OPTIONS)
