"""A short life of a log that may end at any call, and what must hold afterwards."""

from __future__ import annotations

from support.faulty_disk import Killed
from support.stores import TestStore, chat, texts
from support.supplementing import destroy, person, survivors

from logstore.disk import Disk
from logstore.errors import AirconError
from logstore.formats.custody import Placed
from logstore.formats.leaf import GENESIS, leaf_hash, parse
from logstore.formats.record import Receipt
from logstore.storage.log import Log
from logstore.storage.orders import Order
from logstore.verify.verifier import verify_store

LIFE = 12

ORDER = Order("ada", "a case")


def live(log: Log, acknowledged: dict[int, str], *, start: int = 0) -> None:
    """A short life with everything that writes: people, batches, seals, holds, destroyed keys."""
    for n in range(start, start + 3):
        text = f"question {n}"
        acknowledged[log.append(chat(text, f"user-{n}")).index] = text
    kept = log.append(chat("survives", conversation=f"shared-{start}")).index
    acknowledged[kept] = "survives"
    log.append(chat("is to go", conversation=f"shared-{start}"))
    log.seal()
    hold = log.custodian.place(Placed([kept, kept], onward=log.size), ORDER).hold
    log.supplement(survivors(log, {kept: (person(f"user-{start + 50}"),)}))
    destroy(log, f"shared-{start}")
    words = [f"batch {n}" for n in range(start, start + 6)]
    outcomes = log.append_many(
        (chat(w, f"user-{n % 4}", "boss") for n, w in enumerate(words)), group=2
    )
    for word, outcome in zip(words, outcomes, strict=True):
        assert isinstance(outcome, Receipt)
        acknowledged[outcome.index] = word
    acknowledged[log.append(chat("nobody known", conversation=f"c{start}")).index] = "nobody known"
    doomed = log.keys.obtain("subject", f"gone-{start}", "2026-11")
    log.keys.flush()
    log.keys.destroy([doomed.id])
    log.seal()
    log.custodian.place(Placed([start, start]), ORDER)
    log.custodian.release(hold.number, ORDER)
    acknowledged[log.append(chat(f"last {start}", "user-0")).index] = f"last {start}"


def run_until_death(store: TestStore, disk: Disk, acknowledged: dict[int, str]) -> bool:
    """One life on a disk that may die; says whether it died."""
    log = None
    try:
        log = store.open(disk)
        live(log, acknowledged, start=LIFE)
    except (Killed, AirconError):
        if not getattr(disk, "dead", False):
            raise
        return True
    finally:
        if log is not None:
            abandon(log)
    return False


def abandon(log: Log) -> None:
    """What a dead process leaves: closed descriptors, no farewell."""
    for pool in (log._tasks, log._background, log._flights):
        pool.shutdown()
    log._state.close()


def check_whole(store: TestStore, acknowledged: dict[int, str]) -> None:
    """Every acknowledged record is there, the chain holds, and the log can be written again."""
    with store.open() as log:
        receipt = log.append(chat("after the crash", "user-1"))
        log.seal()
    reader = store.reader()
    found = texts(reader)
    assert {index: found.get(index) for index in acknowledged} == acknowledged
    assert found[receipt.index] == "after the crash"
    previous = GENESIS
    for index, raw in enumerate(reader.leaves(0, reader.size)):
        leaf = parse(raw)
        assert (leaf.index, leaf.prev) == (index, previous)
        previous = leaf_hash(raw)
    assert reader.sealed == reader.size - 1, "only the seal's own record may be unsealed"
    assert not list((store.path / "wal").rglob("staging/*")), "a crash left staged files behind"
    assert len(list(store.keys_path.glob("journal-*"))) == 1, "an old key journal survived"
    temporary = [p for p in store.base.rglob(".*.tmp") if ".graves" not in p.parts]
    assert not temporary, "a crash left temporary files behind"
    wal_keys = {int(p.name[4:16]) for p in store.keys_path.glob("wal-*.key")}
    wals = {int(p.stem) for p in (store.path / "wal").rglob("*.wal")}
    assert wal_keys == wals, "WAL keys and files do not pair up"
    report = verify_store(store.path, store.policy(), keys=store.keys(), workers=1)
    assert report.exit_code == 0, report.found
    assert "hold-pending" not in report.codes(), report.found
    assert not list((store.path / "wal").rglob("guards.due"))
