"""What others put where a seal, a log or a claim could be stops neither readers nor the writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bucket_stores import BucketStore, new_store
from support.s3_servers import Server
from support.stores import ORIGIN, chat

from logstore.errors import StoreRefused
from logstore.s3 import publishing, reading
from logstore.storage import bucketblobs, layout

SLUG = "log=logs.example.com_support"


@pytest.fixture
def store(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    made = new_store(server, tmp_path / "writer", monkeypatch)
    with made.create() as log:
        log.append(chat("question", "ada"))
        log.seal()
    return made


@pytest.mark.parametrize(
    ("name", "copied"),
    [
        ("seal/{slug}/seal-{end:012d}-7.json", ""),
        ("seal/{slug}/seal-{end:012d}-7.json", "seal/"),
        ("seal/{slug}/seal-{end:012d}-999999999999.json", ""),
        ("seal/{slug}/seal-000000000000-1.json", ""),
        ("seal/{slug}/seal-000000000001-1.json", ""),
        ("log/log=evil/log.json", ""),
        ("log/log=evil/log.json", "log/"),
        ("claim/{slug}/claim-{end:012d}.note", ""),
        ("claim/{slug}/claim-{end:012d}.note", "claim/"),
    ],
)
def test_a_stray_is_named_and_stops_nobody(
    store: BucketStore, tmp_path: Path, name: str, copied: str
) -> None:
    there = store.elsewhere(tmp_path / "auditor")
    end = there.reader().size
    data = b"junk"
    if copied:
        first = store.bucket.history(store.names(copied)[0])[0]
        data = store.bucket.get(first.name, first.version_id).data
    key = store.bucket.address.beginning + name.format(slug=SLUG, end=end)
    store.bucket.client.put_object(Bucket=store.bucket.address.bucket, Key=key, Body=data)
    assert there.verify().exit_code != 0
    reader = there.reader()
    assert len(reader.leaves(0, reader.size)) == reader.size == end
    with store.open() as log:
        log.append(chat("another", "ada"))
        log.seal()
    assert there.reader().size > end


def crowd(store: BucketStore, name: str, count: int) -> None:
    """Put so many versions under a name, which nobody signed."""
    at = {"Bucket": store.bucket.address.bucket, "Key": store.bucket.address.key(name)}
    for number in range(count):
        store.bucket.client.put_object(**at, Body=b"junk %d" % number)


@pytest.mark.parametrize("kind", ["claim", "seal"])
def test_a_crowd_in_front_of_a_name_stops_nobody(
    store: BucketStore, tmp_path: Path, kind: str
) -> None:
    """Whoever may put objects could guess the next names, and come first a hundred times."""
    first = store.reader().sealed
    guessed = {
        "claim": layout.claim_object(ORIGIN, first),
        "seal": layout.seal_object(ORIGIN, first, 2),
    }[kind]
    crowd(store, guessed, 100)
    with store.open() as log:
        log.append(chat("another", "ada"))
        log.seal()
    there = store.elsewhere(tmp_path / "auditor")
    reader = there.reader()
    assert guessed in store.names()
    assert reader.sealed == first + 2
    assert len(reader.leaves(0, reader.size)) == reader.size
    report = there.verify()
    assert {(f.code, f.file) for f in report.findings if f.severity == "tampering"} == {
        ("shadow-version", guessed)
    }


def test_a_name_with_more_versions_than_can_be_read_waits_for_somebody(
    store: BucketStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reading, publishing):
        monkeypatch.setattr(module, "MOST_OF_ONE", 20)
    guessed = layout.claim_object(ORIGIN, store.reader().sealed)
    crowd(store, guessed, 21)
    with store.open() as log:
        receipt = log.append(chat("another", "ada"))
        with pytest.raises(StoreRefused, match="20 or more versions lie under claim/") as refused:
            log.seal()
        assert isinstance(log.away, StoreRefused)
        assert "remove them" in (refused.value.todo or "")
        log.append(chat("and on", "ada"))
        assert store.bucket.history(guessed)[-1].version_id  # nothing was added
        assert len([name for name in store.names("claim/") if name == guessed]) == 21
        for version in store.bucket.history(guessed):
            store.bucket.delete_version(guessed, version.version_id)
        for version in store.bucket.history(guessed):
            store.bucket.delete_version(guessed, version.version_id)
        log.seal()
        assert log.away is None
    assert store.reader().sealed > receipt.index


def test_more_names_than_can_be_held_leave_what_is_here(
    store: BucketStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = store.reader().size
    monkeypatch.setattr(bucketblobs, "MOST_NAMES", 20)
    for number in range(21):
        crowd(store, f"seal/{SLUG}/seal-{700 + number:012d}-7.json", 1)
    mine = store.reader()
    assert mine.size == known
    assert isinstance(mine.blobs.away, StoreRefused)
    with pytest.raises(StoreRefused, match="more than 20 names lie below seal/"):
        store.elsewhere(tmp_path / "auditor").reader()
