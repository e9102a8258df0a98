"""Writing: receipts, shared commits, refusals, several people, several processes, sealing."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.stores import ORIGIN, TestStore, chat, texts

from logstore.disk import Disk, is_immutable
from logstore.errors import KeyDestroyed, NotDurable, NotFound, TamperingFound, UsageError
from logstore.formats.leaf import GENESIS, leaf_hash, parse
from logstore.formats.merkle import Frontier
from logstore.formats.record import Receipt, Record, Refusal
from logstore.storage.bodies import Unreadable
from logstore.storage.log import Log, Options
from logstore.storage.reader import LogReader


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    return TestStore(tmp_path)


def chain(reader: LogReader) -> list[str]:
    """Kinds in order, after checking the hash chain and the tree."""
    previous, frontier, kinds = GENESIS, Frontier(), []
    for index, raw in enumerate(reader.leaves(0, reader.size)):
        leaf = parse(raw)
        assert (leaf.index, leaf.prev) == (index, previous)
        previous = leaf_hash(raw)
        frontier.append(previous)
        kinds.append(leaf.kind)
    assert (frontier.size, frontier.root()) == (reader.checkpoint.size, reader.checkpoint.root)
    return kinds


def test_a_receipt_names_the_record_that_can_be_read_back(store: TestStore) -> None:
    with store.create() as log:
        receipt = log.append(chat("Wo ist mein Paket?", "maria", seq=7, session="s1"))
    reader = store.reader()
    raw = reader.leaves(receipt.index, 1)[0]
    leaf = parse(raw)
    assert (leaf.id, leaf.seq, leaf.source, leaf_hash(raw)) == (
        receipt.id, 7, "test", receipt.leaf_hash,
    )  # fmt: skip
    assert texts(reader) == {receipt.index: "Wo ist mein Paket?"}
    assert chain(reader) == ["log.created", "key.created", "interaction"]


def test_nothing_personal_stands_in_the_store_or_beside_it(store: TestStore) -> None:
    with store.create() as log:
        log.append(chat("my IBAN is DE89370400440532013000", "maria@example.org", session="s-4711"))
        log.seal()
        log.append(
            chat(
                "and my phone is +49 221 5550123", "maria@example.org", conversation="talk-of-maria"
            )
        )
    private = [b"DE8937", b"maria@example.org", b"s-4711", b"5550123", b"talk-of-maria"]
    for path in (p for p in store.base.rglob("*") if p.is_file()):
        data = path.read_bytes()
        assert not [word for word in private if word in data], f"{path} holds personal data"


def test_a_clear_field_off_the_list_is_refused_and_takes_no_place(store: TestStore) -> None:
    with store.create() as log:
        before = log.size
        with pytest.raises(UsageError, match="enduser.id"):
            log.append(Record("interaction", "test", clear={"enduser.id": "maria"}))
        for kind in ("span", "log"):
            with pytest.raises(UsageError, match="not on the list of clear fields"):
                log.append(Record(kind, "test", clear={"enduser.id": "maria"}))
        assert log.size == before
        good, bad, last = log.append_batch(
            [chat("one", "a"), Record("x", "test", clear={"big": "x" * 70_000}), chat("two", "a")]
        )
        assert isinstance(bad, Refusal)
        assert isinstance(good, Receipt)
        assert isinstance(last, Receipt)
        assert last.index == good.index + 1
    assert set(texts(store.reader()).values()) == {"one", "two"}


def test_all_people_of_a_record_are_needed_to_open_it(store: TestStore) -> None:
    with store.create() as log:
        both = log.append(chat("Maria and Tom quarrel", "maria", "tom")).index
        only = log.append(chat("Maria alone", "maria")).index
        log.seal()
        log.keys.destroy([key.id for key in log.keys.keys_of("tom")])
    reader = store.reader()
    assert texts(reader) == {only: "Maria alone"}
    opened = {index: body for index, _, body in reader.contents(both, 1)}
    assert opened[both] == Unreadable("destroyed")
    assert chain(reader)[-1] == "segment.sealed"


def test_a_destroyed_person_gets_no_fresh_key(store: TestStore) -> None:
    with store.create() as log:
        log.append(chat("hello", "maria"))
        log.keys.destroy([key.id for key in log.keys.keys_of("maria")])
        with pytest.raises(KeyDestroyed):
            log.append(chat("a late record", "maria"))
        ok, late = log.append_batch(
            [chat("tom is fine", "tom"), chat("late again", "maria", "tom")]
        )
        assert isinstance(ok, Receipt)
        assert isinstance(late, Refusal)
        assert isinstance(late.error, KeyDestroyed)


def test_unsealed_content_obeys_a_destroyed_key_at_once(store: TestStore) -> None:
    with store.create() as log:
        index = log.append(chat("still in the write-ahead log", "maria")).index
        log.keys.destroy([key.id for key in log.keys.keys_of("maria")])
        log.seal()
    reader = store.reader()
    assert next(reader.contents(index, 1))[2] == Unreadable("destroyed")


def test_unknown_people_share_a_key_per_conversation_else_per_source(store: TestStore) -> None:
    with store.create() as log:
        records = [
            chat("a", conversation="c1"), chat("b", conversation="c1"),
            chat("c", conversation="c2"), chat("d"), chat("e"),
        ]  # fmt: skip
        indexes = [r.index for r in log.append_batch(records) if isinstance(r, Receipt)]
        log.seal()
        indexes.append(log.append(chat("f")).index)
    reader = store.reader()
    leaves = [parse(reader.leaves(index, 1)[0]) for index in indexes]
    a, b, c, d, e, f = [leaf.body.keys for leaf in leaves if leaf.body]
    assert a == b
    assert len({*a, *c, *d, *f}) == 4, "conversation, other conversation, source, next segment"
    assert d == e


def test_records_about_crowds_make_many_keys_in_one_commit(store: TestStore) -> None:
    with store.create() as log:
        crowds = [
            chat(f"meeting {n}", *(f"guest-{n}-{each}" for each in range(32))) for n in range(40)
        ]
        assert all(isinstance(outcome, Receipt) for outcome in log.append_batch(crowds))
        log.seal()
    reader = store.reader()
    assert chain(reader).count("key.created") == 40 * 32 // 250 + 1
    assert len(texts(reader)) == 40


def test_sixteen_threads_share_commits_and_lose_nothing(store: TestStore) -> None:
    with store.create() as log:
        receipts: list[Receipt] = []

        def work(name: int) -> None:
            receipts.extend(log.append(chat(f"{name}/{n}", f"u{name}")) for n in range(25))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({receipt.index for receipt in receipts}) == 400
    reader = store.reader()
    assert len(texts(reader)) == 400
    assert chain(reader).count("interaction") == 400


async def test_many_tasks_share_commits(store: TestStore) -> None:
    log = store.create()
    receipts = await asyncio.gather(*(log.aappend(chat(f"t{n}", f"u{n % 9}")) for n in range(300)))
    with pytest.raises(UsageError):
        await log.aappend(Record("interaction", "test", clear={"user.email": "x"}))
    log.close()
    assert len({receipt.index for receipt in receipts}) == 300
    assert chain(store.reader()).count("interaction") == 300


def test_a_stream_is_taken_only_as_fast_as_the_disk_follows(store: TestStore) -> None:
    with store.create() as log:
        taken = itertools.count()
        produced = (chat(f"n{next(taken)}", "u") for _ in range(10_000))
        outcomes = log.append_many(produced, group=10)
        for _ in range(25):
            next(outcomes)
        assert next(taken) <= 60, "the whole stream was swallowed ahead of the disk"


def test_two_logs_in_one_process_and_four_processes_make_one_chain(store: TestStore) -> None:
    store.create().close()
    code = (
        "import sys; from pathlib import Path; from support.stores import TestStore, chat\n"
        "with TestStore(Path(sys.argv[1])).open() as log:\n"
        "    for n in range(100): log.append(chat(f'{sys.argv[2]}/{n}', f'user-{n % 7}'))\n"
    )
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(store.base), name], env=env)
        for name in "abcd"
    ]
    with store.open() as log:
        for n in range(20):
            log.append(chat(f"here/{n}", "user-1"))
        assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
        log.append(chat("here/last", "user-1"))
    reader = store.reader()
    assert len(texts(reader)) == 421
    assert chain(reader).count("interaction") == 421
    months = [(key.identity, key.month) for key in store.keys().entries()]
    assert len(months) == len(set(months)), "two writers made two keys for one person"


def test_sealing_beside_a_writer_in_another_process(store: TestStore) -> None:
    store.create().close()
    code = (
        "import sys; from pathlib import Path; from support.stores import TestStore, chat\n"
        "with TestStore(Path(sys.argv[1])).open() as log:\n"
        "    for n in range(60): log.append(chat(f'other/{n}', f'user-{n % 7}'))\n"
    )
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    writer = subprocess.Popen([sys.executable, "-c", code, str(store.base)], env=env)
    with store.open() as log:
        while writer.poll() is None:
            log.append(chat("mine", "user-1"))
            log.seal()
    assert writer.returncode == 0
    reader = store.reader()
    kinds = chain(reader)
    assert sum(text.startswith("other/") for text in texts(reader).values()) == 60
    assert kinds.count("segment.sealed") == len(reader.pins)


def test_sealing_twice_adds_nothing(store: TestStore) -> None:
    with store.create() as log:
        log.append(chat("x", "u"))
        assert len(log.seal()) == 1
        assert log.seal() == []
        size = log.size
    with store.open() as log:
        assert (log.size, log.seal()) == (size, [])


def test_a_log_that_grows_is_sealed_in_the_background(store: TestStore) -> None:
    store.create().close()
    options = Options(protect=False, auto_seal_bytes=20_000)
    with Log.open(store.path, store.keys(), options=options) as log:
        for _ in log.append_many(
            (chat(f"{n} " + "long " * 50, f"u{n % 5}") for n in range(500)), group=16
        ):
            pass
    reader = store.reader()
    assert len(reader.pins) >= 2
    assert len(texts(reader)) == 500
    chain(reader)


def test_a_full_disk_stops_acknowledging_and_keeps_what_was_acknowledged(store: TestStore) -> None:
    class FullDisk(Disk):
        full = False

        def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            if self.full and len(data) > 600:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().sys_write(fd, data, offset)

    disk = FullDisk(immutable=False)
    log = store.create(disk)
    kept = log.append(chat("before", "u")).index
    disk.full = True
    with pytest.raises(NotDurable, match="No space left") as caught:
        log.append(chat("does not fit " * 100, "u"))
    assert "Free some disk space" in caught.value.todo
    disk.full = False
    with pytest.raises(NotDurable, match="stopped"):
        log.append(chat("refused until reopened", "u"))
    log.close()
    with store.open() as log:
        again = log.append(chat("after", "u")).index
    assert texts(store.reader()) == {kept: "before", again: "after"}


def test_a_failed_sync_is_fatal_for_the_open_log(store: TestStore) -> None:
    class BadDisk(Disk):
        bad = False

        def sys_fdatasync(self, fd: int) -> None:
            if self.bad:
                self.bad = False  # a retry would "succeed", and lie
                raise OSError(errno.EIO, "Input/output error")
            super().sys_fdatasync(fd)

    disk = BadDisk(immutable=False)
    log = store.create(disk)
    log.append(chat("known key", "u"))
    disk.bad = True
    with pytest.raises(NotDurable):
        log.append(chat("lost", "u"))
    with pytest.raises(NotDurable):
        log.append(chat("must not be acknowledged", "u"))
    log.close()


def test_a_torn_tail_is_cut_and_the_cut_is_recorded(store: TestStore) -> None:
    with store.create() as log:
        log.append(chat("whole", "u"))
    wal = next((store.path / "wal").rglob("*.wal"))
    whole = wal.read_bytes()
    wal.write_bytes(whole + whole[-200:-100])
    with store.open() as log:
        log.append(chat("next", "u"))
    reader = store.reader()
    assert chain(reader)[-2:] == ["log.recovered", "interaction"]
    assert parse(reader.leaves(reader.size - 2, 1)[0]).clear == {"torn_bytes_cut": 100}


def test_damage_in_the_middle_is_never_cut_away(store: TestStore) -> None:
    with store.create() as log:
        for n in range(5):
            log.append(chat(f"n{n}", "u"))
    wal = next((store.path / "wal").rglob("*.wal"))
    data = bytearray(wal.read_bytes())
    data[len(data) // 2] ^= 1
    wal.write_bytes(data)
    with pytest.raises(TamperingFound, match="damaged at byte"):
        store.open()
    assert wal.read_bytes() == bytes(data)


def test_a_log_that_lost_its_records_is_not_started_anew(store: TestStore) -> None:
    with store.create() as log:
        log.append(chat("x", "u"))
    for wal in (store.path / "wal").rglob("*.wal"):
        wal.unlink()
    with pytest.raises(TamperingFound, match="gone"):
        store.open()


def test_an_older_copy_of_the_store_is_not_written_to(store: TestStore) -> None:
    with store.create() as log:
        log.append(chat("one", "u"))
    wal = next((store.path / "wal").rglob("*.wal"))
    old = wal.read_bytes()
    with store.open() as log:
        log.append(chat("two", "u"))
    wal.write_bytes(old)
    with pytest.raises(TamperingFound, match="saw it sign a checkpoint of 4"):
        store.open()


def test_sealed_files_are_read_only_and_immutable_where_possible(store: TestStore) -> None:
    keys = store.create().keys
    with Log.open(store.path, keys, options=Options(protect=True)) as log:
        log.append(chat("x", "u"))
        pin = log.seal()[0]
    path = store.path / pin.index.key
    try:
        assert path.stat().st_mode & 0o777 == 0o444
        if is_immutable(path):
            with pytest.raises(PermissionError):
                path.unlink()
    finally:
        from logstore.disk import set_immutable

        for each in (p for p in store.path.rglob("*") if p.is_file()):
            set_immutable(each, on=False)


def test_opening_what_is_not_there_says_so(store: TestStore, tmp_path: Path) -> None:
    keys = store.create().keys
    with pytest.raises(NotFound, match=ORIGIN):
        Log.open(tmp_path / "elsewhere", keys)
    with pytest.raises(UsageError, match="holds a log"):
        Log.create(store.path, keys)
