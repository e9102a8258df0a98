"""`aircon token`: from a new token to its end, on the log and nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import Aircon

from console.__main__ import main
from console.expiry import ends_us
from logstore.disk import lock_file
from logstore.errors import UsageError
from logstore.receiving import tokenfile
from logstore.receiving.tokens import PATTERN

DAY = 86_400_000_000
MIDNIGHT = 1_795_564_800_000_000  # 2026-11-25 00:00Z


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store without a passphrase."""
    store = tmp_path / "evidence"
    words = ["init", str(store), "--origin", "t.example/log"]
    assert main([*words, "--insecure-no-passphrase"]) == 0
    return store


def on_the_log(aircon: Aircon) -> list[dict[str, object]]:
    asked = "SELECT kind, recorded_by, clear, note FROM events WHERE kind LIKE 'token.%'"
    return aircon("sql", f"{asked} ORDER BY index", "--json").objects


def file_of(store: Path) -> Path:
    return store.with_name("evidence.tokens")


def test_a_token_is_printed_alone_and_once_and_kept_as_a_hash(aircon: Aircon, store: Path) -> None:
    made = aircon("token", "add", "gateway")
    assert made.code == 0
    text = made.out.removesuffix("\n")
    assert PATTERN.fullmatch(text)
    assert text not in made.err
    assert "source live/gateway, expires 20" in made.err
    kept = file_of(store).read_text()
    assert hashlib.sha256(text.encode()).hexdigest() in kept
    for path in store.parent.rglob("*"):
        if path.is_file():
            assert text[16:].encode() not in path.read_bytes(), path


def test_making_and_revoking_are_on_the_log_without_secret_or_hash(aircon: Aircon) -> None:
    words = ("--source", "gw", "--scope", "metrics,write", "--expires", "never")
    text = aircon("token", "add", "gateway", *words, "--records-per-second", "50").out.strip()
    assert aircon("token", "revoke", text[7:15]).code == 0
    created, revoked = on_the_log(aircon)
    assert (created["kind"], revoked["kind"]) == ("token.created", "token.revoked")
    for record in (created, revoked):
        assert record["recorded_by"] == "tester"
        assert json.loads(str(record["clear"])) == {
            "token_id": text[7:15],
            "token_source": "gw",
            "scopes": ["write", "metrics"],
            "records_per_s": 50,
        }
        assert json.loads(str(record["note"]))["name"] == "gateway"
        said = json.dumps(record)
        assert text[16:] not in said
        assert hashlib.sha256(text.encode()).hexdigest() not in said
    assert aircon("verify").code == 0


def test_the_list_says_which_are_good(aircon: Aircon) -> None:
    for name, *words in (
        ["old"],
        ["short", "--expires", "3d"],
        ["scraper", "--scope", "metrics", "--bytes-per-second", "1000"],
    ):
        assert aircon("token", "add", name, *words).code == 0
    assert aircon("token", "revoke", "old").code == 0
    listed = aircon("token", "list", "--json").objects
    assert [(row["name"], row["state"], row["scopes"]) for row in listed] == [
        ("old", "revoked", ["write"]),
        ("short", "good", ["write"]),
        ("scraper", "good", ["metrics"]),
    ]
    assert listed[2]["bytes_per_s"] == 1_000
    assert "sha256" not in listed[0]
    table = aircon("token", "list")
    assert "(3 rows)" in table.out
    assert "token short expires" in table.err
    assert "old" not in table.err
    assert "scraper" not in table.err


def test_json_holds_the_token_beside_its_facts(aircon: Aircon) -> None:
    (made,) = aircon("token", "add", "gateway", "--json").objects
    assert PATTERN.fullmatch(str(made["token"]))
    assert made["id"] == str(made["token"])[7:15]


