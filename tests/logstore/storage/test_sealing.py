"""Sealing tells how far it is, can be stopped at any step, and never falls far behind a writer."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from support.stores import TestStore, chat, texts

from logstore.disk import AlreadyThere, Disk
from logstore.errors import NotDurable
from logstore.storage.keepup import MOST_WAITING, BackgroundSealing, Sealable
from logstore.storage.log import Log, Options
from logstore.storage.tally import Progress
from logstore.verify.verifier import verify_store

RECORDS = 3_000


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture
def waiting(tmp_path: Path) -> TestStore:
    """A store of two write-ahead files, the older one waiting to be sealed."""
    store = TestStore(tmp_path / "one")
    store.base.mkdir()
    with store.create() as log:
        for half in (0, 1):
            numbers = range(half * RECORDS // 2, (half + 1) * RECORDS // 2)
            records = (chat(f"question {n}", f"user-{n % 200}") for n in numbers)
            for _ in log.append_many(records, group=500):
                pass
            if not half:
                log._rotate(0)
    return store


def objects(store: TestStore) -> dict[str, bytes]:
    """Name -> bytes of every sealed object."""
    return {str(p.relative_to(store.path)): p.read_bytes() for p in store.path.rglob("*.parquet")}


def test_it_tells_how_far_it_is_within_a_segment_and_over_all_of_them(waiting: TestStore) -> None:
    told: list[tuple[int, int]] = []
    log = Log.open(
        waiting.path, waiting.keys(), options=Options(protect=False, auto_seal_bytes=None),
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    with log:
        opened, told[:] = told.copy(), []
        pins = log.seal(progress=lambda done, total: told.append((done, total)))
    for steps in (opened, told):
        done = [step[0] for step in steps]
        assert done == sorted(done)
        assert len(set(done)) >= 4, "no step within a segment"
        assert {total for _, total in steps} == {done[-1]}
    assert told[-1] == (pins[0].count, pins[0].count)
    assert opened[-1][0] + told[-1][0] >= RECORDS


def test_stopped_at_any_step_it_ends_in_the_same_bytes(waiting: TestStore, tmp_path: Path) -> None:
    straight = TestStore(tmp_path / "straight")
    shutil.copytree(waiting.base, straight.base)
    with straight.open():
        pass  # opening seals what waits
    due = objects(straight)
    assert len(due) == 2
    for step in range(1, 40):
        stopped = TestStore(tmp_path / f"stopped-{step}")
        shutil.copytree(waiting.base, stopped.base)
        calls = 0

        def stop(_done: int, _total: int, at: int = step) -> None:
            nonlocal calls
            calls += 1
            if calls == at:
                raise Stopped

        try:
            Log.open(stopped.path, stopped.keys(), progress=stop).close()
        except Stopped:
            with stopped.open():
                pass
            assert objects(stopped) == due
            report = verify_store(stopped.path, stopped.policy(), keys=stopped.keys(), workers=1)
            assert report.exit_code == 0, report.found
        else:
            assert step > 5
            return
    pytest.fail("it never came to its end")


def test_however_slow_sealing_is_segments_stay_small_and_few_files_wait(tmp_path: Path) -> None:
    class SlowToPublish(Disk):
        """As slow as a busy disk, until the writer has been seen waiting."""

        def __init__(self) -> None:
            super().__init__(immutable=False)
            self.go = threading.Event()
            self.most = 0

        def sys_link(self, source: Path, target: Path) -> None:
            if target.suffix == ".parquet":
                self.go.wait(20)
            if target.exists():
                raise AlreadyThere(17, "name exists", str(target))
            super().sys_link(source, target)

    store, disk = TestStore(tmp_path), SlowToPublish()
    store.create().close()
    options = Options(protect=False, auto_seal_bytes=20_000)
    folder = next((store.path / "wal").iterdir())

    def write() -> None:
        with Log.open(store.path, store.keys(disk), options=options, disk=disk) as log:
            records = (chat(f"{n} " + "long " * 50, f"u{n % 5}") for n in range(500))
            for _ in log.append_many(records, group=16):
                disk.most = max(disk.most, len(list(folder.glob("*.wal"))))

    writer = threading.Thread(target=write)
    writer.start()
    writer.join(1.5)
    assert writer.is_alive(), "it wrote on and on while nothing was sealed"
    disk.go.set()
    writer.join(60)
    assert not writer.is_alive()
    assert disk.most == MOST_WAITING + 1
    reader = store.reader()
    assert len(texts(reader)) == 500
    assert len(reader.pins) > 5
    assert max(pin.count for pin in reader.pins) < 80, "a segment took more than one file"


def test_a_sealing_that_keeps_failing_is_said_and_lets_no_file_pile_up() -> None:
    files: list[int] = []

    def fail(_: Progress) -> None:
        raise NotDurable("no room for a segment")

    log = Sealable(lambda: 10, lambda: len(files), lambda: 2**40, files.append, fail)
    background = BackgroundSealing(log, 10)
    said = 0
    for _ in range(20):
        try:
            background.keep_up()
        except NotDurable:
            said += 1
    background.shutdown()
    assert len(files) == MOST_WAITING
    assert said >= 15
