"""A bucket's home: which bucket, which server, and who writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from logstore.disk import Disk
from logstore.errors import FormatError, UsageError
from logstore.s3.address import Address
from logstore.storage.home import (
    check_may_write,
    make_writer,
    read_remote,
    read_writer,
    settle_home,
)
from logstore.storage.logfile import Retention, check_retention
from logstore.storage.places import Places

ADDRESS = Address("evidence", "aircon/eu")
DISK = Disk(immutable=False)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def test_the_server_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    settle_home(tmp_path, ADDRESS, DISK)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    remote = settle_home(tmp_path, ADDRESS, DISK)
    assert remote == read_remote(tmp_path)
    assert (remote.endpoint_url, remote.region) == ("https://s3.example.com", "eu-central-1")


def test_evidence_does_not_go_to_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_home(tmp_path, ADDRESS, DISK)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.example.com")
    with pytest.raises(UsageError, match="used at Amazon"):
        settle_home(tmp_path, ADDRESS, DISK)


def test_a_home_is_of_one_bucket(tmp_path: Path) -> None:
    settle_home(tmp_path, ADDRESS, DISK)
    with pytest.raises(UsageError, match="is the home of s3://evidence/aircon/eu"):
        settle_home(tmp_path, Address("evidence", "other"), DISK)


def test_a_directory_is_no_home(tmp_path: Path) -> None:
    assert read_remote(tmp_path) is None
    check_may_write(tmp_path)


def test_who_only_reads_may_not_write(tmp_path: Path) -> None:
    settle_home(tmp_path, ADDRESS, DISK)
    with pytest.raises(UsageError, match="only reads"):
        check_may_write(tmp_path)
    make_writer(tmp_path, "0123456789abcdef", "COMPLIANCE", DISK)
    check_may_write(tmp_path)
    writer = read_writer(tmp_path)
    assert writer is not None
    assert (writer.id, writer.mode) == ("0123456789abcdef", "COMPLIANCE")


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"id":1}', b'{"id":"x","mode":"WEAK"}'])
def test_a_damaged_writer_file_is_said_in_words(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "writer.json").write_bytes(data)
    with pytest.raises(FormatError, match="can not be read"):
        read_writer(tmp_path)


def test_homes_lie_below_one_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRCON_HOME", str(tmp_path))
    places = Places.of_bucket(ADDRESS)
    assert places.store == tmp_path / "s3.evidence.aircon_eu"
    assert places.keys == tmp_path / "s3.evidence.aircon_eu.keys"
    assert places.name == "s3://evidence/aircon/eu"
    assert Places.of_bucket(Address("evidence")).store == tmp_path / "s3.evidence"
    monkeypatch.delenv("AIRCON_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Places.of_bucket(ADDRESS).store.parent == tmp_path / "data" / "aircon"


def test_a_retention_is_as_long_as_the_law_asks_or_says_that_it_is_not() -> None:
    kept = Retention(3653, 184)
    assert check_retention(kept, short=False) == kept
    with pytest.raises(UsageError, match="six months"):
        check_retention(Retention(3653, 183), short=False)
    assert check_retention(Retention(30, 7), short=True).body_days == 7


@pytest.mark.parametrize(("index", "body"), [(100, 200), (0, 0), (36_501, 400), (5, -1)])
def test_no_content_outlives_its_index_nor_anything_a_lifetime(index: int, body: int) -> None:
    with pytest.raises(UsageError, match="can not be kept"):
        check_retention(Retention(index, body), short=True)


def test_the_key_that_the_server_encrypts_under_is_remembered_until_another_is_named(
    tmp_path: Path,
) -> None:
    assert settle_home(tmp_path, ADDRESS, DISK, kms_key="alias/one").kms_key == "alias/one"
    assert settle_home(tmp_path, ADDRESS, DISK).kms_key == "alias/one"
    assert settle_home(tmp_path, ADDRESS, DISK, kms_key="alias/two").kms_key == "alias/two"
    remote = read_remote(tmp_path)
    assert remote is not None
    assert remote.kms_key == "alias/two"
