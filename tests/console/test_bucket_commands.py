"""A store in a bucket from the command line, on a real server that enforces locks."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.commands import line
from support.s3_servers import Server

from console.__main__ import main

pytestmark = [pytest.mark.servers, pytest.mark.slow]
PASSPHRASE = "correct horse battery"


@dataclass
class Desk:
    """A machine with a command line."""

    home: Path
    address: str
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str, str]:
        self.monkeypatch.setenv("AIRCON_HOME", str(self.home))
        self.monkeypatch.setenv("AIRCON_PASSPHRASE", PASSPHRASE)
        code = main([*words])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def policy(self) -> Path:
        return next(self.home.glob("*.policy"))


@pytest.fixture
def desk(
    rgw: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    bucket = rgw.new_bucket()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", rgw.endpoint_url)
    address = f"s3://{bucket.address.bucket}/aircon"
    monkeypatch.setenv("AIRCON_STORE", address)
    return Desk(tmp_path / "writer", address, monkeypatch, capsys)


@pytest.fixture
def made(desk: Desk, tmp_path: Path) -> Desk:
    code, _, said = desk.run("init", desk.address, "--retain-index", "10y", "--retain-body", "13m")
    assert code == 0, said
    source = tmp_path / "some.jsonl"
    source.write_text("\n".join(line(f"question {n}", f"answer {n}", "ada") for n in range(3)))
    assert desk.run("import", str(source))[0] == 0
    assert desk.run("seal")[0] == 0
    return desk


def test_from_init_to_an_answer_and_a_verdict(made: Desk) -> None:
    code, out, _ = made.run("status", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["store"], told["bucket_answers"]) == (made.address, True)
    assert told["unsealed"] == told["records"] - told["sealed"]
    code, out, _ = made.run("search", "answer 2", "--json")
    assert code == 0
    assert "answer 2" in out
    code, out, _ = made.run("verify", made.address, "--content")
    assert code == 0, out
    assert "VERIFIED" in out


def test_an_auditor_needs_the_address_and_the_policy(made: Desk, tmp_path: Path) -> None:
    policy = str(made.policy())
    auditor = Desk(tmp_path / "auditor", made.address, made.monkeypatch, made.capsys)
    code, out, _ = auditor.run("verify", made.address, "--policy", policy)
    assert code == 0, out
    assert "tail-elsewhere" in out
    code, out, _ = auditor.run("status", "--policy", policy)
    assert code == 0
    assert "on the writer's machine" in out
    told = json.loads(auditor.run("status", "--json", "--policy", policy)[1])
    assert (told["unsealed"], told["bucket_answers"]) == (None, True)
    words = ("show", "2", "--alone", "--clear-only", "--json", "--policy", policy)
    code, out, said = auditor.run(*words)
    assert (code, json.loads(out)["index"]) == (0, 2), said
    query = "select count(*) n from interactions"
    code, out, _ = auditor.run("sql", query, "--clear-only", "--json", "--policy", policy)
    assert (code, json.loads(out)["n"]) == (0, 3)
    code, _, said = auditor.run("search", "answer", "--policy", policy)
    assert code == 3
    assert "--clear-only" in said


def test_the_attack_is_seen_and_recorded(made: Desk) -> None:
    code, out, said = made.run("doctor", "--attack", "--json")
    assert code == 0, out
    states = {row["check"]: row["state"] for row in map(json.loads, out.splitlines())}
    assert states["probe delete-refused"] == states["probe shorten-refused"] == "ok"
    assert states["probe create-only"] == "warn", "Ceph 16.2 lets a second create-only put succeed"
    assert states["sealed objects"] == "ok"
    assert "is record" in said
    query = "select count(*) n from events where kind = 'store.probed'"
    assert json.loads(made.run("sql", query, "--clear-only", "--json")[1])["n"] == 2, "init's too"
    assert made.run("verify")[0] == 0, "what was attacked is no part of the store"


def test_a_bucket_that_protects_nothing_gets_no_log(
    desk: Desk, rgw: Server, tmp_path: Path
) -> None:
    address = f"s3://{rgw.new_bucket(locked=False).address.bucket}/aircon"
    code, _, said = desk.run("init", address)
    assert code == 8
    assert "would not protect evidence" in said
    assert not list(desk.home.glob("*.keys"))
    assert not list(desk.home.glob("*.policy"))


def test_a_log_is_never_started_over_another(made: Desk, tmp_path: Path) -> None:
    assert made.run("init", made.address)[0] == 3
    other = Desk(tmp_path / "other", made.address, made.monkeypatch, made.capsys)
    code, _, said = other.run("init", made.address)
    assert code == 3, "the same origin, from another machine with the same host name"
    assert "holds a log" in said


def test_retention_shorter_than_the_law_is_said_aloud(desk: Desk) -> None:
    code, _, said = desk.run("init", desk.address, "--retain-body", "30d")
    assert code == 3
    assert "six months" in said
    assert desk.run("init", f"{desk.address}-{secrets.token_hex(2)}", "--retain-body", "30d",
                    "--short-retention")[0] == 0  # fmt: skip


def test_another_server_is_not_mistaken_for_the_same_bucket(
    made: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    assert made.run("verify")[0] == 0, "the home remembers where the bucket is"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    code, _, said = made.run("verify")
    assert code == 3
    assert "was used at" in said
