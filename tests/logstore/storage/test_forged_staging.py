"""What somebody planted for sealing to find is not signed, and nothing is thrown away for it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.stores import TestStore, chat, texts

from logstore.errors import AirconError
from logstore.storage import layout
from logstore.storage.log import Log
from logstore.storage.sealing import Intent, SegmentSealer


class Died(BaseException):
    """The process died here."""


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    store = TestStore(tmp_path)
    with store.create() as log:
        log.append(chat("hello", "maria"))
    return store


def staged_and_dead(store: TestStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The process died between staging and publishing; gives the staging folder."""

    def die(*_: object) -> None:
        raise Died

    monkeypatch.setattr(SegmentSealer, "publish", die)
    log = store.open()
    with pytest.raises(Died):
        log.seal()
    log.close()
    monkeypatch.undo()
    return next((store.path / "wal").rglob("staging/0*"))


def whole(log: Log, store: TestStore) -> None:
    log.close()
    reader = store.reader()
    assert reader.pins
    assert list(texts(reader).values()) == ["hello"]
    assert reader.leaves(0, reader.size)


@pytest.mark.parametrize("what", ["root", "key", "nothing"])
def test_a_forged_intent_is_not_believed(
    store: TestStore, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder = staged_and_dead(store, monkeypatch)
    intent = msgspec.json.decode((folder / "intent.json").read_bytes(), type=Intent)
    pin = intent.pin
    if what == "root":
        pin = msgspec.structs.replace(pin, root=bytes(32))
    if what == "key":
        index = msgspec.structs.replace(pin.index, key="../planted.parquet")
        pin = msgspec.structs.replace(pin, index=index)
    forged = msgspec.structs.replace(intent, pin=pin)
    (folder / "intent.json").unlink()
    (folder / "intent.json").write_bytes(msgspec.json.encode(forged))
    whole(store.open(), store)
    assert not (store.base / "planted.parquet").exists()


@pytest.mark.parametrize("name", ["index", "body"])
def test_a_changed_staged_object_is_built_anew(
    store: TestStore, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = staged_and_dead(store, monkeypatch)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    whole(store.open(), store)


def test_a_planted_seal_costs_no_write_ahead_file(store: TestStore) -> None:
    with store.open() as log:
        planted = store.path / layout.seal_object(log.origin, 0, log.size)
        planted.parent.mkdir(parents=True)
        planted.write_bytes(b"{}")
        wal = max((store.path / "wal").rglob("*.wal"))
        with pytest.raises(AirconError):
            log.seal()
        assert wal.exists()
        planted.unlink()
        log.seal()
        whole(log, store)
