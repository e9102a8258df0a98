"""The endpoint's writer: shared commits, logs that stop and go on, people who stay forgotten."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
from support.stores import TestStore, chat

from logstore.disk import Disk
from logstore.errors import AirconError, NotDurable
from logstore.formats.leaf import parse
from logstore.formats.record import Receipt, Record, Refusal
from logstore.receiving import writing
from logstore.receiving.writing import REFUSED, Writer, is_withheld
from logstore.storage.log import Log


class SickDisk(Disk):
    """A disk whose flushes fail while it is sick."""

    def __init__(self, number: int) -> None:
        super().__init__(immutable=False)
        self.number = number
        self.sick = False

    def sys_fdatasync(self, fd: int) -> None:
        if self.sick:
            raise OSError(self.number, "made up")
        super().sys_fdatasync(fd)


class Desk:
    """A store whose writer can be made to fail."""

    def __init__(self, base: Path, number: int = errno.EIO) -> None:
        self.store = TestStore(base)
        self.store.create().close()
        self.disk = SickDisk(number)
        self.opened = 0
        self.troubles: list[AirconError | None] = []

    def opening(self) -> Log:
        self.opened += 1
        return self.store.open(self.disk)

    def writer(self) -> Writer:
        return Writer(self.opening, self.troubles.append)

    def kinds(self) -> list[str]:
        reader = self.store.reader()
        return [parse(leaf).kind for leaf in reader.leaves(0, reader.size)]


async def test_requests_that_wait_together_share_commits(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    writer = desk.writer()
    answers = await asyncio.gather(
        *(writer.store([chat(f"{n} {m}", "maria") for m in range(n % 5)]) for n in range(50))
    )
    await writer.close()
    assert [len(each) for each in answers] == [n % 5 for n in range(50)]
    assert all(isinstance(receipt, Receipt) for each in answers for receipt in each)
    indexes = [receipt.index for each in answers for receipt in each]  # type: ignore[union-attr]
    assert len(set(indexes)) == len(indexes) == 100


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
async def test_a_flush_that_fails_refuses_and_the_log_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(writing, "REOPEN_S", 0.01)
    desk = Desk(tmp_path, number)
    writer = desk.writer()
    (first,) = await writer.store([chat("before", "maria")])
    assert isinstance(first, Receipt)

    desk.disk.sick = True
    with pytest.raises(NotDurable):
        await writer.store([chat("lost", "maria")])
    assert writer.trouble is not None
    await asyncio.sleep(0.02)
    with pytest.raises(AirconError):
        await writer.store([chat("lost too", "maria")])

    desk.disk.sick = False
    await asyncio.sleep(0.02)
    await writer.revive()
    (last,) = await writer.store([chat("after", "maria")])
    assert isinstance(last, Receipt)
    assert writer.trouble is None
    await writer.close()
    assert desk.troubles[-1] is None
    assert isinstance(desk.troubles[0], NotDurable)
    reader = desk.store.reader()
    bodies = {index: body for index, _, body in reader.contents(0, reader.size)}
    texts = [bodies[index].raw for index in (first.index, last.index)]  # type: ignore[union-attr]
    assert texts == [b"before", b"after"]


async def test_a_log_that_can_not_be_opened_is_not_tried_all_the_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    writer = desk.writer()
    desk.disk.sick = True
    for _ in range(20):
        with pytest.raises(AirconError):
            await writer.store([chat("no", "maria")])
    await writer.close()
    assert desk.opened <= 2


async def test_who_was_erased_is_not_stored_again_and_a_record_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    log = desk.opening()
    log.append(chat("early", "maria"))
    keys = log.keys
    for entry in list(keys._ring.all()):
        if entry.identity == "maria":
            keys.destroy([entry.id])
            log.append(Record("key.destroyed", "test", clear={"key": entry.id}))
    log.close()

    writer = desk.writer()
    outcomes = await writer.store([chat("late", "maria"), chat("other", "paul")])
    await writer.close()
    assert isinstance(outcomes[0], Refusal)
    assert is_withheld(outcomes[0])
    assert isinstance(outcomes[1], Receipt)
    assert desk.kinds()[-1] == REFUSED


async def test_one_large_request_is_stored_whole(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    writer = desk.writer()
    outcomes = await writer.store([chat(str(n), "maria") for n in range(10_000)])
    await writer.close()
    assert len(outcomes) == 10_000
    assert all(isinstance(each, Receipt) for each in outcomes)


async def test_a_few_records_do_not_wait_for_the_many_that_came_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    writer = desk.writer()
    done: list[str] = []

    async def store(name: str, count: int) -> list[Receipt | Refusal]:
        outcomes = await writer.store([chat(f"{name} {n}", "maria") for n in range(count)])
        done.append(name)
        return outcomes

    many = asyncio.create_task(store("many", 4 * writing.MAX_TAKEN))
    await asyncio.sleep(0)
    few = await asyncio.gather(*(store("few", 3) for _ in range(5)))
    assert done == ["few"] * 5
    outcomes = await many
    await writer.close()
    indexes = [each.index for each in outcomes if isinstance(each, Receipt)]
    assert indexes == sorted(indexes)
    assert len(set(indexes)) == 4 * writing.MAX_TAKEN
    assert all(isinstance(each, Receipt) for outcome in few for each in outcome)
    first = [each.index for outcome in few for each in outcome if isinstance(each, Receipt)]
    assert max(first) < max(indexes)


async def test_large_contents_take_turns_by_their_size(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    writer = desk.writer()
    done: list[str] = []

    async def store(name: str, texts: list[str]) -> None:
        await writer.store([chat(text, "maria") for text in texts])
        done.append(name)

    large = asyncio.create_task(store("large", ["x" * writing.SHARE_BYTES] * 4))
    await asyncio.sleep(0)
    await store("small", ["hello"])
    assert done == ["small"]
    await large
    await writer.close()


async def test_a_request_of_which_a_part_could_not_be_stored_is_refused_as_a_whole(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    writer = desk.writer()
    flushes = 0
    healthy = desk.disk.sys_fdatasync

    def third_fails(fd: int) -> None:
        nonlocal flushes
        flushes += 1
        desk.disk.sick = flushes == 3
        healthy(fd)

    desk.disk.sys_fdatasync = third_fails  # type: ignore[method-assign] # falls ill on the way
    with pytest.raises(AirconError):
        await writer.store([chat(str(n), "maria") for n in range(10 * writing.SHARE)])
    assert flushes == 3
    await writer.close()
    assert len(desk.kinds()) <= 1 + 2 * writing.SHARE  # nothing of it was tried after that
