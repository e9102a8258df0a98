"""A verification reads each object of a bucket once, and looks into it as it passes."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.bucket_stores import BucketStore, Network, new_store
from support.s3_servers import Server
from support.stores import chat

from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.storage.treeproofs import root_at
from logstore.verify.heads import SeenFile


@pytest.fixture
def store(
    moto_server: Server, s3_credentials: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BucketStore:
    made = new_store(moto_server, tmp_path / "writer", monkeypatch)
    with made.create() as log:
        for segment in range(2):
            list(log.append_many(chat(f"question {segment} {n}", "ada") for n in range(20)))
            log.seal()
    return made


@pytest.fixture
def calls(store: BucketStore) -> Counter[str]:
    """How often each object was asked for, whole or for its lock alone."""
    network: Network = store.network  # type: ignore[attr-defined]
    counted: Counter[str] = Counter()

    def count(real: Any, **asked: Any) -> Any:
        counted[asked["Key"]] += 1
        return real(**asked)

    network.calls |= {"get_object": count, "head_object": count}
    return counted


@pytest.mark.parametrize("quick", [True, False])
def test_nothing_is_asked_for_twice(
    store: BucketStore, tmp_path: Path, calls: Counter[str], quick: bool
) -> None:
    there = store.elsewhere(tmp_path / "auditor")
    calls.clear()
    report = there.verify(quick=quick)
    assert report.exit_code == 0
    assert sum(name.endswith(".parquet") for name in calls) == 4
    assert {name: times for name, times in calls.items() if times > 1} == {}


@pytest.mark.parametrize("kind", ["index", "body"])
def test_bytes_that_changed_are_named_as_they_pass(
    store: BucketStore, tmp_path: Path, kind: str
) -> None:
    network: Network = store.network  # type: ignore[attr-defined]
    there = store.elsewhere(tmp_path / "auditor")
    pin = there.reader().pins[0]
    changed = pin.index if kind == "index" else pin.body
    assert changed is not None

    def other(real: Any, **asked: Any) -> Any:
        answer = real(**asked)
        if asked["Key"].endswith(changed.key):
            data = bytearray(answer["Body"].read())
            data[len(data) // 2] ^= 1
            answer["Body"] = io.BytesIO(data)
        return answer

    network.calls["get_object"] = other
    report = there.verify(quick=True)
    found = [(each.code, each.file) for each in report.findings if each.severity == "tampering"]
    assert found == [("file-changed", changed.key)]


@pytest.mark.parametrize("forged", [False, True])
def test_a_remembered_root_within_a_segment_is_compared(
    store: BucketStore, tmp_path: Path, calls: Counter[str], forged: bool
) -> None:
    reader = store.reader()
    size = reader.pins[1].first + 5
    root = bytes(32) if forged else root_at(reader, size)
    seen = tmp_path / "auditor.seen"
    note = sign_checkpoint(Checkpoint(reader.origin, size, root), store.keys().signer())
    there = store.elsewhere(tmp_path / "auditor")
    SeenFile(seen).add(note, 0)
    calls.clear()
    report = there.verify(quick=True, seen=seen)
    assert ("fork" in {finding.code for finding in report.findings}) is forged
    assert max(calls.values()) == 1
