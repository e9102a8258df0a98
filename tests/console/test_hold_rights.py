"""Whoever may not hold objects, or may not remove them, and what they see: on a real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import Answer, line
from support.roles import Staff, role_policy
from support.s3_servers import CREDENTIALS, Server

from console.__main__ import main
from logstore.s3.bucket import Bucket
from logstore.s3.versions import Version

pytestmark = [pytest.mark.servers, pytest.mark.slow]

As = Callable[..., Answer]


@pytest.fixture
def bucket(rgw_servers: dict[str, Server], monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket, as whoever makes the log in it sees it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server = rgw_servers["rgw-http"]
    made = server.new_bucket(prefix="ai/aircon")
    return Staff(server, monkeypatch).bucket("administrator", made.remote)


@pytest.fixture
def people(
    rgw_servers: dict[str, Server],
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[As]:
    """Run `aircon` as somebody, on the machine of a log with one sealed segment."""
    server = rgw_servers["rgw-http"]
    staff = Staff(server, monkeypatch)
    staff.allow("responder", role_policy("responder", bucket.address))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint_url)
    monkeypatch.setenv("AIRCON_STORE", str(bucket.address))
    monkeypatch.setenv("AIRCON_HOME", str(tmp_path / "homes"))
    source = tmp_path / "some.jsonl"
    source.write_text(line("question", "answer", "ada"))

    def run(who: str, *words: str) -> Answer:
        staff.become(who)
        capsys.readouterr()
        code = main(list(words))
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    for words in (("init", "--insecure-no-passphrase"), ("import", str(source)), ("seal",)):
        done = run("administrator", *words)
        assert done.code == 0, done.err
    yield run
    staff.dismiss()


def held(bucket: Bucket) -> set[bool]:
    """Whether objects of the first segment are held; the log's other objects never are."""
    named = (each for each in bucket.versions() if isinstance(each, Version))
    sealed = [each for each in named if "seg-000000000000" in each.name]
    assert len(sealed) == 2
    return {bucket.head(each.name, each.version_id).hold for each in sealed}


def test_a_hold_by_somebody_who_may_not_is_on_the_log_and_others_finish_it(
    people: As, bucket: Bucket
) -> None:
    placed = people("responder", "hold", "add", "--records", "0", "--reason", "case 17")
    assert placed.code == 8
    assert "access is denied" in placed.err
    assert "is on the log, and no `aircon retention` removes" in placed.err
    assert "docs/iam" in placed.err
    assert "aircon hold finish" in placed.err
    assert "aircon seal" not in placed.err, "that would be refused as well"
    assert held(bucket) == {False}
    listed = people("responder", "hold", "list")
    assert "in force" in listed.out
    assert "`aircon hold finish`" in listed.err
    refused = people("responder", "hold", "finish")
    assert refused.code == 8
    assert "access is denied" in refused.err
    assert people("administrator", "hold", "finish").code == 0
    assert held(bucket) == {True}
    assert people("responder", "hold", "list").err == ""


def test_a_release_by_somebody_who_may_not_is_said_to_be_one(people: As, bucket: Bucket) -> None:
    words = ("--records", "0", "--reason", "case 17", "--json")
    made = people("administrator", "hold", "add", *words)
    assert held(bucket) == {True}
    number = str(made.objects[0]["hold"])
    released = people("responder", "hold", "release", number, "--reason", "settled")
    assert released.code == 8
    assert f"The release of hold {number} is on the log" in released.err
    assert "no `aircon retention` removes" not in released.err
    assert held(bucket) == {True}
    assert people("administrator", "hold", "finish").code == 0
    assert held(bucket) == {False}