def test_without_the_passphrase_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def aircon(passphrase: str, *words: str) -> int:
        monkeypatch.setenv("AIRCON_PASSPHRASE", passphrase)
        return main([*words, "--store", str(tmp_path / "locked")])

    monkeypatch.setenv("AIRCON_PASSPHRASE", "right")
    assert main(["init", str(tmp_path / "locked")]) == 0
    assert aircon("right", "token", "add", "gateway") == 0
    before = (tmp_path / "locked.tokens").read_bytes()
    assert aircon("wrong", "token", "add", "second") == 2
    assert aircon("wrong", "token", "revoke", "gateway") == 2
    assert (tmp_path / "locked.tokens").read_bytes() == before
    capsys.readouterr()
    assert aircon("wrong", "status", "--json") == 0
    records = json.loads(capsys.readouterr().out)["records"]
    assert aircon("right", "token", "revoke", "gateway") == 0
    capsys.readouterr()
    assert aircon("wrong", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["records"] == records + 1


def test_while_another_program_keeps_the_log_nothing_is_changed(
    aircon: Aircon, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.access.BUSY_TIMEOUT_S", 0.2)
    held = lock_file(next(store.glob("wal/*/writer.lock")), wait=True)
    assert held is not None
    try:
        assert aircon("token", "add", "gateway").code == 4
    finally:
        os.close(held)
    assert not file_of(store).exists()
    assert aircon("token", "list").code == 3


def test_a_file_of_its_own(
    aircon: Aircon, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "else")
    assert aircon("token", "add", "gateway", "--token-file", place).code == 0
    assert [token.name for token in tokenfile.load(Path(place))] == ["gateway"]
    assert not file_of(store).exists()
    monkeypatch.delenv("AIRCON_STORE")
    assert aircon("token", "list", "--token-file", place, "--json").objects[0]["name"] == "gateway"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add"], "needs a name"),
        (["revoke"], "needs a name"),
        (["list", "gateway"], "takes no name"),
        (["revoke", "x", "--expires", "3d"], "--expires belongs to `aircon token add`"),
        (["list", "--records-per-second", "3"], "--records-per-second belongs to"),
        (["add", "Maria Rossi"], "can not be the name"),
        (["add", "\x1b]0;PWNED\x07"], "can not be the name"),
        (["add", "x", "--source", ""], "can not be the source"),
        (["add", "x", "--scope", "read"], "scopes of a token are write and metrics"),
        (["add", "x", "--scope", "write,"], "scopes of a token are"),
        (["add", "x", "--expires", "soon"], "--expires soon: when is that?"),
        (["add", "x", "--expires", "2020-01-01"], "over already"),
        (["add", "x", "--records-per-second", "0"], "a rate is 1 to"),
        (["make", "x"], "invalid choice"),
        (["revoke", "x"], "no token file"),
    ],
    ids=lambda words: " ".join(words)[:30].encode("unicode_escape").decode(),
)
def test_a_mistake_is_said_and_changes_nothing(
    aircon: Aircon, store: Path, words: list[str], said: str
) -> None:
    answer = aircon("token", *words)
    assert answer.code == 3
    assert answer.out == ""
    assert said in answer.err
    assert "\x1b" not in answer.err
    assert not file_of(store).exists()


def test_a_broken_file_is_named_and_kept(aircon: Aircon, store: Path) -> None:
    file_of(store).write_text("{}")
    file_of(store).chmod(0o600)
    for words in (["list"], ["add", "x"], ["revoke", "x"]):
        answer = aircon("token", *words)
        assert answer.code == 2
        assert "evidence.tokens is not a token file" in answer.err
    assert file_of(store).read_text() == "{}"


def test_the_token_goes_through_a_pipe(store: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console", "token", "add", "piped", "--store", str(store)],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert PATTERN.fullmatch(done.stdout.removesuffix("\n"))


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("never", None),
        ("12h", MIDNIGHT + DAY // 2),
        ("90d", MIDNIGHT + 90 * DAY),
        ("2w", MIDNIGHT + 14 * DAY),
        ("2026-11-25", MIDNIGHT + DAY),
        ("2027-01-01", MIDNIGHT + 38 * DAY),
    ],
)
def test_an_end_is_read_as_people_mean_it(said: str, end: int | None) -> None:
    assert ends_us(said, MIDNIGHT) == end


@pytest.mark.parametrize(
    "said",
    ["", "0d", "-3d", "90", "d", "9999999d", "999999w", "2026-11-24", "2026-02-30", "9999-12-31",
     "20261231", "2027-W01-1", "2027-01-01T00:00Z", "\u0669d", "90d\n", "Never"],
)  # fmt: skip
def test_what_is_no_end_is_refused(said: str) -> None:
    with pytest.raises(UsageError):
        ends_us(said, MIDNIGHT)
