"""Far more lies in the bucket than the log ever put there, or the server lists what is not so."""

from __future__ import annotations

import bisect
import datetime as dt
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.bucket_stores import BucketStore, Elsewhere, Network, sealed_store
from support.s3_servers import Server

from logstore.errors import StoreRefused
from logstore.verify import bucketlisting, gathering
from logstore.verify.findings import Report

SLUG = "log=logs.example.com_support"
NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


@pytest.fixture
def store(
    moto_server: Server, s3_credentials: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BucketStore:
    return sealed_store(moto_server, tmp_path / "writer", monkeypatch, 3)


@dataclass
class Flood:
    """A server that lists junk among what is there, a thousand entries a page; it keeps none.

    Attributes:
        count: how many names of junk.
        pattern: their names; all sort together.
        versions: how many versions each has.
        pages: how many pages were asked for.
    """

    count: int
    pattern: str
    versions: int = 1
    pages: int = 0

    def list(self, real: Callable[..., Any], **asked: Any) -> Any:
        """In the place of `list_object_versions`."""
        self.pages += 1
        asked.pop("KeyMarker", None)
        start = int(asked.pop("VersionIdMarker", "0"))
        there = real(**asked).get("Versions", [])
        root = f"{asked['Prefix'].partition('/')[0]}/"
        first = root + self.pattern.format(0)
        junk = self.count * self.versions if first.startswith(asked["Prefix"]) else 0
        at = bisect.bisect_left([each["Key"] for each in there], first)
        end = min(start + 1000, len(there) + junk)
        rows = [
            self._row(root, n - at)
            if at <= n < at + junk
            else there[n if n < at else n - junk]
            for n in range(start, end)
        ]  # fmt: skip
        page = {"Name": asked["Bucket"], "Prefix": asked["Prefix"], "Versions": rows}
        if end < len(there) + junk:
            page |= {"IsTruncated": True, "NextKeyMarker": rows[-1]["Key"]}
            page["NextVersionIdMarker"] = str(end)
        return page

    def _row(self, root: str, number: int) -> dict[str, Any]:
        name = self.pattern.format(number // self.versions)
        return {
            "Key": root + name, "VersionId": f"junk-{number:012d}", "ETag": '"x"', "Size": 9,
            "IsLatest": not number % self.versions, "LastModified": NOON,
        }  # fmt: skip


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is far too much, is so much sooner."""
    monkeypatch.setattr(bucketlisting, "MOST_KEPT", 500)
    monkeypatch.setattr(gathering, "MOST_KEPT", 500)


def flood(store: BucketStore, made: Flood) -> Flood:
    network: Network = store.network  # type: ignore[attr-defined]
    network.calls = {"list_object_versions": made.list}
    return made


def judged(auditor: Elsewhere) -> Report:
    """A report in which the log is whole, whatever lies beside it."""
    report = auditor.verify()
    assert report.exit_code == 1
    codes = {finding.code for finding in report.findings if finding.severity == "tampering"}
    assert codes == {"extra-file"}, report.found
    assert report.logs[0].sealed == report.logs[0].signed == auditor.store.reader().sealed
    return report


PATTERNS = [
    "aaa/{:012d}",
    "zzz/\x1b]0;title\x07{:012d}",
    f"index/{SLUG}/date=2026-01-01/seg-{{:012d}}-7.parquet",
    f"body/{SLUG}/date=2026-01-01/sup-{{:012d}}-0123456789abcdef.parquet",
    "index/log=another/{:012d}.parquet",
    "wal/{:012d}.wal",
    ".{:012x}.0123456789ab.tmp",
]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_names_without_number_are_counted_and_the_log_is_judged(
    store: BucketStore, auditor: Elsewhere, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.setattr(bucketlisting, "_UNSEALED", 50)
    flood(store, Flood(20_000, pattern))
    report = judged(auditor)
    said = [finding for finding in report.findings if finding.code == "extra-file"]
    assert len(said) <= 202
    counted = next(f.what for f in said if "versions or delete markers" in f.what)
    told = len([f for f in said if f.file])
    number = int(counted.partition(" ")[0].replace(",", ""))
    assert 20_000 - told - 50 <= number <= 20_000 - gathering.MOST_NAMED
    assert "in all were listed" in counted


@pytest.mark.usefixtures("few")
def test_memory_does_not_grow_with_what_lies_there(store: BucketStore, auditor: Elsewhere) -> None:
    def peak(count: int) -> int:
        flood(store, Flood(count, PATTERNS[2]))
        auditor.verify(quick=True)
        tracemalloc.start()
        auditor.verify(quick=True)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(30_000) < peak(10_000) + 2 * 2**20


@pytest.mark.usefixtures("few")
def test_versions_without_number_over_one_name(store: BucketStore, auditor: Elsewhere) -> None:
    name = store.names("index/")[1]
    flood(store, Flood(1, name, versions=30_000))
    report = auditor.verify()
    tampering = [(f.code, f.file) for f in report.findings if f.severity == "tampering"]
    assert tampering == [("shadow-version", name)]
    assert "30,000 more versions" in report.found[0]


@pytest.mark.usefixtures("few")
def test_nobody_looks_at_all_of_what_never_ends(
    store: BucketStore, auditor: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketlisting, "MOST_SEEN", 5_000)
    made = flood(store, Flood(10**9, PATTERNS[0]))
    report = judged(auditor)  # though every object of the log would be listed behind the junk
    assert any("more than 4,900" in line for line in report.found)
    assert made.pages < 200
    name = store.names("index/")[0]
    network: Network = store.network  # type: ignore[attr-defined]

    def unlocked(real: Callable[..., Any], **asked: Any) -> Any:
        hidden = "Lock" if name in asked["Key"] else "nothing"
        return {key: value for key, value in real(**asked).items() if hidden not in key}

    network.calls |= {"head_object": unlocked, "get_object": unlocked}
    again = auditor.verify()
    assert ("lock-missing", name) in {(f.code, f.file) for f in again.findings}


@pytest.mark.usefixtures("few")
def test_many_false_seals_are_each_looked_at(store: BucketStore, auditor: Elsewhere) -> None:
    flood(store, Flood(520, f"seal/{SLUG}/seal-0{{:011d}}-7.json"))
    report = auditor.verify()
    assert report.exit_code == 1
    assert report.logs[0].sealed == store.reader().sealed
    assert report.codes() == {"seal-changed", "tail-elsewhere"}
    assert len(report.of("tampering")) == 520


@pytest.mark.usefixtures("few")
def test_more_false_seals_than_can_be_looked_at(
    store: BucketStore, auditor: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketlisting, "MOST_APART", 2_000)
    flood(store, Flood(10**9, f"seal/{SLUG}/seal-0{{:011d}}-7.json"))
    with pytest.raises(StoreRefused, match="more than 2,000 versions lie below seal/"):
        auditor.verify()


def test_a_temporary_name_in_a_bucket_is_a_strangers(
    store: BucketStore, auditor: Elsewhere
) -> None:
    """On a disk a crash leaves such a file; into a bucket nothing of that name is ever put."""
    at = store.bucket.address
    store.bucket.client.put_object(
        Bucket=at.bucket, Key=f"{at.beginning}.log.json.0123456789ab.tmp", Body=b"x"
    )
    judged(auditor)
