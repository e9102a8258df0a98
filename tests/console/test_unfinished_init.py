"""`aircon init` that stops half-way: the next one goes on, or finds nothing in its way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import Aircon, line
from support.rgw import credentials_of
from support.roles import Staff, role_policy
from support.s3_servers import CREDENTIALS, Server

from console.__main__ import main
from logstore.errors import NotDurable
from logstore.s3.bucket import Bucket, Version
from logstore.storage.bucketblobs import _Reach
from logstore.storage.log import Log

WORDS = ("init", "--insecure-no-passphrase", "--origin", "t.example/log")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def beside(store: Path) -> set[str]:
    return {path.name for path in store.parent.iterdir()}


# -- in a directory -------------------------------------------------------------------------------


def test_what_stopped_behind_the_keys_goes_on(
    store: Path, aircon: Aircon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> Log:
        raise NotDurable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Log, "create", full)
        assert aircon(*WORDS).code == 5
    key = store.with_name("evidence.policy").read_bytes()
    answer = aircon(*WORDS)
    assert answer.code == 0, answer.err
    assert "Going on with what was begun" in answer.err
    assert store.with_name("evidence.policy").read_bytes() == key
    logs = tmp_path / "logs.jsonl"
    logs.write_text(line("refund policy?", "Thirty days.", "maria") + "\n")
    for words in (("import", str(logs)), ("seal",), ("verify", "--content")):
        assert aircon(*words).code == 0


def test_what_stopped_behind_record_0_keeps_what_it_was_begun_with(
    store: Path, aircon: Aircon, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = Log._publish

    def stops(log: Log, key: str, data: bytes) -> None:
        if key.endswith("log.json"):
            raise NotDurable("the disk is full")
        publish(log, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(Log, "_publish", stops)
        assert aircon(*WORDS, "--retain-index", "5y").code == 5
    answer = aircon(*WORDS, "--retain-index", "10y")
    assert answer.code == 0, answer.err
    assert "what was begun before is kept: 1827 days for the index" in answer.err
    (file,) = store.glob("log/*/log.json")
    assert json.loads(file.read_text())["retention"]["index_days"] == 1827
    assert aircon("verify").code == 0


def test_a_log_that_is_there_is_not_begun_anew(store: Path, aircon: Aircon) -> None:
    assert aircon(*WORDS).code == 0
    for words, says in (
        (WORDS, "holds a log t.example/log already"),
        ((*WORDS[:-1], "t.example/other"), "evidence.keys exists already"),
    ):
        answer = aircon(*words)
        assert answer.code == 3
        assert says in answer.err
    store.with_name("evidence.keys").rename(store.with_name("elsewhere"))
    answer = aircon(*WORDS[:-1], "t.example/other")
    assert answer.code == 3
    assert "store.json exists already" in answer.err


def test_keys_whose_records_are_elsewhere_begin_nothing(store: Path, aircon: Aircon) -> None:
    """A disk that is not mounted must not become a second log under the same key."""
    assert aircon(*WORDS).code == 0
    store.rename(store.with_name("mounted elsewhere"))
    before = beside(store)
    answer = aircon(*WORDS)
    assert answer.code == 3
    assert "have signed records that are not in" in answer.err
    assert beside(store) == before
    store.with_name("mounted elsewhere").rename(store)
    assert aircon("verify").code == 0


def test_somebody_elses_policy_is_not_replaced(store: Path, aircon: Aircon) -> None:
    store.with_name("evidence.policy").write_text("of another log")
    assert aircon(*WORDS).code == 3
    assert beside(store) == {"evidence.policy"}


def test_a_file_is_no_place_for_a_store(store: Path, aircon: Aircon) -> None:
    store.write_text("of somebody")
    answer = aircon(*WORDS)
    assert answer.code == 3
    assert "evidence exists already" in answer.err
    assert beside(store) == {"evidence"}


# -- in a bucket ----------------------------------------------------------------------------------


@pytest.fixture
def owners(rgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket, which the environment names as the store."""
    bucket = rgw.new_bucket(prefix="aircon")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", rgw.endpoint_url)
    monkeypatch.setenv("AIRCON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRCON_STORE", str(bucket.address))
    return bucket


def run(*words: str) -> int:
    _Reach.again.clear()  # as if it were a new process
    return main([*words])


def left(base: Path) -> list[str]:
    return sorted(path.name for path in base.glob("home/*"))


@pytest.mark.servers
@pytest.mark.slow
def test_refused_at_the_door_it_leaves_nothing(
    owners: Bucket, rgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked = str(rgw.new_bucket(locked=False).address)
    for change, words in (
        (credentials_of("auditor"), WORDS),
        ({**CREDENTIALS, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, WORDS),
        ({"AWS_ENDPOINT_URL_S3": rgw.endpoint_url}, (*WORDS, unlocked)),
    ):
        for name, value in change.items():
            monkeypatch.setenv(name, value)
        assert run(*words) == 8
        assert left(tmp_path) == []
    assert run(*WORDS) == 0
    assert run("verify") == 0


@pytest.mark.servers
@pytest.mark.slow
def test_a_log_of_that_name_elsewhere_is_found_before_anything_is_made(
    owners: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*WORDS) == 0
    before = list(owners.versions())
    monkeypatch.setenv("AIRCON_HOME", str(tmp_path / "other" / "home"))
    assert run(*WORDS) == 3
    assert "--origin" in capsys.readouterr().err
    assert left(tmp_path / "other") == []
    assert list(owners.versions()) == before
    assert run(*WORDS[:-1], "t.example/other") == 0
    assert run("seal") == 0


@pytest.mark.servers
@pytest.mark.slow
def test_what_was_begun_in_the_bucket_goes_on(
    owners: Bucket, rgw: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever makes it may put everything but the description of the log, which comes last."""
    policy = role_policy("writer", owners.address)
    bucket = f"arn:aws:s3:::{owners.address.bucket}"
    settings = ["s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"]
    may = {"Effect": "Allow", "Action": settings, "Resource": bucket}
    may_not = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"{bucket}/aircon/log/*"}
    staff = Staff(rgw, monkeypatch)
    try:
        staff.become("writer")
        staff.allow("writer", {**policy, "Statement": [*policy["Statement"], may, may_not]})
        assert run(*WORDS) == 8
        assert "access is denied" in capsys.readouterr().err
        assert run(*WORDS, "--mode", "governance") == 3
        assert "begun with --mode compliance" in capsys.readouterr().err
        staff.allow("writer", {**policy, "Statement": [*policy["Statement"], may]})
        assert run(*WORDS) == 0
        assert run("seal") == 0
        assert run("verify") == 0
    finally:
        staff.dismiss()
    put = [each.name for each in owners.versions() if isinstance(each, Version)]
    assert len([name for name in put if name == "store.json"]) == 1


@pytest.mark.servers
@pytest.mark.slow
def test_a_reader_who_named_the_wrong_server_names_the_right_one(
    owners: Bucket, rgw: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*WORDS) == 0
    assert run("seal") == 0
    policy = str(next(tmp_path.glob("home/*.policy")))
    for words in (
        ("verify", "--policy", policy),
        ("sql", "select 1", "--clear-only", "--policy", policy),
        ("status", "--policy", policy),
        ("doctor", "--policy", policy),
    ):
        base = tmp_path / words[0]
        monkeypatch.setenv("AIRCON_HOME", str(base / "home"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        assert run(*words) in {8, 2}
        assert left(base) == [], words
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", rgw.endpoint_url)
        assert run(*words) == 0, words
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        assert run(*words) == 3, "now it is known where the bucket is"
