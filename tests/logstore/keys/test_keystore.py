"""The key store: what it keeps, what it forgets for good, and what a backup can not bring back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.errors import (
    AirconError,
    FormatError,
    KeyDestroyed,
    KeyUnavailable,
    NotFound,
    PassphraseWrong,
    TamperingFound,
    UsageError,
)
from logstore.keys.entries import KeyEntry, commitment
from logstore.keys.holders import NoHolder, PassphraseHolder
from logstore.keys.keystore import KeyStore, holder_name

ORIGIN = "logs.example.com/keys"


def secret(passphrase: bytes = b"correct horse") -> PassphraseHolder:
    return PassphraseHolder(passphrase, cost=2**4)


def make(path: Path) -> KeyStore:
    return KeyStore.create(path, secret(), origin=ORIGIN)


def issue(store: KeyStore, identity: str, month: str = "2026-11") -> KeyEntry:
    entry = store.obtain("subject", identity, month)
    store.flush()
    return entry


def everything_on_disk(path: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file())


def test_one_key_for_a_person_and_month_and_it_survives_reopening(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    november = issue(store, "maria")
    assert store.obtain("subject", "maria", "2026-11") == november
    december = issue(store, "maria", "2026-12")
    assert december.id != november.id
    again = KeyStore.open(tmp_path / "k", secret())
    assert again.key(november.id) == november
    assert {entry.id for entry in again.keys_of("maria")} == {november.id, december.id}
    assert again.signer().verifier() == store.signer().verifier()
    assert again.purpose_key("workingcopy") == store.purpose_key("workingcopy")
    assert again.purpose_key("imports") != store.purpose_key("workingcopy")


def test_a_wrong_passphrase_says_so_and_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path / "k")
    before = everything_on_disk(tmp_path / "k")
    with pytest.raises(PassphraseWrong, match="does not open"):
        KeyStore.open(tmp_path / "k", secret(b"wrong"))
    assert everything_on_disk(tmp_path / "k") == before
    with pytest.raises(NotFound):
        KeyStore.open(tmp_path / "nowhere", secret())
    with pytest.raises(UsageError, match="already"):
        make(tmp_path / "k")


def test_no_identity_and_no_key_stands_in_clear(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    entry = issue(store, "maria.keller@example.org")
    data = everything_on_disk(tmp_path / "k")
    assert b"maria" not in data
    assert entry.key not in data
    assert holder_name(tmp_path / "k") == "passphrase"


def test_the_insecure_holder_is_named_in_the_slot(tmp_path: Path) -> None:
    KeyStore.create(tmp_path / "k", NoHolder(), origin=ORIGIN)
    assert holder_name(tmp_path / "k") == "none"
    assert holder_name(tmp_path / "nowhere") is None


def test_a_destroyed_key_is_gone_and_the_others_are_not(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    maria, tom = issue(store, "maria"), issue(store, "tom")
    old_kek = store._opened[1]
    assert store.destroy([maria.id, "not-a-key"]) == [maria.id]
    for opened in (store, KeyStore.open(tmp_path / "k", secret())):
        with pytest.raises(KeyDestroyed):
            opened.key(maria.id)
        with pytest.raises(KeyDestroyed):
            opened.obtain("subject", "maria", "2027-01")
        assert opened.key(tom.id) == tom
        assert opened.obtain("subject", "maria-2", "2026-11").id != maria.id
    data = everything_on_disk(tmp_path / "k")
    assert old_kek not in data
    assert store.generation == 2
    assert sorted(p.name for p in (tmp_path / "k").glob("slot-*")) == ["slot-a"]


def test_a_backup_of_the_old_journal_is_useless_under_the_new_kek(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    maria = issue(store, "maria")
    journal = (tmp_path / "k" / "journal-00000001").read_bytes()
    store.destroy([maria.id])
    store.close()
    (tmp_path / "k" / "journal-00000002").write_bytes(journal)
    with pytest.raises(TamperingFound, match="does not open"):
        KeyStore.open(tmp_path / "k", secret())


def test_another_process_sees_new_and_destroyed_keys(tmp_path: Path) -> None:
    mine = make(tmp_path / "k")
    other = KeyStore.open(tmp_path / "k", secret())
    maria = issue(other, "maria")
    with pytest.raises(KeyUnavailable):
        mine.key(maria.id)
    mine.catch_up()
    assert mine.key(maria.id) == maria
    other.destroy([maria.id])
    mine.catch_up()
    with pytest.raises(KeyDestroyed):
        mine.key(maria.id)


def test_keys_never_flushed_are_forgotten(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    entry = store.obtain("subject", "maria", "2026-11")
    store.drop_pending()
    store.flush(9)
    assert store.unannounced(9) == []
    assert store.obtain("subject", "maria", "2026-11").id != entry.id


def test_a_torn_page_is_overwritten_by_the_next(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    kept = issue(store, "kept")
    journal = tmp_path / "k" / "journal-00000001"
    journal.write_bytes(journal.read_bytes() + b"AWF1" + bytes(500))
    store = KeyStore.open(tmp_path / "k", secret())
    fresh = issue(store, "fresh")
    again = KeyStore.open(tmp_path / "k", secret())
    assert {again.key(kept.id), again.key(fresh.id)} == {kept, fresh}


def test_wal_keys_outlive_a_new_kek_and_die_when_dropped(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    key = store.wal_keys.create(7)
    assert store.wal_keys.create(7) == key
    store.destroy([issue(store, "maria").id])
    assert store.wal_keys.read(7) == key
    assert KeyStore.open(tmp_path / "k", secret()).wal_keys.read(7) == key
    store.wal_keys.drop(7)
    with pytest.raises(KeyUnavailable):
        store.wal_keys.read(7)
    assert not list((tmp_path / "k").glob("wal-*"))


def test_commitments_bind_id_and_key() -> None:
    one = KeyEntry("a" * 32, "subject", "maria", "2026-11", 0, bytes(32))
    other = KeyEntry("a" * 32, "subject", "maria", "2026-11", 0, bytes(31) + b"\1")
    renamed = KeyEntry("b" * 32, "subject", "maria", "2026-11", 0, bytes(32))
    assert len({commitment(one), commitment(other), commitment(renamed)}) == 3


@pytest.mark.parametrize(
    "slot",
    [b"", b"{", b"[]", b'{"n":3}', b'{"n":1048577,"salt":"","nonce":"","kek":""}', b"\xff" * 40],
)
def test_hostile_slots_are_refused_in_words(slot: bytes) -> None:
    for holder in (secret(), NoHolder()):
        with pytest.raises((FormatError, PassphraseWrong)):
            holder.open(slot, 1)


def test_every_flipped_byte_of_the_key_store_is_noticed(tmp_path: Path) -> None:
    store = make(tmp_path / "k")
    maria = issue(store, "maria")
    store.close()
    journal = tmp_path / "k" / "journal-00000001"
    whole = journal.read_bytes()
    for at in range(len(whole)):
        journal.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            damaged = KeyStore.open(tmp_path / "k", NoPassword.of(tmp_path / "k"))
            damaged.key(maria.id)
            damaged.signer()
        except AirconError:
            continue
        pytest.fail(f"byte {at} of the journal could be changed unnoticed")
    assert json.loads((tmp_path / "k" / "slot-b").read_bytes())["generation"] == 1


class NoPassword:
    """Opens one slot's KEK once, so that hundreds of openings stay fast."""

    name = "passphrase"
    cache: bytes = b""

    @classmethod
    def of(cls, path: Path) -> NoPassword:
        holder = cls()
        if not cls.cache:
            copy = path.with_name("copy")
            shutil.copytree(path, copy)
            slot = json.loads((copy / "slot-b").read_bytes())
            from base64 import b64decode

            cls.cache = secret().open(b64decode(slot["sealed"]), 1)
        return holder

    def seal(self, kek: bytes, generation: int) -> bytes:
        raise AssertionError((kek, generation))

    def open(self, sealed: bytes, generation: int) -> bytes:
        assert sealed
        assert generation == 1
        return self.cache


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["issue", "destroy", "reopen"]), st.integers(0, 4)), max_size=12
    )
)
def test_any_history_keeps_exactly_the_living(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("k") / "keys"
    store = make(path)
    living: dict[str, KeyEntry] = {}
    dead: set[str] = set()
    for step, number in steps:
        name = f"p{number}"
        if step == "issue" and name not in dead:
            living[name] = issue(store, name)
        elif step == "destroy" and name in living:
            store.destroy([living.pop(name).id])
            dead.add(name)
        elif step == "reopen":
            store = KeyStore.open(path, secret())
    store = KeyStore.open(path, secret())
    assert {e.identity: e for e in store.entries()} == living
    for name in dead:
        with pytest.raises(KeyDestroyed):
            store.obtain("subject", name, "2030-01")
