"""`aircon init --sse-kms-key`: the server encrypts every object under that key, locked as ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import line
from support.s3_servers import Server

from console.__main__ import main
from logstore.s3.versions import Version

KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.servers
@pytest.mark.slow
def test_every_object_is_put_under_the_key(
    ministack_server: Server,
    s3_credentials: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bucket = ministack_server.new_bucket(prefix="aircon")
    address = str(bucket.address)
    for name, text in {
        "AWS_ENDPOINT_URL_S3": ministack_server.endpoint_url, "AIRCON_STORE": address,
        "AIRCON_HOME": str(tmp_path / "home"), "AIRCON_PASSPHRASE": "correct horse",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, text)
    logs = tmp_path / "logs.jsonl"
    logs.write_text(line("refund?", "Thirty days.", "maria") + "\n")
    for words in (
        ("init", address, "--sse-kms-key", KEY), ("import", str(logs)), ("seal",), ("verify",),
    ):  # fmt: skip
        monkeypatch.setenv("AIRCON_PASSPHRASE", "correct horse")
        assert main([*words]) == 0, capsys.readouterr()
    found = [each for each in bucket.versions() if isinstance(each, Version)]
    ours = [each for each in found if not each.name.startswith(".probe/")]
    assert {each.name.partition("/")[0] for each in ours} >= {"index", "body", "seal", "log"}
    for each in ours:
        answer = bucket.client.head_object(
            Bucket=bucket.address.bucket,
            Key=bucket.address.key(each.name),
            VersionId=each.version_id,
        )
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", KEY)
        assert answer["ObjectLockMode"] == "COMPLIANCE"
    (home,) = (tmp_path / "home").glob("*/remote.json")
    assert json.loads(home.read_text())["kms_key"] == KEY


def test_a_directory_has_no_such_key(tmp_path: Path) -> None:
    words = ["init", str(tmp_path / "e"), "--insecure-no-passphrase", "--sse-kms-key", KEY]
    assert main(words) == 3
    assert list(tmp_path.iterdir()) == []
