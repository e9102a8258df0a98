"""Two copies of one log, and old copies of its key store: found when it is opened or written to."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from support.evidence import Evidence
from support.stores import OPTIONS, TestStore, chat, texts

from logstore.errors import KeyUnavailable, TamperingFound
from logstore.formats.record import Record
from logstore.storage.log import Log


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    made = TestStore(tmp_path)
    with made.create() as log:
        for number in range(3):
            log.append(chat(f"early {number}", "maria"))
    return made


def copied(store: TestStore, name: str) -> Path:
    return Path(shutil.copytree(store.path, store.base / name))


def bytes_of(folder: Path) -> dict[str, str]:
    """Every file but the empty locks, by its digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size
    }


# -- two copies of one log, one key store ----------------------------------------------------------


def test_a_copy_that_fell_behind_is_not_opened(store: TestStore) -> None:
    other = copied(store, "copy")
    with store.open() as log:
        log.append(chat("the log went on", "maria"))
    before = bytes_of(other)
    with pytest.raises(TamperingFound, match="saw it sign"):
        Log.open(other, store.keys(), options=OPTIONS)
    assert bytes_of(other) == before


def test_two_writers_on_two_copies_are_found_by_the_next_append(store: TestStore) -> None:
    other = copied(store, "copy")
    one = store.open()
    two = Log.open(other, store.keys(), options=OPTIONS)  # each has a lock of its own
    one.append(chat("written here", "maria"))
    with pytest.raises(TamperingFound, match="saw it sign"):
        two.append(chat("written there", "maria"))
    one.append(chat("and on", "maria"))
    one.close()
    two.close()
    assert Evidence(store.base, store.policy()).verify(keys=store.keys()).exit_code == 0


def test_two_writers_at_the_very_same_moment_are_found_by_the_one_after(store: TestStore) -> None:
    other = copied(store, "copy")
    one = store.open()
    two = Log.open(other, store.keys(), options=OPTIONS)
    with two._committer as state:  # looked before the other wrote, writes after it
        one.append(chat("written here", "maria"))
        encoded = two._committer._encoder.encode(
            [chat("written there", "maria")], state.chain, state.sealer, state.wal.first
        )
        state.chain = encoded.state
        two._committer._write(encoded)
    two.append(chat("nobody noticed yet", "maria"))
    with pytest.raises(TamperingFound, match="saw it sign|other records"):
        one.append(chat("found", "maria"))
    one.close()
    two.close()
    evidence = Evidence(store.base, store.policy())
    with pytest.raises(TamperingFound):
        store.open()
    assert evidence.verify(keys_path=store.keys_path).exit_code == 1
    shutil.rmtree(store.path)
    other.rename(store.path)
    assert evidence.verify(keys_path=store.keys_path).exit_code == 0


def test_a_copy_of_the_same_length_with_other_records_is_not_opened(store: TestStore) -> None:
    other = copied(store, "copy")
    twin = store.base / "twin.keys"
    shutil.copytree(store.keys_path, twin)  # two whole copies know nothing of each other ...
    with store.open() as log:
        log.append(chat("written here", "maria"))
    mine = store.path.rename(store.base / "mine")
    kept = store.keys_path.rename(store.base / "mine.keys")
    other.rename(store.path)
    twin.rename(store.keys_path)
    with store.open() as log:
        log.append(chat("written there", "maria"))
    evidence = Evidence(store.base, store.policy())
    assert evidence.verify(keys_path=store.keys_path).exit_code == 0
    # ... until what one of them remembers meets the other.
    report = evidence.verify(keys_path=kept)
    assert report.codes() == {"fork"}
    shutil.rmtree(store.keys_path)
    kept.rename(store.keys_path)
    with pytest.raises(TamperingFound, match="two copies"):
        store.open()
    assert mine.is_dir()


def test_a_fork_is_found_also_where_both_copies_went_on(store: TestStore) -> None:
    other = copied(store, "copy")
    old = store.base / "old.keys"
    shutil.copytree(store.keys_path, old)
    with store.open() as log:
        log.append(chat("written here", "maria"))
        log.seal()
        log.append(chat("and on", "maria"))
    head = (store.keys_path / "head").read_bytes()
    shutil.rmtree(store.path)
    other.rename(store.path)
    shutil.rmtree(store.keys_path)
    old.rename(store.keys_path)
    with store.open() as log:
        for number in range(9):
            log.append(chat(f"written there {number}", "maria"))
        log.seal()
    (store.keys_path / "head").write_bytes(head)
    with pytest.raises(TamperingFound, match="two copies"):
        store.open()


# -- old copies of the key store -------------------------------------------------------------------


@pytest.fixture
def backup(store: TestStore) -> Path:
    return Path(shutil.copytree(store.keys_path, store.base / "backup"))


def restore(store: TestStore, backup: Path) -> None:
    shutil.rmtree(store.keys_path)
    shutil.copytree(backup, store.keys_path)


def refused(store: TestStore, lacks: str) -> None:
    before = bytes_of(store.path)
    with pytest.raises(KeyUnavailable, match=f"older than the log: it lacks .*{lacks}") as error:
        store.open()
    assert "Nothing was written" in error.value.kept
    assert "begin a new log" in error.value.todo
    assert bytes_of(store.path) == before


def test_a_backup_from_before_the_write_ahead_file_does_not_write(
    store: TestStore, backup: Path
) -> None:
    with store.open() as log:
        log.seal()
        log.append(chat("late", "maria"))
    restore(store, backup)
    refused(store, "key of the write-ahead file from record")
    readable = texts(store.reader())
    assert "early 1" in readable.values()
    assert "late" not in readable.values()
    report = Evidence(store.base, store.policy()).verify(keys=store.keys())
    assert report.exit_code == 0
    assert report.logs[0].locked == 1


def test_a_backup_that_lacks_a_persons_key_does_not_write(store: TestStore, backup: Path) -> None:
    with store.open() as log:
        log.append(chat("somebody new", "tom"))
    restore(store, backup)
    refused(store, "1 keys that the log announced")


def test_a_backup_that_lacks_a_key_whose_record_is_sealed_does_not_write(
    store: TestStore, backup: Path
) -> None:
    with store.open() as log:
        log.append(chat("somebody new", "tom"))
        log.seal()
        first = log._state.wal.first
    restore(store, backup)
    store.keys().wal_keys.create(first)  # as if only the journal were of an older day
    refused(store, "1 keys that the log announced")


def test_who_was_erased_since_the_backup_is_given_no_fresh_key(
    store: TestStore, backup: Path
) -> None:
    with store.open() as log:
        log.append(chat("somebody new", "tom"))
        tom = log.keys.keys_of("tom")[0]
        log.append(Record("key.destroyed", "test", clear={"key": tom.id}))
        log.keys.destroy([tom.id])
    restore(store, backup)
    refused(store, "1 keys that the log announced")


def test_a_backup_that_lacks_nothing_goes_on(store: TestStore, backup: Path) -> None:
    with store.open() as log:
        log.append(chat("no new key is needed", "maria"))
    restore(store, backup)
    with store.open() as log:
        log.append(chat("nor here", "maria"))
        log.seal()
    assert {"no new key is needed", "nor here"} <= set(texts(store.reader()).values())
    assert Evidence(store.base, store.policy()).verify(keys=store.keys()).exit_code == 0


def test_a_key_store_that_remembers_nothing_is_judged_by_the_whole_log(store: TestStore) -> None:
    (store.keys_path / "head").unlink()
    with store.open() as log:
        log.append(chat("on", "maria"))
    assert Evidence(store.base, store.policy()).verify(keys=store.keys()).exit_code == 0
