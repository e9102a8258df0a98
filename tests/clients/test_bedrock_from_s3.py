"""Bedrock's logs come from a bucket with Amazon's own command, as docs/capture/bedrock.md says.

The bucket is moto's; the logs are the sample logs, whose large bodies are objects of their own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from support.client_programs import free_port
from support.recipes import PAGES, ROOT
from support.serving import aircon, new_store, sql

pytestmark = pytest.mark.slow

SAMPLE = ROOT / "sample-logs/bedrock"
BUCKET = "my-bedrock-logs"
NOBODY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",  # moto asks for some, whatever they are
    "AWS_DEFAULT_REGION": "eu-west-1",
}
FACTS = """
    SELECT response_id, actor, user_ids, input_text, output_text, capture_gaps
    FROM interactions ORDER BY ALL
"""


def test_a_buckets_logs_are_imported_once_with_the_bodies_they_point_at(
    client_python: Path, tmp_path: Path
) -> None:
    store, copy = new_store(tmp_path), tmp_path / "copy"
    files = sorted(path for path in SAMPLE.rglob("*") if path.is_file())
    days = sorted({path.parent for path in files if path.parent.name != "data"})
    early = [path for path in files if days[-1] not in path.parents]
    with bucket(client_python) as endpoint:
        environment = NOBODY | {
            "AWS_ENDPOINT_URL": endpoint,
            "AIRCON_STORE": str(store),
            "HOME": str(tmp_path),
            "PATH": f"{client_python.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        _put(endpoint, early)
        _as_the_page_says(copy, environment)
        first = _count(store)
        assert first > 0
        again = _as_the_page_says(copy, environment)
        assert _count(store) == first, again
        _put(endpoint, files)
        _as_the_page_says(copy, environment)
    assert _count(store) > first
    assert sql(store, FACTS) == sql(_imported_directly(tmp_path), FACTS)
    bodies = [path for path in files if path.parent.name == "data"]
    large = [row for row in sql(store, FACTS) if len(str(row["input_text"])) > 100_000]
    assert len(large) == len(bodies) > 0
    assert not any("content-by-reference" in (row["capture_gaps"] or ()) for row in large)  # type: ignore[operator]
    words = ["verify", "--content", "--store", store, "--insecure-no-passphrase"]
    assert aircon(*words).returncode == 0


@contextlib.contextmanager
def bucket(python: Path) -> Iterator[str]:
    """An S3 on loopback with an empty bucket, until the block ends."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [python.with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(endpoint)
        where = {"LocationConstraint": NOBODY["AWS_DEFAULT_REGION"]}
        _s3(endpoint).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        yield endpoint
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(endpoint: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(endpoint, trust_env=False)
            return
        time.sleep(0.1)
    raise AssertionError("moto did not start")


def _s3(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=NOBODY["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=NOBODY["AWS_SECRET_ACCESS_KEY"],
        region_name=NOBODY["AWS_DEFAULT_REGION"],
    )


def _put(endpoint: str, files: list[Path]) -> None:
    """What Bedrock delivers, and the object by which it tries whether it may."""
    s3 = _s3(endpoint)
    for path in files:
        s3.put_object(Bucket=BUCKET, Key=str(path.relative_to(SAMPLE)), Body=path.read_bytes())
    logs = "AWSLogs/111122223333/BedrockModelInvocationLogs"
    s3.put_object(Bucket=BUCKET, Key=f"{logs}/amazon-bedrock-logs-permission-check", Body=b"ok")


def _as_the_page_says(copy: Path, environment: dict[str, str]) -> str:
    """Run the page's commands, with another directory and without a passphrase."""
    page = (PAGES / "bedrock.md").read_text("utf-8").splitlines()
    commands = [line.strip() for line in page if line.startswith(("    aws ", "    aircon "))]
    assert len(commands) == 2
    script = "\n".join(commands).replace("/var/log/bedrock/", f"{copy}/")
    done = subprocess.run(
        ["bash", "-euc", f"{script} --insecure-no-passphrase"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not [*copy.rglob("*permission-check")]
    return done.stderr


def _count(store: Path) -> int:
    (row,) = sql(store, "SELECT count(*) AS n FROM interactions")
    return int(row["n"])  # type: ignore[call-overload, no-any-return]


def _imported_directly(base: Path) -> Path:
    (base / "direct").mkdir()
    store = new_store(base / "direct")
    done = aircon("import", SAMPLE, "--store", store, "--insecure-no-passphrase")
    assert done.returncode == 0, done.stderr
    return store
