"""What was acknowledged is there: after kill -9, full disks, the end, beside other writers."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import stores
from support.commands import line
from support.inside import Inside, inside
from support.sending import Sender, acknowledged, started, stopped
from support.serving import PROTOBUF, aircon, new_store, serving, spans, sql

from logstore.disk import Disk
from logstore.formats.body import Body
from logstore.formats.record import INTERACTION
from logstore.receiving import writing
from logstore.receiving.limits import Limits

KILLS = 10
OPEN = "--insecure-no-passphrase"
_LEAST_S = 0.4  # of load before something happens


def stored(store: Path) -> list[str]:
    """Response ids of every interaction of a store."""
    rows = sql(store, "SELECT response_id AS id FROM interactions")
    return [str(row["id"]) for row in rows]


def wait_for(senders: list[Sender], count: int) -> None:
    """Until so many requests were acknowledged to each, and load went on for a while."""
    time.sleep(_LEAST_S)
    deadline = time.monotonic() + 60
    while min(each.answers[200] for each in senders) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- kill -9 ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_process_is_killed_again_and_again(
    tmp_path: Path,
) -> None:
    store = new_store(tmp_path)
    senders: list[Sender] = []
    for life in range(KILLS):
        with serving(store, "--heartbeat", "0.2", "--seal-size", "1") as running:
            now = started(Sender(running.url, 2 * life + each, text="x" * 500) for each in (0, 1))
            wait_for(now, 2)
            running.process.kill()
            running.process.wait()
            stopped(now)
        assert all(each.broken and set(each.answers) == {200} for each in now)
        senders += now
        checked = aircon("verify", "--store", store, OPEN)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    found = stored(store)
    assert len(set(found)) == len(found)
    assert acknowledged(senders) - set(found) == set()
    assert aircon("verify", "--content", "--store", store, OPEN).returncode == 0


# -- the end ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_end_during_load_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with serving(store) as running:
        senders = started(Sender(running.url, each) for each in range(4))
        wait_for(senders, 2)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 30
        stopped(senders)
    for each in senders:
        assert set(each.answers) <= {200, 503}
        assert each.broken or each.answers[503]
    found = stored(store)
    assert acknowledged(senders) == set(found)
    assert len(set(found)) == len(found)


# -- full disks ---------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB, where this test may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("file systems can not be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def post(running: Inside, first: int, *, count: int = 5, text: str = "hello") -> int:
    """The answer code for some spans; 503 always says when to come back."""
    body = spans(count, first=first, text=text).SerializeToString()
    answer = await running.client.post("/v1/traces", content=body, headers=PROTOBUF)
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0
    return answer.status_code


def texts(running: Inside) -> list[bytes]:
    """The evidence of every interaction on its log, all of it readable."""
    reader = running.store.reader()
    found = []
    for _, leaf, body in reader.contents(0, reader.size):
        if leaf.kind == INTERACTION:
            assert isinstance(body, Body), body
            found.append(bytes(body.raw))
    return found


async def test_a_disk_that_fills_up_refuses_and_goes_on_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "REOPEN_S", 0.05)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 12 * 2**20)
    good = 0
    async with inside(small_disk) as running:
        code = 200
        while code == 200:
            good += 1
            code = await post(running, good * 10, text=os.urandom(100_000).hex())
            assert good < 100
        assert code == 503
        assert await post(running, 5_000, text=os.urandom(100_000).hex()) == 503
        assert (await running.client.get("/readyz")).status_code == 503
        assert (await running.client.get("/healthz")).status_code == 200
        ballast.unlink()
        await running.until(lambda: running.endpoint.obstacle() is None)
        assert await post(running, 6_000) == 200
        assert running.faults == 0
        assert running.events("log-goes-on")
    assert 5 * good <= len(texts(running)) <= 5 * good + 10  # refused ones may be there as well


async def test_little_free_space_is_said_before_the_disk_is_full(small_disk: Path) -> None:
    async with inside(small_disk, limits=Limits(min_free_bytes=16 * 2**20)) as running:
        assert await post(running, 1) == 200
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"\0" * 10 * 2**20)
        await asyncio.sleep(1.1)  # it looks once a second
        assert await post(running, 100) == 503
        assert running.events("request")[-1]["reason"] == "disk-nearly-full"
        ballast.unlink()
        await asyncio.sleep(1.1)
        assert await post(running, 200) == 200


class FullDisk(Disk):
    """Every write fails for want of space while it is full; what fits is written first."""

    def __init__(self) -> None:
        super().__init__(immutable=False)
        self.room: int | None = None

    def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        if self.room is None:
            return super().sys_write(fd, data, offset)
        fits = memoryview(data)[: self.room]
        if len(fits) == 0:
            raise OSError(errno.ENOSPC, "made up")
        self.room -= len(fits)
        return super().sys_write(fd, fits, offset)


@pytest.mark.parametrize("room", [0, 1, 100, 3_000])
async def test_a_write_that_fits_in_part_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(writing, "REOPEN_S", 0.02)
    disk = FullDisk()
    async with inside(tmp_path, disk=disk) as running:
        assert await post(running, 1) == 200
        disk.room = room
        assert await post(running, 100) == 503
        assert await post(running, 200) == 503
        disk.room = None
        await running.until(lambda: running.endpoint.obstacle() is None)
        assert await post(running, 100) == 200
        assert running.faults == 0
    found = texts(running)
    assert sum(b"hello 100" in text for text in found) == 1
    assert not any(b"hello 200" in text for text in found)


# -- other writers ------------------------------------------------------------------------------


@pytest.mark.slow
def test_imports_and_queries_beside_it_disturb_nobody(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(line(f"q {n}", "a", "maria") + "\n" for n in range(2_000)))
    with serving(store, "--heartbeat", "0.5") as running:
        senders = started(Sender(running.url, each) for each in (0, 1))
        wait_for(senders, 1)
        imported = aircon("import", lines, "--store", store, OPEN)
        assert imported.returncode == 0, imported.stderr
        asked = running.sql("SELECT count(*) AS n FROM interactions WHERE response_id IS NULL")
        assert asked == [{"n": 2_000}]
        sealed = aircon("seal", "--store", store, OPEN)
        assert sealed.returncode == 0, sealed.stderr
        before = [each.answers[200] for each in senders]
        wait_for(senders, max(before) + 1)
        stopped(senders)
        assert all(set(each.answers) == {200} for each in senders)
        assert running.stop() == 0
        assert running.verify().returncode == 0
    found = {each for each in stored(store) if each.startswith("resp-")}
    assert acknowledged(senders) == found


async def test_a_writer_that_never_lets_go_is_waited_for_and_then_senders_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "REOPEN_S", 0.05)
    monkeypatch.setattr(stores, "OPTIONS", replace(stores.OPTIONS, busy_timeout_s=0.2))
    async with inside(tmp_path) as running:
        assert await post(running, 1) == 200
        (lock,) = running.store.path.rglob("writer.lock")
        with lock.open("rb+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert await post(running, 100) == 503
            assert await post(running, 200) == 503
        await running.until(lambda: running.endpoint.obstacle() is None)
        assert await post(running, 300) == 200
        assert running.faults == 0


# -- too much -----------------------------------------------------------------------------------


def overload(store: Path, *options: str) -> tuple[list[float], int]:
    """Senders that never stop: MiB of memory from the first refusal on, and how often it sealed."""
    with serving(store, "--max-pending", "4", *options) as running:
        senders = started(
            Sender(running.url, each, spans_each=50, text="x" * 20_000) for each in range(12)
        )
        wait_for(senders[:1], 1)
        deadline = time.monotonic() + 60
        while not sum(each.answers[503] for each in senders):  # only now it is overloaded
            assert time.monotonic() < deadline
            time.sleep(0.1)
        sizes, before = [], segments(store)
        for _ in range(60):
            sizes.append(rss(running.process.pid))
            time.sleep(0.1)
        sealed = segments(store) - before
        stopped(senders)
        assert running.stop() == 0
    for each in senders:
        assert set(each.answers) <= {200, 503}
        assert set(each.waits) <= {"1"}
    assert sum(each.answers[200] for each in senders)
    assert acknowledged(senders) == set(stored(store))
    return sizes, sealed


@pytest.mark.slow
def test_senders_that_never_stop_are_told_to_come_back_and_memory_is_bounded(
    tmp_path: Path,
) -> None:
    # Sealing takes memory of its own (see the next test), and here would come at any moment.
    sizes, sealed = overload(new_store(tmp_path), "--seal-size", "4096")
    early, late = max(sizes[:30]), max(sizes[30:])
    assert max(sizes) < 400, sizes
    assert late < early + 60, sizes
    assert not sealed


@pytest.mark.slow
def test_memory_is_bounded_under_overload_also_while_the_log_is_sealed(tmp_path: Path) -> None:
    sizes, sealed = overload(new_store(tmp_path), "--seal-size", "8")
    assert sealed
    assert max(sizes) < 320, sizes


def segments(store: Path) -> int:
    """How many segments' bodies are sealed."""
    return sum(path.is_file() for path in (store / "body").rglob("*"))


def rss(pid: int) -> float:
    """Resident MiB of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) / 1024
