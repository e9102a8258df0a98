"""The client sends what every server understands, and only to where `remote.json` says."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from typing import Any

import pytest
from support.fake_s3 import Reply, fake_s3

from logstore.s3.address import Address
from logstore.s3.client import connect, moment
from logstore.s3.remote import Remote


def test_the_environment_can_not_send_evidence_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    client: Any = connect(Remote(Address("evidence"), region="eu-central-1"))
    assert client.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"


def test_a_put_has_its_digests_in_headers_and_nothing_behind_its_body() -> None:
    data = b"evidence" * 1000
    digest = hashlib.sha256(data).hexdigest()
    with fake_s3(lambda _: Reply(200)) as (endpoint, seen):
        client = connect(Remote(Address("evidence"), endpoint))
        client.put_object(Bucket="evidence", Key="a", Body=data)
        client.close()
    (request,) = seen
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert request.path == "/evidence/a"
    assert request.body == data
    assert headers["x-amz-content-sha256"] == digest
    assert "x-amz-trailer" not in headers
    assert "aws-chunked" not in headers.get("content-encoding", "")
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 ")


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-25T18:31:31.000Z", "2026-11-25T18:31:31Z", "2026-11-25T19:31:31.000+01:00",
        "Wed, 25 Nov 2026 18:31:31 GMT", "Wed, 25 Nov 2026 18:31:31 +0000", "25 Nov 2026 18:31:31Z",
        "20261125T183131Z", 1795631491, 1795631491.0, "1795631491",
    ],
)  # fmt: skip
def test_times_in_answers(said: object) -> None:
    assert moment(said) == dt.datetime(2026, 11, 25, 18, 31, 31, tzinfo=dt.UTC)


@pytest.mark.parametrize("said", ["", "soon", "2026-13-01T00:00:00Z", "Wed, 99 Nov 2026", None])
def test_what_is_no_time(said: object) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        moment(said)


def test_boto3_is_loaded_only_when_a_bucket_is_used() -> None:
    program = (
        "import sys, logstore.s3.bucket, logstore.s3.probing\n"
        "print({'boto3', 'botocore', 'urllib3'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "set()\n"
