"""`aircon verify --engine spark`: on a cluster, the same findings and the same exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.bucket_stores import new_store
from support.s3_servers import Server
from support.stores import TestStore, chat

from tests.lake.conftest import Run

pytestmark = pytest.mark.slow

LOCAL = ("--engine", "spark", "--spark-master", "local[2]")


def _filled(store: TestStore) -> TestStore:
    with store.create() as log:
        for _ in range(3):
            for number in range(30):
                log.append(chat(f"number {number}", f"person-{number % 3}"))
            log.seal()
        log.append(chat("not sealed", "person-0"))
    (store.base / "evidence.policy").write_bytes(store.policy().text().encode())
    return store


def _report(run: Run, store: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = run("-m", "console", "verify", store, "--json", *words)
    assert done.stdout, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == report["exit_code"]
    return done.returncode, report


def _both(run: Run, store: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """What Spark's verification says, once it is found to be what this machine's says."""
    code, here = _report(run, store, *more)
    there_code, there = _report(run, store, *LOCAL, *more)
    (trust,) = [each for each in there["not_proven"] if each not in here["not_proven"]]
    assert "machines of the cluster" in trust
    there["not_proven"].remove(trust)
    assert (there_code, there) == (code, here)
    return code, there


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_whole_store_and_a_changed_one_are_judged_as_on_one_machine(
    tmp_path: Path, with_spark: Run
) -> None:
    store = _filled(TestStore(tmp_path))
    code, report = _both(with_spark, store.path)
    assert (code, report["records"]) == (0, store.reader(locked=True).size)
    first, second, _ = sorted((store.path / "index").rglob("*.parquet"))
    _flip(first)
    second.unlink()
    _flip(max((store.path / "body").rglob("*.parquet")))
    code, report = _both(with_spark, store.path)
    assert code == 1
    assert {finding["code"] for finding in report["findings"]} >= {"file-changed", "file-missing"}
    assert len(report["findings"]) >= 3


def test_a_bucket_is_verified_by_executors_that_ask_it_themselves(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_spark: Run
) -> None:
    store = new_store(server, tmp_path / "store", monkeypatch)
    _filled(store)
    key = store.reader(locked=True).pins[1].index.key
    where = {"Bucket": store.remote.address.bucket, "Key": store.remote.address.key(key)}
    store.bucket.client.put_object(**where, Body=b"something else")
    store.bucket.client.delete_object(**where)
    code, report = _both(with_spark, store.path)
    assert code == 1
    assert key in {finding["file"] for finding in report["findings"]}


def test_what_a_cluster_can_not_see_is_no_tampering(tmp_path: Path, with_spark: Run) -> None:
    """Executors that find no file: what counts is what is found here."""
    store = _filled(TestStore(tmp_path))
    blind = (
        "import dataclasses, pathlib, sys; from console.__main__ import main\n"
        "from logstore.verify import sparkengine\n"
        "from logstore.verify.evidence import Directory\n"
        "def check_blindly(task):\n"
        "    elsewhere = Directory(pathlib.Path('/not/on/this/machine'))\n"
        "    job = dataclasses.replace(task[1], evidence=elsewhere)\n"
        "    outcome = sparkengine.check_segment(job)\n"
        "    assert outcome.broken and outcome.findings\n"
        "    return outcome\n"
        "sparkengine.check_there = check_blindly\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = with_spark("-c", blind, "verify", store.path, "--json", *LOCAL)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["findings"] == []
    assert report["records"] == store.reader(locked=True).size


def test_a_cluster_with_another_release_judges_nothing(tmp_path: Path, with_spark: Run) -> None:
    store = _filled(TestStore(tmp_path))
    lying = (
        "import sys; from console.__main__ import main\n"
        "from logstore.verify import sparkengine\n"
        "sparkengine._release = lambda: '0.0.1'\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = with_spark("-c", lying, "verify", store.path, *LOCAL)
    assert done.returncode == 2, done.stderr[-3000:]
    assert "this machine 0.0.1" in done.stdout


def test_keys_of_content_are_not_sent(tmp_path: Path, with_lake: Run) -> None:
    store = _filled(TestStore(tmp_path))
    words = ("-m", "console", "verify", store.path, "--engine", "spark")
    for more, why in (
        (("--content", "--insecure-no-passphrase"), "keys are never sent to a cluster"),
        (("--quick",), "checks every leaf"),
        (("--workers", "2"), "checks every leaf"),
    ):
        done = with_lake(*words, *more)
        assert (done.returncode, done.stdout) == (3, "")
        assert why in done.stderr


def test_a_spark_that_does_not_start_is_told_in_words(tmp_path: Path, with_spark: Run) -> None:
    store = _filled(TestStore(tmp_path))
    words = ("-m", "console", "verify", store.path, "--engine", "spark", "--spark-master")
    done = with_spark(*words, "nonsense://")
    assert done.returncode == 2
    assert "the cluster could not check the segments" in done.stdout
    assert 'File "' not in done.stdout + done.stderr
