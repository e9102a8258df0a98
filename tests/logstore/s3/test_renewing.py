"""Credentials that run out under a program that goes on: new ones are taken up from the file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.fake_s3 import Reply, Request, fake_s3, refusal

from logstore.errors import StoreRefused
from logstore.s3 import renewing
from logstore.s3.address import Address
from logstore.s3.bucket import BucketReader
from logstore.s3.client import Patience, connect
from logstore.s3.remote import Remote

A, V = "store.json", "3HL4kqtJvjVBH40Nrjfkd"
EXPIRED = refusal(400, "ExpiredToken")


class Guarded:
    """A server that takes one access key and refuses every other; its bucket, and who asked."""

    def __init__(self, endpoint: str = "") -> None:
        self.takes = "first"
        self.refuses = EXPIRED
        self.asked: list[str] = []
        self.endpoint = endpoint

    def __call__(self, request: Request) -> Reply:
        signed = request.headers.get("Authorization", "")
        self.asked.append(signed.partition("Credential=")[2].partition("/")[0])
        taken = self.asked[-1] == self.takes
        return Reply(200, b"evidence", {"x-amz-version-id": V}) if taken else self.refuses

    def reader(self) -> BucketReader:
        remote = Remote(Address("evidence", "logs"), self.endpoint)
        return BucketReader(remote, connect(remote, Patience(2, 2, 1)))


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    made = Guarded()
    with fake_s3(made) as (endpoint, _):
        made.endpoint = endpoint
        yield made


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared credentials file, looked at again at once."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(renewing, "PAUSE_S", 0.0)
    write(tmp_path / "credentials", "first")
    return tmp_path / "credentials"


def write(path: Path, key: str) -> None:
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = s-{key}\n")


@pytest.mark.parametrize("call", ["get", "head"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"), (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
    ],
)  # fmt: skip
def test_new_ones_are_taken_up(
    guarded: Guarded, file: Path, call: str, status: int, code: str
) -> None:
    guarded.refuses = refusal(status, code)
    reader = guarded.reader()
    getattr(reader, call)(A, V)
    guarded.takes = "second"
    with pytest.raises(StoreRefused):
        getattr(reader, call)(A, V)
    write(file, "second")
    getattr(reader, call)(A, V)
    before = len(guarded.asked)
    getattr(reader, call)(A, V)
    assert guarded.asked[before:] == ["second"]  # the old ones are not tried again


def test_nobody_asks_twice_with_what_was_turned_down(guarded: Guarded, file: Path) -> None:
    reader = guarded.reader()
    guarded.takes = "nobody"
    with pytest.raises(StoreRefused, match="credentials have expired"):
        reader.get(A, V)
    assert guarded.asked == ["first"]
    write(file, "also-old")
    with pytest.raises(StoreRefused, match="credentials have expired"):
        reader.get(A, V)
    assert guarded.asked == ["first", "first", "also-old"]


def test_the_file_is_not_looked_up_at_every_call(
    guarded: Guarded, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "PAUSE_S", 3600.0)
    reader = guarded.reader()
    guarded.takes = "second"
    with pytest.raises(StoreRefused):
        reader.get(A, V)
    write(file, "second")
    with pytest.raises(StoreRefused):
        reader.get(A, V)
    assert guarded.asked == ["first", "first"]


@pytest.mark.parametrize("left", ["", "[default", "[default]\naws_access_key_id = half\n"])
def test_a_file_that_is_being_written_changes_nothing(
    guarded: Guarded, file: Path, left: str
) -> None:
    reader = guarded.reader()
    guarded.takes = "second"
    file.write_text(left)
    with pytest.raises(StoreRefused, match="expired"):
        reader.get(A, V)
    write(file, "second")
    assert reader.get(A, V).data == b"evidence"


def test_many_at_once_renew_once(guarded: Guarded, file: Path) -> None:
    reader = guarded.reader()
    guarded.takes = "second"
    write(file, "second")
    with ThreadPoolExecutor(8) as pool:
        assert {found.data for found in pool.map(lambda _: reader.get(A, V), range(32))} == {
            b"evidence"
        }
    assert guarded.asked.count("second") == 32
    assert guarded.asked.count("first") <= 8


def test_what_the_environment_says_stays(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    reader = guarded.reader()
    guarded.takes = "second"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
    with pytest.raises(StoreRefused, match="expired"):
        reader.get(A, V)
    assert guarded.asked == ["first"]


def test_what_is_no_matter_of_credentials_is_not_tried_again(guarded: Guarded, file: Path) -> None:
    reader = guarded.reader()
    write(file, "second")
    guarded.takes, guarded.refuses = "nobody", refusal(404, "NoSuchBucket")
    with pytest.raises(StoreRefused, match="no such bucket"):
        reader.get(A, V)
    assert guarded.asked == ["first"]
