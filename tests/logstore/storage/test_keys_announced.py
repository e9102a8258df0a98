"""A key is committed to on the log before it is used, whatever died in between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.faulty_disk import FaultyDisk, Killed
from support.stores import TestStore, chat

from logstore.errors import AirconError
from logstore.formats.leaf import parse
from logstore.verify.verifier import verify_store


def verified(store: TestStore) -> None:
    report = verify_store(store.path, store.policy(), keys=store.keys(), workers=1)
    assert report.exit_code == 0, report.findings


def announced(store: TestStore) -> list[str]:
    reader = store.reader()
    leaves = [parse(raw) for raw in reader.leaves(0, reader.size)]
    rows = [leaf.clear["keys"] for leaf in leaves if leaf.kind == "key.created"]
    return [key["id"] for keys in rows if isinstance(keys, list) for key in keys]


def die_between_key_and_record(store: TestStore) -> None:
    """The key store has the new key; the group that should announce it was never written."""
    whole = FaultyDisk(store.base)
    with store.open(whole) as log:
        start = len(whole.calls)
        log.append(chat("rehearsal", "somebody"))
        calls = whole.calls[start:]
    fatal = start + calls.index("fdatasync") + 1  # the write of the group, after the key's flush
    disk = FaultyDisk(store.base, fatal)
    log = store.open(disk)
    with pytest.raises((Killed, AirconError)):
        log.append(chat("never acknowledged", "maria"))
    log._state.close()


@pytest.mark.parametrize("seal_first", [False, True])
def test_a_key_whose_record_died_is_announced_before_it_is_used(
    tmp_path: Path, seal_first: bool
) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat("x", "tom"))
        if seal_first:
            log.seal()
    die_between_key_and_record(store)
    assert store.keys().keys_of("maria"), "the death came too early to show anything"
    with store.open() as log:
        log.append(chat("hello", "maria"))
        log.append(chat("again", "maria"))
        log.seal()
    verified(store)
    ids = announced(store)
    assert len(ids) == len(set(ids)), "a key was announced twice"


def test_another_writer_announces_what_a_dead_one_left(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat("x", "tom"))
        die_between_key_and_record(store)
        log.append(chat("hello", "maria"))
        log.seal()
    verified(store)


def test_keys_of_two_groups_lost_together_are_announced_once(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    log = store.create()
    for person in ("one", "two", "three"):  # encoded one behind the other, none of them written
        log._committer.encode([chat("lost", person)])
    log._state.close()
    log._committer._lease._drop()
    for n in range(3):
        with store.open() as again:
            again.append(chat("later", f"other-{n}"))
            again.append(chat("found again", "three"))
    verified(store)
    ids = announced(store)
    assert len(ids) == len(set(ids)) == 6


def test_opening_again_and_again_announces_nothing_twice(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat("x", "tom"))
        log.seal()
    for _ in range(3):
        with store.open() as log:
            log.append(chat("known person", "tom"))
            log.seal()
    ids = announced(store)
    assert len(ids) == len(set(ids)) == 1
    verified(store)


def test_a_writer_killed_in_the_middle_of_an_import_leaves_no_unannounced_key(
    tmp_path: Path,
) -> None:
    store = TestStore(tmp_path)
    store.create().close()
    code = (
        "import sys; from pathlib import Path; from support.stores import TestStore, chat\n"
        "log = TestStore(Path(sys.argv[1])).open()\n"
        "for n in range(100000): log.append(chat(f'{n}', f'person-{n}')); print(n, flush=True)\n"
    )
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(store.base)], env=env, stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        writer.kill()
        writer.wait()
        writer.stdout.close()
    with store.open() as log:
        for n in range(40):
            log.append(chat("after", f"person-{n}"))
        log.seal()
    verified(store)
