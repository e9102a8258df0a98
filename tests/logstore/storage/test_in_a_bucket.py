"""A log whose sealed part lies in a bucket: written here, read anywhere, one object per segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.bucket_stores import BucketStore, Network
from support.stores import chat, texts
from support.waiting import until

from logstore.errors import Fenced, NotDurable, StoreAway, UsageError
from logstore.s3.bucket import Version
from logstore.storage import keepup
from logstore.storage.log import Log, Options


def filled(store: BucketStore, *, segments: int = 2, tail: int = 2) -> None:
    with store.create() as log:
        for number in range(segments):
            log.append(chat(f"question {number}", "ada"))
            log.seal()
        for number in range(segments, segments + tail):
            log.append(chat(f"question {number}", "bob"))


def test_the_layout_is_that_of_a_directory(store: BucketStore) -> None:
    filled(store, segments=1, tail=0)
    slug = "log=logs.example.com_support"
    kinds = {name.partition("/")[0] for name in store.names()}
    assert kinds == {"store.json", "log", "claim", "index", "body", "seal"}
    assert f"log/{slug}/log.json" in store.names()
    assert store.names("index/")[0].startswith(f"index/{slug}/date=")


def test_every_object_is_locked_as_the_log_itself_says(store: BucketStore) -> None:
    filled(store, segments=1, tail=0)
    reader = store.reader()
    assert reader.pins[0].body is not None
    for pin in (reader.pins[0].index, reader.pins[0].body):
        head = store.bucket.head(pin.key, pin.version)
        assert head.lock is not None
        assert head.lock.mode == "COMPLIANCE"
        assert head.lock.retain_until_us >= pin.retain_until_us
    days = (reader.pins[0].index.retain_until_us - reader.pins[0].body.retain_until_us) / 86_400e6
    assert days == 200


def test_the_writer_reads_all_and_another_machine_what_is_sealed(
    store: BucketStore, tmp_path: Path
) -> None:
    filled(store)
    assert list(texts(store.reader()).values()) == [f"question {n}" for n in range(4)]
    there = store.elsewhere(tmp_path / "auditor")
    reader = there.reader()
    assert reader.size == reader.sealed == store.reader().sealed
    assert reader.leaves(0, reader.size) == store.reader().leaves(0, reader.size)
    assert there.verify().exit_code == 0
    assert store.verify().exit_code == 0


def test_sealed_objects_are_used_from_the_cache_once_they_are_here(
    store: BucketStore, network: Network, tmp_path: Path
) -> None:
    filled(store)
    reader = store.elsewhere(tmp_path / "auditor").reader()
    reader.leaves(0, reader.size)
    with network.away():
        assert len(reader.leaves(0, reader.size)) == reader.size


def test_a_log_is_opened_with_one_listing_of_its_seals(
    store: BucketStore, network: Network, tmp_path: Path
) -> None:
    filled(store, segments=6)
    there = store.elsewhere(tmp_path / "auditor")
    asked: list[str] = []

    def note(real: Any, **parameters: Any) -> Any:
        asked.append(parameters.get("Key", "listing"))
        return real(**parameters)

    network.calls |= {"list_object_versions": note, "get_object": note}
    assert len(there.reader().pins) == 6
    assert asked.count("listing") <= 3
    assert sum("/seal/" in key for key in asked) == 6
    network.calls.clear()
    with network.away():
        assert len(there.reader().pins) == 6, "they are here now"


def test_what_others_put_where_seals_could_be_is_not_fetched_ahead(
    store: BucketStore, network: Network, tmp_path: Path
) -> None:
    filled(store, segments=3)
    admin: Any = store.bucket.client
    large = store.names("seal/")[-1].replace("seal-0", "seal-9")
    key = {"Bucket": store.bucket.address.bucket, "Key": store.bucket.address.key(large)}
    admin.put_object(**key, Body=bytes(2**20))
    fetched: list[str] = []

    def note(real: Any, **parameters: Any) -> Any:
        fetched.append(parameters["Key"])
        return real(**parameters)

    network.calls["get_object"] = note
    assert len(store.elsewhere(tmp_path / "auditor").reader().pins) == 3
    assert key["Key"] not in fetched


def test_a_spoilt_file_of_the_cache_is_noticed(store: BucketStore, tmp_path: Path) -> None:
    filled(store)
    there = store.elsewhere(tmp_path / "auditor")
    reader = there.reader()
    reader.leaves(0, reader.size)
    spoilt = there.home / "cache" / reader.pins[0].index.sha256
    spoilt.chmod(0o600)
    spoilt.write_bytes(b"x" * spoilt.stat().st_size)
    fresh = there.reader()
    assert fresh.leaves(0, fresh.size) == store.reader().leaves(0, fresh.size)


def test_only_the_writer_writes(store: BucketStore, tmp_path: Path) -> None:
    filled(store)
    home = store.elsewhere(tmp_path / "other").home
    with pytest.raises(UsageError, match="only reads"), Log.open(home, store.keys()) as log:
        log.append(chat("from another machine"))


# -- the bucket is away ---------------------------------------------------------------------------


def test_capture_goes_on_while_the_bucket_is_away(store: BucketStore, network: Network) -> None:
    filled(store)
    with network.away():
        with store.open() as log:
            log.append(chat("while it was away", "ada"))
            with pytest.raises(StoreAway):
                log.seal()
        assert "while it was away" in texts(store.reader()).values()
    with store.open() as log:
        log.append(chat("and after", "ada"))
        log.seal()
    assert [*texts(store.reader()).values()][-2:] == ["while it was away", "and after"]
    assert store.verify().exit_code == 0


def test_files_pile_up_and_are_sealed_one_by_one_once_it_is_back(
    store: BucketStore, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepup, "FIRST_RETRY_S", 0.05)
    store.create().close()
    small = Options(protect=False, auto_seal_bytes=20_000, busy_timeout_s=10)
    with store.open(options=small) as log:
        with network.away():
            for number in range(60):
                log.append(chat(f"{number} " + "x" * 3000, "ada"))
            assert log.away is not None
            waiting = len(log._state.waiting)
            assert waiting > keepup.MOST_WAITING
        until(lambda: log.away is None and not log._state.waiting)
    assert len(store.reader().pins) >= waiting
    assert len(texts(store.reader())) == 60
    assert store.verify().exit_code == 0


def test_a_nearly_full_disk_ends_capture_while_the_bucket_is_away(
    store: BucketStore, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepup, "SPARE_BYTES", 2**60)
    store.create().close()
    small = Options(protect=False, auto_seal_bytes=20_000, busy_timeout_s=10)
    stored = 0

    def fill(log: Log) -> None:
        nonlocal stored
        for _ in range(60):
            log.append(chat("y" * 3000, "ada"))
            stored += 1

    with (
        store.open(options=small) as log,
        network.away(),
        pytest.raises(NotDurable, match="nearly full"),
    ):
        fill(log)
    assert len(texts(store.reader())) == stored


# -- two writers ----------------------------------------------------------------------------------


def test_the_second_of_two_writers_stops_and_nothing_is_overwritten(
    store: BucketStore, tmp_path: Path
) -> None:
    filled(store)
    thief = store.stolen(tmp_path / "thief")
    with store.open() as log, thief.open() as other:
        log.append(chat("the first", "ada"))
        other.append(chat("the second", "eve"))
        log.seal()
        before = store.names()
        with pytest.raises(Fenced, match="another writer"):
            other.seal()
        assert store.names() == before, "nothing of the second came into the bucket"
    assert store.verify().exit_code == 0
    with pytest.raises(Fenced, match="sealed other records"):
        thief.open()
    assert list((thief.path / "wal").rglob("*.wal")), "what was acknowledged there is there"


def test_two_writers_at_one_moment(store: BucketStore, network: Network, tmp_path: Path) -> None:
    """Both have looked, neither has seen the other: the version that lies there first decides."""
    filled(store)
    thief = store.stolen(tmp_path / "thief")
    with store.open() as log, thief.open() as other:
        log.append(chat("the first", "ada"))
        other.append(chat("the second", "eve"))

        def late(real: Any, **asked: Any) -> Any:
            if "/claim/" in asked["Key"]:
                network.calls.clear()
                log.seal()  # comes between look and put, on a server that lets both win
                asked.pop("IfNoneMatch")
            return real(**asked)

        network.calls["put_object"] = late
        with pytest.raises(Fenced, match="another writer"):
            other.seal()
    report = store.verify()
    assert {"two-writers", "shadow-version"} <= report.codes(), "an auditor sees that it was tried"
    assert [f.severity for f in report.findings if f.code == "two-writers"] == ["tampering"]


# -- others who may write -------------------------------------------------------------------------


def test_a_name_that_was_taken_before_stops_nobody(
    store: BucketStore, network: Network, tmp_path: Path
) -> None:
    store.create().close()
    taken: list[str] = []

    def squat(real: Any, **asked: Any) -> Any:
        name = asked["Key"].removeprefix("logs/")
        if name not in taken and not name.startswith("store"):
            taken.append(name)
            real(Bucket=asked["Bucket"], Key=asked["Key"], Body=b"mine!")
        return real(**asked)

    network.calls["put_object"] = squat
    with store.open() as log:
        log.append(chat("question", "ada"))
        log.seal()
    assert {name.partition("/")[0] for name in taken} == {"claim", "index", "body", "seal"}
    network.calls.clear()
    assert list(texts(store.reader()).values()) == ["question"]
    there = store.elsewhere(tmp_path / "auditor")
    report = there.verify()
    assert report.codes() >= {"shadow-version"}
    assert report.exit_code == 1
    assert there.reader().size == store.reader().sealed, "the true data is still read"


def test_an_answer_that_was_lost_leaves_one_object(store: BucketStore, network: Network) -> None:
    store.create().close()
    lost: list[str] = []

    def lose(real: Any, **asked: Any) -> Any:
        answer = real(**asked)
        if asked["Key"] not in lost:
            lost.append(asked["Key"])
            from botocore.exceptions import ReadTimeoutError

            raise ReadTimeoutError(endpoint_url="http://slow")
        return answer

    network.calls["put_object"] = lose
    with store.open() as log:
        log.append(chat("question", "ada"))
        for _ in range(9):
            try:
                log.seal()
            except StoreAway:
                continue
            break
    network.calls.clear()
    versions = [v for v in store.bucket.versions() if isinstance(v, Version)]
    assert len(versions) == len({v.name for v in versions}), "one object for each name"
    assert len([v for v in versions if v.name.startswith("index/")]) == 1
    assert store.verify().exit_code == 0
