"""What others put where a seal, a log or a claim could be stops neither readers nor the writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bucket_stores import BucketStore, new_store
from support.s3_servers import Server
from support.stores import chat

SLUG = "log=logs.example.com_support"


@pytest.fixture
def store(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    made = new_store(server, tmp_path / "writer", monkeypatch)
    with made.create() as log:
        log.append(chat("question", "ada"))
        log.seal()
    return made


@pytest.mark.parametrize(
    ("name", "copied"),
    [
        ("seal/{slug}/seal-{end:012d}-7.json", ""),
        ("seal/{slug}/seal-{end:012d}-7.json", "seal/"),
        ("seal/{slug}/seal-{end:012d}-999999999999.json", ""),
        ("seal/{slug}/seal-000000000000-1.json", ""),
        ("seal/{slug}/seal-000000000001-1.json", ""),
        ("log/log=evil/log.json", ""),
        ("log/log=evil/log.json", "log/"),
        ("claim/{slug}/claim-{end:012d}.note", ""),
        ("claim/{slug}/claim-{end:012d}.note", "claim/"),
    ],
)
def test_a_stray_is_named_and_stops_nobody(
    store: BucketStore, tmp_path: Path, name: str, copied: str
) -> None:
    there = store.elsewhere(tmp_path / "auditor")
    end = there.reader().size
    data = b"junk"
    if copied:
        first = store.bucket.history(store.names(copied)[0])[0]
        data = store.bucket.get(first.name, first.version_id).data
    key = store.bucket.address.beginning + name.format(slug=SLUG, end=end)
    store.bucket.client.put_object(Bucket=store.bucket.address.bucket, Key=key, Body=data)
    assert there.verify().exit_code != 0
    reader = there.reader()
    assert len(reader.leaves(0, reader.size)) == reader.size == end
    with store.open() as log:
        log.append(chat("another", "ada"))
        log.seal()
    assert there.reader().size > end
