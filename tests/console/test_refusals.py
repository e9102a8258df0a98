"""The bucket says no: in words why, what is kept and what to do, with exit code 8."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.commands import Answer, line
from support.fake_s3 import fake_s3, refusal
from support.rgw import credentials_of
from support.s3_servers import CREDENTIALS, Server

from console.__main__ import main
from logstore.storage.bucketblobs import _Reach
from logstore.verify.bucketmemory import _Connections

pytestmark = [pytest.mark.servers, pytest.mark.slow]

QUERY = "select count(*) n from interactions"
KEPT = "Nothing is lost: what is not in the bucket yet is still on its writer's machine."
RENEW = "Renew the credentials, where boto3 looks for them, then try again."


@dataclass
class Desk:
    """People with a log in a bucket, each command as if it were the first of a new process."""

    base: Path
    server: Server
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    bucket: str = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = self.server.new_bucket().address.bucket
        self.monkeypatch.setenv("AIRCON_STORE", self.address)
        self.point_to(self.server.endpoint_url)
        self.done("writer", "init", "--insecure-no-passphrase")
        self.take_in("a question")
        self.done("writer", "seal")
        self.take_in("another one")

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/aircon"

    @property
    def policy(self) -> str:
        return str(next((self.base / "writer").glob("*.policy")))

    def run(self, home: str, *words: str) -> Answer:
        _Connections.made.clear()
        _Reach.again.clear()
        self.monkeypatch.setenv("AIRCON_HOME", str(self.base / home))
        self.capsys.readouterr()
        code = main([*words])
        said = self.capsys.readouterr()
        return Answer(code, said.out, said.err)

    def done(self, home: str, *words: str) -> Answer:
        answer = self.run(home, *words)
        assert answer.code == 0, answer.err
        return answer

    def take_in(self, text: str) -> None:
        logs = self.base / "logs.jsonl"
        logs.write_text(line(text, "an answer", "ada") + "\n")
        self.done("writer", "import", str(logs))

    def point_to(self, endpoint: str) -> None:
        """The bucket is at another server from now on, as docs/s3.md says how to tell."""
        self.monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        for file in self.base.glob("*/*/remote.json"):
            file.write_text(json.dumps(json.loads(file.read_text()) | {"endpoint_url": endpoint}))

    def be(self, credentials: dict[str, str]) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            self.monkeypatch.delenv(name, raising=False)
        for name, value in credentials.items():
            self.monkeypatch.setenv(name, value)


@pytest.fixture
def desk(
    rgw: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    return Desk(tmp_path, rgw, monkeypatch, capsys)


@contextmanager
def _expired(desk: Desk) -> Iterator[None]:
    """A server that says so; Ceph gives out no session tokens here."""
    no = refusal(400, "ExpiredToken", "The provided token has expired.")
    with fake_s3(lambda _: no) as (endpoint, _):
        desk.be({**CREDENTIALS, "AWS_SESSION_TOKEN": "of yesterday"})
        desk.point_to(endpoint)
        yield
        desk.point_to(desk.server.endpoint_url)


def _with(credentials: dict[str, str]) -> Callable[[Desk], nullcontext[None]]:
    return lambda desk: nullcontext(desk.be(credentials))


@pytest.mark.parametrize(
    ("refused", "why", "todo"),
    [
        (_with({**CREDENTIALS, "AWS_SECRET_ACCESS_KEY": "mistyped"}),
         "the secret key is not the one that the server knows", RENEW),
        (_with(credentials_of("nobody")), "the server does not know the access key", RENEW),
        (_with(credentials_of("auditor")), "access is denied",
         "Let the owner of the bucket allow it; docs/iam says what each role needs."),
        (_with({}), "there are no credentials",
         "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        (_expired, "the credentials have expired", RENEW),
    ],
    ids=["wrong secret", "unknown key", "denied", "none", "expired"],
)  # fmt: skip
def test_why_it_is_refused_is_said_and_nothing_is_lost(
    desk: Desk, refused: Callable[[Desk], nullcontext[None]], why: str, todo: str
) -> None:
    trust = ("--policy", desk.policy)
    with refused(desk):
        for home, words in (
            ("auditor", ("verify", desk.address, *trust)),
            ("responder", ("sql", QUERY, "--clear-only", *trust)),
            ("writer", ("seal",)),
            ("writer", ("seal",)),
        ):
            answer = desk.run(home, *words)
            assert (answer.code, answer.out) == (8, ""), answer
            what, *rest = answer.err.splitlines()
            assert what.startswith(f"aircon: could not list {desk.address}/")
            assert what.endswith(f": {why}")
            assert rest == [f"  {KEPT}", f"  {todo}"]
        answer = desk.done("writer", "sql", QUERY, "--json")
        assert answer.objects == [{"n": 2}], "what is on this machine is still answered"
        assert f"{why}; this is what was on this machine already" in answer.err
        doctor = desk.run("writer", "doctor", "--json")
        rows = {row["check"]: row for row in doctor.objects}
        assert why in str(rows["sealed objects"]["says"])
    desk.be(CREDENTIALS)
    desk.done("writer", "seal")
    desk.done("auditor", "verify", desk.address, *trust)
    answer = desk.done("responder", "sql", QUERY, "--clear-only", "--json", *trust)
    assert answer.objects == [{"n": 2}]


def test_doctor_tells_credentials_that_are_no_good_from_settings_that_are_hidden(
    desk: Desk,
) -> None:
    def bucket() -> list[str]:
        rows = desk.run("writer", "doctor", "--json").objects
        return [str(row["says"]) for row in rows if row["check"] in ("bucket", "versioning")]

    desk.be(credentials_of("auditor"))
    assert any("may not be looked at with these credentials" in says for says in bucket())
    desk.be({**CREDENTIALS, "AWS_SECRET_ACCESS_KEY": "mistyped"})
    assert any(
        f"the secret key is not the one that the server knows. {RENEW}" in says for says in bucket()
    )
