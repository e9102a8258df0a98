"""The bucket goes away under a real `aircon serve`, and the credentials run out meanwhile."""

from __future__ import annotations

import collections
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gate import Gate, gate
from support.rgw import ROTATED
from support.s3_servers import CREDENTIALS, Server
from support.serving import PROTOBUF, Serving, aircon, serving, spans
from support.waiting import until

from logstore.s3.bucket import Bucket

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture
def bucket(rgw: Server) -> Bucket:
    return rgw.new_bucket(prefix="aircon")


@pytest.fixture
def entrance(rgw: Server) -> Iterator[Gate]:
    with gate(rgw.endpoint_url) as state:
        yield state


@pytest.fixture
def credentials(
    bucket: Bucket, entrance: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The credentials file of the machine, and a store that was made with it."""
    for name in CREDENTIALS:
        if "KEY" in name:
            monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", entrance.url)
    monkeypatch.setenv("AIRCON_HOME", str(tmp_path / "home"))
    issue(file, CREDENTIALS)
    kept = ("--retain-index", "10y", "--retain-body", "13m", "--insecure-no-passphrase")
    made = aircon("init", str(bucket.address), *kept)
    assert made.returncode == 0, made.stderr
    return file


def issue(file: Path, said: dict[str, str]) -> None:
    """Write credentials as whatever rotates them does: whole, in the place of the old ones."""
    lines = [f"{name.lower()} = {value}" for name, value in said.items() if "KEY" in name]
    fresh = file.with_suffix(".new")
    fresh.write_text("\n".join(["[default]", *lines[:2]]) + "\n")
    fresh.replace(file)


def send(server: Serving, first: int) -> None:
    with server.client as client:
        data = spans(3, first=first).SerializeToString()
        answer = client.post("/v1/traces", content=data, headers=PROTOBUF)
    assert answer.status_code == 200, answer.text


def metric(server: Serving, name: str) -> float:
    with server.client as client:
        lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def status(address: str) -> tuple[dict[str, object], str]:
    told: subprocess.CompletedProcess[str] = aircon("status", "--store", address, "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout), told.stderr


def test_capture_goes_on_and_new_credentials_are_taken_up(
    bucket: Bucket, entrance: Gate, credentials: Path
) -> None:
    address = str(bucket.address)
    with serving(address, "--seal-age", "1") as server:
        send(server, 1)
        until(lambda: server.events("sealed"))
        entrance.shut = True
        send(server, 4)
        until(lambda: server.events("store-away"))
        entrance.expired = {CREDENTIALS["AWS_ACCESS_KEY_ID"]}  # meanwhile, and nobody notices yet
        send(server, 7)
        assert metric(server, "aircon_store_away") == 1
        assert metric(server, "aircon_ready") == 1
        told, said = status(address)
        assert (told["bucket_answers"], told["sealed"]) == (False, _sealed(server))
        assert int(str(told["unsealed"])) >= 6
        assert "on this machine" in said
        entrance.shut = False
        until(lambda: entrance.turned_down >= 3)
        send(server, 10)
        assert metric(server, "aircon_store_away") == 1
        issue(credentials, ROTATED)
        until(lambda: server.events("store-back"))
        until(lambda: metric(server, "aircon_waiting_files") == 0)
        assert metric(server, "aircon_store_away") == 0
        assert server.stop() == 0
    _all_is_there(bucket, address)


def _sealed(server: Serving) -> int:
    return sum(int(str(event["records"])) for event in server.events("sealed"))


def _all_is_there(bucket: Bucket, address: str) -> None:
    sealed = aircon("seal", "--store", address, "--insecure-no-passphrase")
    assert sealed.returncode == 0, sealed.stderr
    count = "SELECT count(*) AS n FROM interactions"
    asked = aircon("sql", count, "--store", address, "--insecure-no-passphrase", "--json")
    assert json.loads(asked.stdout)["n"] == 12
    found = aircon("verify", address, "--content", "--insecure-no-passphrase")
    assert found.returncode == 0, found.stdout
    names = collections.Counter(each.name for each in bucket.versions())
    evidence = {name: count for name, count in names.items() if not name.startswith(".probe/")}
    assert set(evidence.values()) == {1}, "one object per segment, once"
